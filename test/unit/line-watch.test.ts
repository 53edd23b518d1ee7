import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandRunner } from '../../gateway/kernel/command.js';
import { lineText } from '../../gateway/metrics/line.js';
import type { GatewayModel } from '../../gateway/model/gateway-model.js';
import type { DedicatedLine } from '../../gateway/model/line.js';
import { LineWatch, type LineWatchOptions } from '../../gateway/reconcile/line-watch.js';

// Since when a line stands as it does, whatever it is judged by.

const line = (name: string, bgp: boolean) =>
  ({
    name,
    port: name,
    addresses: [],
    bgp: bgp ? {} : undefined,
    site: { remote: [] },
    origin: { id: name },
  }) as unknown;
const lines = [line('learnt', true), line('fixed', false)] as DedicatedLine[];

describe('a line', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }));
  afterEach(() => void vi.useRealTimers());

  const begin = () => {
    const established = { 4: false, 6: false };
    const mtu = new Map([['learnt', 1500]]);
    const model = { dedicatedLines: lines, vpnConnections: [], highAvailability: { mode: 'None' } };
    const watch = new LineWatch({
      run: { run: async () => ({ stdout: '[]' }) } as unknown as CommandRunner,
      lookout: { listeners: new Set() },
      clock: { nowMs: () => Date.now() } as LineWatchOptions['clock'],
      inForce: () => ({ model, facts: { mtu } }) as unknown as ReturnType<LineWatchOptions['inForce']>,
      tell: () => undefined,
      routing: {
        follow: async () => undefined,
        look: async () => undefined,
        looks: () =>
          ([4, 6] as const).map((family) => ({ line: 'learnt', peer: `${family}`, established: established[family] })),
        troubleOf: () => undefined,
      } as unknown as LineWatchOptions['routing'],
      onDoubtful: async () => undefined,
    });
    watch.follow(model as unknown as GatewayModel);
    const stands = (name: string): string => {
      const { state, since } = watch.looks.get(name) ?? {};
      return `${state} since ${Date.parse(since ?? '') / 1000} s`;
    };
    return { established, mtu, watch, stands };
  };

  it('that learns stands so since its sessions do', async () => {
    const { established, watch, stands } = begin();
    await vi.advanceTimersByTimeAsync(4_500);
    expect(stands('learnt')).toBe('Down since 0 s');
    Object.assign(established, { 4: true, 6: true });
    await vi.advanceTimersByTimeAsync(4_500);
    expect(stands('learnt')).toBe('Up since 5 s');
    established[6] = false;
    await vi.advanceTimersByTimeAsync(4_500);
    expect(stands('learnt')).toBe('Degraded since 10 s');
    // By the other family it carries.
    expect(lineText(watch.looks.values())).toContain('vpcgw_line_up{name="learnt"} 1');
    watch.stop();
  });

  it('whose port is missing is down since that is so', async () => {
    const { mtu, watch, stands } = begin();
    mtu.set('fixed', 1500);
    await vi.advanceTimersByTimeAsync(4_500);
    expect(stands('fixed')).toBe('Up since 0 s');
    mtu.delete('fixed');
    await vi.advanceTimersByTimeAsync(4_500);
    expect(stands('fixed')).toBe('Down since 5 s');
    watch.stop();
  });
});

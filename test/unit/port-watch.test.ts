import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandRunner } from '../../gateway/kernel/command.js';
import { CONNECTION_COUNT } from '../../gateway/kernel/conntrack/flows.js';
import type { GatewayModel } from '../../gateway/model/gateway-model.js';
import { NO_PRESSURE, type Pressure } from '../../gateway/model/pressure.js';
import { PortWatch } from '../../gateway/reconcile/port-watch.js';

// What the watch of ports says to the supervisor, and what it leaves to others.

const ADDRESS = '203.0.113.20';
const modelWith = (snatRules: readonly unknown[], connections?: number) =>
  ({ snatRules, limits: { connections } }) as unknown as GatewayModel;
const shared = modelWith([{ pool: [{ name: 'out', address: { text: ADDRESS } }] }]);

describe('the watch of ports', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const begin = (model: GatewayModel, pressure: Partial<Pressure>, count: number) => {
    const told: unknown[][] = [];
    const state = { model, pressure: { ...NO_PRESSURE, ...pressure } };
    const run = {
      switches: async () => new Map([[CONNECTION_COUNT, String(count)]]),
      procNet: async () => undefined,
      run: async () => ({ code: 0, stdout: '', stderr: '' }),
    } as unknown as CommandRunner;
    const watch = new PortWatch(
      run,
      () => state.model,
      () => state.pressure,
      (...found) => void told.push(found),
    );
    watch.start();
    return { told, state, watch };
  };

  it('says nothing but what it has found: what members are down may change before that is heeded', async () => {
    const { told, watch } = begin(modelWith([], 5), { down: new Map([['all 10.0.0.21 ', 'silent']]) }, 5);
    await vi.advanceTimersByTimeAsync(1_000);
    watch.stop();
    expect(told).toEqual([[new Set(), true]]);
  });

  it('lets go of ports that nobody shares any more', async () => {
    const { told, state, watch } = begin(shared, { exhausted: new Set() }, 100);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(watch.last).toMatchObject([{ address: ADDRESS }]);
    state.model = modelWith([]);
    state.pressure = { ...NO_PRESSURE, exhausted: new Set([ADDRESS]) };
    await vi.advanceTimersByTimeAsync(1_000);
    watch.stop();
    expect(told).toEqual([[new Set(), false]]);
    expect(watch.last).toEqual([]);
  });
});

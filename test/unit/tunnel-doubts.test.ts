import { describe, expect, it } from 'vitest';
import type { VpnConnection } from '../../gateway/model/vpn.js';
import { TunnelDoubts } from '../../gateway/reconcile/tunnel-doubts.js';

// Which of several tunnels to one site are taken last.

const connection = (name: string, metric: number): VpnConnection =>
  ({ name, site: { metric }, origin: { id: `VpnConnection/${name}` } }) as VpnConnection;

describe('tunnels that do not carry', () => {
  const begin = () => {
    let nowMs = 0;
    const told: string[][] = [];
    const said: string[] = [];
    const doubts = new TunnelDoubts({
      clock: { nowMs: () => nowMs } as ConstructorParameters<typeof TunnelDoubts>[0]['clock'],
      tell: (_, message) => said.push(message),
      onDoubtful: async (doubtful) => void told.push([...doubtful]),
    });
    const [one, only] = [connection('one', 210), connection('only', 200)];
    doubts.follow([one, only]);
    const at = async (ms: number, fault: string | undefined, of = one) => {
      nowMs = ms;
      doubts.found(of, fault);
      await Promise.resolve();
      await Promise.resolve();
    };
    return { doubts, told, said, at, one, only };
  };

  it('are told of at once, and again when they have been steady', async () => {
    const { at, told, said } = begin();
    await at(5_000, undefined);
    await at(10_000, 'gone');
    await at(10_500, 'gone');
    await at(12_000, undefined);
    await at(21_900, undefined);
    expect(told).toEqual([['VpnConnection/one']]);
    await at(22_000, undefined);
    expect(told).toEqual([['VpnConnection/one'], []]);
    await at(23_000, 'gone again');
    await at(24_000, undefined);
    await at(43_999, undefined);
    expect(told).toHaveLength(3);
    await at(44_000, undefined);
    expect(told).toHaveLength(4);
    expect(said[0]).toMatch(/^one: Up → Down: gone; its networks' ways were ordered anew in \d+ ms$/);
    expect(said.at(-1)).toMatch(/^one: Down → Up: steady for 20 s/);
  });

  it('are given a moment to come up, and none where nothing else carries', async () => {
    const { at, told, only } = begin();
    await at(2_900, 'no keys yet');
    await at(9_000, 'gone', only);
    expect(told).toEqual([]);
    await at(3_000, 'no keys yet');
    expect(told).toEqual([['VpnConnection/one']]);
    // It has never carried, and so has nothing to make good.
    await at(4_000, undefined);
    expect(told).toHaveLength(2);
  });

  it('are forgotten with their documents', async () => {
    const { at, told, doubts } = begin();
    await at(10_000, 'gone');
    doubts.follow([]);
    expect(told.at(-1)).toEqual([]);
  });
});

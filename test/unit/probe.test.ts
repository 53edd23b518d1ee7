import { expect, it } from 'vitest';
import { IPVS_SYSCTLS } from '../../gateway/features/network-sysctls.js';
import type { CommandRunner } from '../../gateway/kernel/command.js';
import { probe } from '../../gateway/system/probe.js';

// What preflight says of the switches of IPVS, which only a kernel with IPVS has.

/** On a machine where no program starts, and nothing can be set. */
const found = async (switches: Readonly<Record<string, string>>): Promise<string[]> => {
  const run = {
    run: () => Promise.reject(new Error('it does not start')),
    switches: (names: readonly string[]) =>
      Promise.resolve(new Map(names.flatMap((name) => (switches[name] ? [[name, switches[name]] as const] : [])))),
    setSwitches: () => Promise.resolve(new Set()),
    procNet: () => Promise.resolve(undefined),
  } as unknown as CommandRunner;
  return (await probe(run))
    .filter(({ check }) => check.startsWith('sysctl net.ipv4.vs.'))
    .map(({ check, state, found: value }) => `${check}: ${state}, ${value}`);
};

it('preflight names switches of IPVS that are wrong, where they are there', async () => {
  expect(await found({})).toEqual([]);
  expect(await found({ ...IPVS_SYSCTLS, 'net.ipv4.vs.sloppy_tcp': '0' })).toEqual([
    'sysctl net.ipv4.vs.conntrack: Ok, 1',
    'sysctl net.ipv4.vs.expire_nodest_conn: Ok, 1',
    'sysctl net.ipv4.vs.expire_quiescent_template: Ok, 1',
    'sysctl net.ipv4.vs.sloppy_tcp: Degraded, 0',
    'sysctl net.ipv4.vs.snat_reroute: Ok, 0',
  ]);
});

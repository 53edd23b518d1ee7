/**
 * Addresses of role links: the next hop, the gateway's own external address, elastic IPs. And of links between the
 * members of a pair.
 */
import { holdsOwnAddresses } from '../../model/ownership.js';
import { feed } from '../feed.js';
import { PatchedMap } from '../patched-map.js';
import { type IpAddresses, lastList, readInterfaces } from '../ip.js';
import type { Line } from '../state.js';
import { diffLines, type Subsystem } from '../subsystem.js';

type Addresses = ReadonlyMap<string, Line>;

function ownAddresses(interfaces: readonly IpAddresses[], desired: Addresses): Map<string, Line> {
  const result = new Map<string, Line>();
  for (const { ifname = '', addr_info: infos = [] } of interfaces) {
    if (!holdsOwnAddresses(ifname)) continue;
    for (const { local, prefixlen, scope, family } of infos) {
      // A link-local address that no document names is the link's; one for this host alone is the election's.
      if (local === undefined || prefixlen === undefined || scope === 'host') continue;
      const key = `${ifname} ${local}/${prefixlen}`;
      if (family === 'inet6' && scope === 'link' && !desired.has(key)) continue;
      result.set(key, { text: `${local}/${prefixlen}` });
    }
  }
  return result;
}

const lineOf = (verb: 'replace' | 'delete', key: string, line: Line): Line => {
  const [link = '', address = ''] = key.split(' ');
  return {
    text: `address ${verb} ${address} dev ${link}${verb === 'replace' ? ' noprefixroute' : ''}`,
    origin: line.origin,
  };
};

export const addresses: Subsystem<Addresses> = {
  title: 'address',

  observe: async (run, desired) => ownAddresses(await readInterfaces(run), desired),

  diff: (observed, desired) =>
    diffLines(observed, desired, { add: 'prepare', remove: 'prune' }).map((change) => ({
      ...change,
      lines: change.lines.map((line) => lineOf(change.action === 'remove' ? 'delete' : 'replace', change.key, line)),
    })),

  async apply(run, changes, observed, desired) {
    const added = changes.filter((change) => change.action !== 'remove').map((change) => change.key);
    const few = changes.length <= ASK_AT_MOST;
    const lines = changes.flatMap((change) => change.lines);
    if (!few) {
      const whole = await feed(run, ['ip', '-j', '-batch', '-'], [...lines, { text: 'address show' }], 'dash');
      return ownAddresses(lastList(whole.stdout) as readonly IpAddresses[], desired);
    }
    const { stdout } = await feed(run, ['ip', '-o', '-batch', '-'], [...lines, ...added.map(questionOf)], 'dash');
    const there = answersOf(stdout).map((key) => [key, desired.get(key) ?? { text: '' }] as const);
    return PatchedMap.of(
      observed,
      changes.map(({ key }) => key),
      there,
    );
  },
};

/** Above this many changes all addresses are read back at once. */
const ASK_AT_MOST = 32;

function questionOf(key: string): Line {
  const [link = '', address = ''] = key.split(' ');
  return { text: `address show dev ${link} to ${address.replace(/\/\d+$/, '')}` };
}

function answersOf(stdout: string): string[] {
  return stdout.split('\n').flatMap((line) => {
    const match = /^\d+: (\S+)\s+inet6? (\S+) /.exec(line);
    return match ? [`${match[1]} ${match[2]}`] : [];
  });
}

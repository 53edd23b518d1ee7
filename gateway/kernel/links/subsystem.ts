/**
 * Role links: a macvlan above each interface that the platform gave. They hold the addresses that attract traffic, so
 * that a role is taken up or laid down by one link. And IFBs, by which what comes in is shaped, where it is.
 */
import { IFB_PREFIX, LINK_PREFIX } from '../../model/ownership.js';
import { feed } from '../feed.js';
import { type IpLink, lastList, readInterfaces } from '../ip.js';
import type { Link } from '../state.js';
import type { Change, Subsystem } from '../subsystem.js';

type Links = ReadonlyMap<string, Link>;

export const links: Subsystem<Links> = {
  title: 'link',

  observe: async (run) => ownLinks(await readInterfaces(run)),

  diff(observed, desired) {
    const changes: Change[] = [];
    for (const [name, link] of desired) {
      const known = observed.get(name);
      const misplaced = known !== undefined && known.parent !== link.parent;
      if (misplaced)
        changes.push({ phase: 'prepare', action: 'remove', key: name, lines: [{ text: `link delete dev ${name}` }] });
      if (!known || misplaced)
        changes.push({
          phase: 'prepare',
          action: 'add',
          key: name,
          lines: [{ text: `link add ${typeOf(link)}` }],
        });
      else if (!misplaced && link.mac !== undefined && known.mac !== link.mac)
        changes.push({
          phase: 'prepare',
          action: 'replace',
          key: `${name} address`,
          lines: [{ text: `link set dev ${name} address ${link.mac}` }],
        });
      if ((known?.up ?? false) !== link.up || misplaced)
        changes.push({
          phase: 'switch',
          action: known ? 'replace' : 'add',
          key: `${name} ${link.up ? 'up' : 'down'}`,
          lines: [
            {
              text: `link set dev ${name} ${link.kind === 'ifb' ? 'addrgenmode none ' : ''}${link.up ? 'up' : 'down'}`,
            },
          ],
        });
    }
    for (const name of observed.keys())
      if (!desired.has(name))
        changes.push({ phase: 'prune', action: 'remove', key: name, lines: [{ text: `link delete dev ${name}` }] });
    return changes;
  },

  async apply(run, changes) {
    const lines = changes.flatMap((change) => change.lines);
    const { stdout } = await feed(run, ['ip', '-j', '-d', '-batch', '-'], [...lines, { text: 'link show' }], 'dash');
    return ownLinks(lastList(stdout) as readonly IpLink[]);
  },
};

/** Private: a role link and whatever else sits on the parent never talk to each other. */
const typeOf = ({ kind, name, parent, mac }: Link): string =>
  kind === 'macvlan'
    ? `link ${parent} name ${name}${mac === undefined ? '' : ` address ${mac}`} type macvlan mode private`
    : // Its own 32 would be too few for what is not shaped.
      `name ${name} txqueuelen 1000 type ifb`;

const isOwn = ({ ifname, linkinfo }: IpLink): boolean =>
  (ifname.startsWith(LINK_PREFIX) && linkinfo?.info_kind === 'macvlan') ||
  (ifname.startsWith(IFB_PREFIX) && linkinfo?.info_kind === 'ifb');

function ownLinks(links: readonly IpLink[]): Map<string, Link> {
  return new Map(
    links.filter(isOwn).map(({ ifname, link = '', linkinfo, flags, address }) => [
      ifname,
      {
        name: ifname,
        kind: linkinfo?.info_kind === 'ifb' ? 'ifb' : 'macvlan',
        parent: link,
        up: flags.includes('UP'),
        mac: address ?? '',
      },
    ]),
  );
}

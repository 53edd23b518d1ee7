/**
 * Role links: a macvlan above each interface that the platform gave. They hold the addresses that attract traffic, so
 * that a role is taken up or laid down by one link; of a dedicated line it may be a VLAN of the port. IFBs, by which what comes in is shaped, where it is. And tunnels, of
 * which one that `wireguard-go` made lives as long as that process: when it ends, the link is gone, and is made again.
 */
import {
  IFB_PREFIX,
  LINK_PREFIX,
  MEMBER_LINK_PREFIX,
  TUNNEL_IFB_PREFIX,
  TUNNEL_PREFIX,
} from '../../model/ownership.js';
import type { CommandRunner } from '../command.js';
import { feed } from '../feed.js';
import { type IpLink, lastList, readInterfaces } from '../ip.js';
import type { Line, Link } from '../state.js';
import type { Change, Subsystem } from '../subsystem.js';

type Links = ReadonlyMap<string, Link>;

export const links: Subsystem<Links> = {
  title: 'link',

  observe: async (run) => ownLinks(await readInterfaces(run)),

  diff(observed, desired) {
    const changes: Change[] = [];
    for (const [name, link] of desired) {
      const known = observed.get(name);
      const misplaced =
        known !== undefined &&
        (known.parent !== link.parent ||
          known.kind !== link.kind ||
          known.vlan !== link.vlan ||
          known.xfrmId !== link.xfrmId);
      if (misplaced)
        changes.push({ phase: 'prepare', action: 'remove', key: name, lines: [{ text: `link delete dev ${name}` }] });
      if (!known || misplaced)
        changes.push({
          phase: 'prepare',
          action: 'add',
          key: name,
          lines: creationOf(link),
        });
      else if (!misplaced && link.mac !== undefined && known.mac !== link.mac)
        changes.push({
          phase: 'prepare',
          action: 'replace',
          key: `${name} address`,
          lines: [{ text: `link set dev ${name} address ${link.mac}` }],
        });
      if (known && !misplaced && link.mtu !== undefined && known.mtu !== link.mtu)
        changes.push({ phase: 'prepare', action: 'replace', key: `${name} mtu`, lines: [mtuOf(link)] });
      if ((known?.up ?? false) !== link.up || misplaced)
        changes.push({
          // One between members attracts nobody, and the kernel's balancer tells the other by it: it does not begin before.
          phase: name.startsWith(MEMBER_LINK_PREFIX) ? 'prepare' : 'switch',
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
    const all = changes.flatMap((change) => change.lines);
    for (const { text } of all.filter(isProgram)) await start(run, text);
    const lines = all.filter((line) => !isProgram(line));
    const { stdout } = await feed(run, ['ip', '-j', '-d', '-batch', '-'], [...lines, { text: 'link show' }], 'dash');
    return ownLinks(lastList(stdout) as readonly IpLink[]);
  },
};

const mtuOf = ({ name, mtu }: Link): Line => ({ text: `link set dev ${name} mtu ${mtu}` });

function creationOf(link: Link): Line[] {
  const { name, kind, xfrmId } = link;
  if (kind !== 'wireguard' && kind !== 'wireguard-go' && kind !== 'xfrm')
    return [{ text: `link add ${typeOf(link)}` }, ...(link.mtu === undefined ? [] : [mtuOf(link)])];
  const made = {
    wireguard: `link add name ${name} type wireguard`,
    // Above nothing: where its packets go is a matter of routes.
    xfrm: `link add name ${name} type xfrm if_id ${xfrmId}`,
    'wireguard-go': `${PROGRAM} ${name}`,
  }[kind];
  return [{ text: made }, { text: `link set dev ${name} addrgenmode none` }, mtuOf(link)];
}

const PROGRAM = 'wireguard-go';
const isProgram = ({ text }: Line): boolean => text.startsWith(`${PROGRAM} `);

/** What runs on is apart from us. It sets the link's MTU once more before it answers. */
async function start(run: CommandRunner, text: string): Promise<void> {
  const name = text.slice(PROGRAM.length + 1);
  await run.run({ argv: ['setsid', PROGRAM, name] });
  await run.run({ argv: ['wg', 'show', name, 'public-key'], retryWhile: /Unable to access interface/ });
}

function typeOf({ kind, name, parent, mac, vlan }: Link): string {
  // Its own 32 would be too few for what is not shaped.
  if (kind === 'ifb') return `name ${name} txqueuelen 1000 type ifb`;
  const above = `link ${parent} name ${name}${mac === undefined ? '' : ` address ${mac}`}`;
  // Private: a role link and whatever else sits on the parent never talk to each other.
  return kind === 'vlan' ? `${above} type vlan id ${vlan}` : `${above} type macvlan mode private`;
}

/** By what `ip` says of what it is. */
const KINDS: Readonly<Record<string, { readonly kind: Link['kind']; readonly prefixes: readonly string[] }>> = {
  macvlan: { kind: 'macvlan', prefixes: [LINK_PREFIX] },
  vlan: { kind: 'vlan', prefixes: [LINK_PREFIX] },
  ifb: { kind: 'ifb', prefixes: [IFB_PREFIX, TUNNEL_IFB_PREFIX] },
  wireguard: { kind: 'wireguard', prefixes: [TUNNEL_PREFIX, MEMBER_LINK_PREFIX] },
  xfrm: { kind: 'xfrm', prefixes: [TUNNEL_PREFIX] },
  tun: { kind: 'wireguard-go', prefixes: [TUNNEL_PREFIX, MEMBER_LINK_PREFIX] },
};

function kindOf({ ifname, linkinfo }: IpLink): Link['kind'] | undefined {
  const found = KINDS[linkinfo?.info_kind ?? ''];
  return found?.prefixes.some((prefix) => ifname.startsWith(prefix)) ? found.kind : undefined;
}

function ownLinks(links: readonly IpLink[]): Map<string, Link> {
  return new Map(
    links.flatMap((found): [string, Link][] => {
      const kind = kindOf(found);
      const { ifname: name, flags, address = '', mtu, linkinfo } = found;
      const parent = found.link ?? '';
      const vlan = kind === 'vlan' ? { vlan: linkinfo?.info_data?.id ?? 0 } : {};
      const id = kind === 'xfrm' ? { xfrmId: Number(linkinfo?.info_data?.if_id ?? 0) } : {};
      return kind ? [[name, { name, kind, parent, up: flags.includes('UP'), mac: address, mtu, ...vlan, ...id }]] : [];
    }),
  );
}

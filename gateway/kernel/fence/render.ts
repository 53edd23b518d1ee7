/**
 * The fence of a pair's member. Guarantees:
 * 1. By the role links nothing passes, of whatever family, in or out, but while an element stands in the lease; the
 *    kernel takes it out by itself when its time is over.
 * 2. Only this member's own adverts of an active role, as they leave, put it there. No process of ours is part of that.
 *    While the other member is heard they prolong a lease, and never begin one.
 * 3. What is still queued below a role link when the lease ends does not leave either, and what a shaper takes from it on the
 *    way in does not get there.
 * 4. Members' own talk passes by their paths, from and to the peer alone, and is never tracked: a full connection table
 *    does not touch it, and a full link hardly delays what elects. What claims to be such talk and comes another way is
 *    dropped and counted: so is what comes in the clear, where the paths are links of WireGuard.
 */
import {
  heardMs,
  leaseMs,
  type HighAvailability,
  type Member,
  type MemberPath,
} from '../../model/high-availability.js';
import {
  ANSWER_PORT,
  CHANNEL_PORT,
  FENCE_TABLE,
  LEASE_SET,
  MEMBERS_TABLE,
  NOBODY_MAC,
  SYNC_PORT,
  witness,
} from '../../model/ownership.js';
import { promised, strictHears, strictSays, strictSets, strictVotes } from './strict.js';
import { byRoleLinkType, spell, URGENT } from './words.js';

export interface FenceInput {
  /** Role links, with what is below and the MAC address that only they use. */
  readonly links: readonly { readonly name: string; readonly parent: string; readonly mac: string | undefined }[];
  readonly highAvailability: HighAvailability;
  /** `undefined`: not known who this is, so the fence never opens. */
  readonly member: Member | undefined;
}

/** Before all else that looks at packets, and after all else that sends them. */
const FIRST = -500;
const LAST = 500;

export const fenceTables = (input: FenceInput): string =>
  [
    fenceTable(input),
    ...membersTable(input),
    ...(input.highAvailability.vote ? [promised(FENCE_TABLE, input.highAvailability)] : []),
  ].join('\n');

function fenceTable({ links, highAvailability, member }: FenceInput): string {
  return table(`netdev ${FENCE_TABLE}`, [
    timedSet(LEASE_SET, leaseMs(highAvailability)),
    timedSet('heard', heardMs(highAvailability)),
    ...(highAvailability.vote ? strictSets() : []),
    ...links.flatMap(({ name }) => around(name)),
    ...[...new Set(links.map(({ parent }) => parent))].flatMap((parent) =>
      beneath(
        parent,
        links.filter((link) => link.parent === parent),
      ),
    ),
    ...(member ? adverts(member, highAvailability) : []),
  ]);
}

/** Of each device its own: none is replaced, and lets nothing pass for a moment, because another comes. */
const around = (link: string): string[] => [
  chain(`arrives-${link}`, `type filter hook ingress ${deviceList([link])} priority ${FIRST}; policy drop;`, [
    `meta iiftype @${LEASE_SET} accept`,
  ]),
  chain(`leaves-${link}`, `type filter hook egress ${deviceList([link])} priority ${LAST}; policy drop;`, [
    `meta oiftype @${LEASE_SET} accept`,
  ]),
];

/** A shaper on the way in takes packets before the link's chain sees them, and its queue on the way out is behind it. */
function beneath(parent: string, links: FenceInput['links']): string[] {
  const macs = links.flatMap(({ mac }) => (mac === undefined ? [] : [mac]));
  return [
    chain(
      `enters-${parent}`,
      `type filter hook ingress ${deviceList([parent])} priority ${FIRST}; policy accept;`,
      macs.map((mac) => `ether daddr ${mac} meta iiftype != @${LEASE_SET} drop`),
    ),
    chain(
      `below-${parent}`,
      `type filter hook egress ${deviceList([parent])} priority ${LAST}; policy accept;`,
      macs.map((mac) => `ether saddr ${mac} meta oiftype != @${LEASE_SET} drop`),
    ),
  ];
}

/**
 * Each advert goes to the peer, and to a witness that is nobody: what is sent to a peer that died waits for its MAC
 * address in vain, and would end the lease of who is left. A lease that has run out is not begun again while the other
 * member is heard, and without one nothing is said to it: a member that was frozen, and goes on as if it had not been, is
 * not heard. Priority 0 is how an active member says that it gives way.
 */
function adverts({ paths }: Member, { virtualRouterId, vote }: HighAvailability): string[] {
  const devices = deviceList([...new Set(paths.map((path) => path.interface))]);
  const active = `@th,8,8 0x${virtualRouterId.toString(16)} @th,16,8 != 0x0`;
  // Number and priority at once, as nft prints them.
  const givesWay = `@th,8,16 0x${(virtualRouterId << 8).toString(16)}`;
  // By the path of the questions alone, which are behind it there: by another one it might come late.
  const freeing = vote ? paths.slice(0, 1) : paths;
  const says = vote
    ? [...strictVotes(), ...paths.flatMap((path) => strictSays(path, active, givesWay))]
    : [...new Set(paths.map(({ peer }) => peer.family))].flatMap((family) => fastSays(family, active, givesWay));
  const isEncrypted = paths.some(({ under }) => under);
  const judges = (name: string, hook: 'ingress' | 'egress', rules: readonly string[]): string => {
    const head = `type filter hook ${hook} ${devices} priority ${FIRST}; policy accept;`;
    return chain(name, head, isEncrypted ? rules.map(byRoleLinkType) : rules);
  };
  return [
    judges('hears', 'ingress', [
      ...paths.flatMap((path) => [
        `${fromPeer(path)} ${active} update @heard { meta iiftype }`,
        ...(freeing.includes(path) ? [`${fromPeer(path)} ${givesWay} delete @heard { meta iiftype }`] : []),
      ]),
      ...(vote ? paths.flatMap(strictHears) : []),
    ]),
    judges('says', 'egress', [
      ...says,
      ...[...new Set(paths.map(({ peer }) => toward(peer.text)))].map(
        (vrrp) => `${vrrp} ${active} meta oiftype != @${LEASE_SET} drop`,
      ),
    ]),
  ];
}

/** Who gives way forwards for as long as it takes until the network knows the other, whatever becomes of its processes. */
const LINGERS_MS = 20;

/** Without anybody's consent, while the other is not heard. */
const fastSays = (family: 4 | 6, active: string, givesWay: string): string[] => [
  `${toward(witness(family))} ${active} meta oiftype @${LEASE_SET} update @${LEASE_SET} { meta oiftype } ${ends(family)}`,
  `${toward(witness(family))} ${active} meta oiftype @heard drop`,
  `${toward(witness(family))} ${active} update @${LEASE_SET} { meta oiftype } ${ends(family)}`,
  `${toward(witness(family))} ${givesWay} meta oiftype @${LEASE_SET} update @${LEASE_SET} { meta oiftype timeout ${spell(LINGERS_MS)} } drop`,
  `${toward(witness(family))} drop`,
];

/** Where a witness's copy ends. Of a dropped one IPv6 tells the sender, who would complain of it 20 times a second. */
const ends = (family: 4 | 6): string => (family === 4 ? 'drop' : `ether daddr set ${NOBODY_MAC} accept`);

const toward = (address: string): string =>
  address.includes(':') ? `ip6 daddr ${address} ip6 nexthdr vrrp` : `ip daddr ${address} ip protocol vrrp`;

const timedSet = (name: string, ms: number): string =>
  `set ${name} {\ntype iface_type\nsize 16\nflags dynamic,timeout\ntimeout ${spell(ms)}\n}`;

/** From next door: nothing that was routed has its hop limit left. */
const fromPeer = ({ peer }: MemberPath): string =>
  peer.family === 4
    ? `ip saddr ${peer.text} ip ttl 255 ip protocol vrrp`
    : `ip6 saddr ${peer.text} ip6 nexthdr vrrp ip6 hoplimit 255`;

function membersTable({ member, highAvailability }: FenceInput): string[] {
  if (!member) return [];
  const [first] = member.paths;
  const heard = member.paths.map((path) => `iifname "${path.interface}" ${fromPeer(path)}`);
  const synced = `iifname "${first.interface}" ${address(first, 'saddr')} udp dport ${SYNC_PORT}`;
  const talked = member.paths.flatMap((path) =>
    ['dport', 'sport'].map((end) => `iifname "${path.interface}" ${address(path, 'saddr')} tcp ${end} ${CHANNEL_PORT}`),
  );
  const talks = member.paths.flatMap((path) =>
    ['dport', 'sport'].map((end) => `oifname "${path.interface}" ${address(path, 'daddr')} tcp ${end} ${CHANNEL_PORT}`),
  );
  const answered = (highAvailability.vote ? member.paths : []).map(
    (path) => `iifname "${path.interface}" ${address(path, 'saddr')} udp dport ${ANSWER_PORT}`,
  );
  const carriers = member.paths.flatMap(({ under }) => (under ? [under] : []));
  const carried = carriers.map(
    ({ way, port }) => `iifname "${way.interface}" ${address(way, 'saddr')} udp dport ${port}`,
  );
  const carries = carriers.map(
    ({ way, port }) => `oifname "${way.interface}" ${address(way, 'daddr')} udp dport ${port}`,
  );
  // While the link is not there, what is said to its other end would go where all else goes.
  const inTheClear = member.paths.flatMap((path) =>
    path.under ? [`oifname != "${path.interface}" ${address(path, 'daddr')} drop`] : [],
  );
  const letIn = [...heard, synced, ...talked, ...answered, ...carried];
  const said = member.paths.map((path) => `oifname "${path.interface}" ${address(path, 'daddr')} meta l4proto vrrp`);
  const syncs = `oifname "${first.interface}" ${address(first, 'daddr')} udp dport ${SYNC_PORT}`;
  return [
    table(`inet ${MEMBERS_TABLE}`, [
      'counter dropped {\n}',
      chain(
        'arrives',
        'type filter hook prerouting priority raw; policy accept;',
        letIn.map((rule) => `${rule} notrack accept`),
      ),
      chain('leaves', 'type filter hook output priority raw; policy accept;', [
        ...[...[...said, ...talks, ...carries].map((rule) => `${rule} ${URGENT}`), syncs].map(
          (rule) => `${rule} notrack`,
        ),
        ...inTheClear,
      ]),
      chain('judges', 'type filter hook input priority filter - 10; policy accept;', [
        ...letIn.map((rule) => `${rule} accept`),
        'meta l4proto vrrp counter name "dropped" drop',
        `udp dport ${SYNC_PORT} counter name "dropped" drop`,
        `tcp dport ${CHANNEL_PORT} counter name "dropped" drop`,
        ...(highAvailability.vote ? [`udp dport ${ANSWER_PORT} counter name "dropped" drop`] : []),
        ...carriers.map(({ port }) => `udp dport ${port} counter name "dropped" drop`),
      ]),
    ]),
  ];
}

const address = ({ peer }: MemberPath, end: 'saddr' | 'daddr'): string =>
  `${peer.family === 4 ? 'ip' : 'ip6'} ${end} ${peer.text}`;

const table = (name: string, parts: readonly string[]): string => `table ${name} {\n${parts.join('\n')}\n}`;
const chain = (name: string, hook: string, rules: readonly string[]): string =>
  `chain ${name} {\n${[hook, ...rules].join('\n')}\n}`;

/** Quoted, since a name may be a word of nft's, which prints them with quotes or without. */
const deviceList = (names: readonly string[]): string =>
  names.length === 1 ? `device "${names[0]}"` : `devices = { ${names.map((name) => `"${name}"`).join(', ')} }`;

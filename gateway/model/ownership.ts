/**
 * Every number and name that the gateway claims in a kernel it may share: one file, so that two features can never
 * take the same. Whatever carries none of these tags is not the gateway's, and is never touched.
 */
import { fnv1a64 } from './hash.js';

/** iptables chains. */
export const CHAIN_PREFIX = 'VG-';
/** Asked by every new connection, where documents say so: who may open it, from outside and to outside. */
export const INGRESS_CHAIN = `${CHAIN_PREFIX}F`;
export const EGRESS_CHAIN = `${CHAIN_PREFIX}E`;
/** How many may be opened, towards the gateway's elastic IPs and by its VPC. */
export const LIMIT_CHAIN = `${CHAIN_PREFIX}L`;
export const SOURCE_LIMIT_CHAIN = `${CHAIN_PREFIX}LS`;
/** Before both: what listeners of load balancers take, and what they refuse. */
export const LISTENER_CHAIN = `${CHAIN_PREFIX}B`;
/** Of a site, by its number: what arrives from it, what enters the VPC, what leaves for it, as what. */
export const SITE_CHAINS = {
  arrives: `${CHAIN_PREFIX}WA-`,
  enters: `${CHAIN_PREFIX}WI-`,
  leaves: `${CHAIN_PREFIX}WO-`,
  translates: `${CHAIN_PREFIX}WT-`,
} as const;
/** By the kernel's own balancer: which range of ports a packet is of; how long its first segment says that others may be. */
export const RANGE_CHAIN = `${CHAIN_PREFIX}R`;
export const BALANCED_MSS_CHAIN = `${CHAIN_PREFIX}MSS-B`;
/**
 * Flags of IPVS services, by scheduler: one that `wrr` and `wlc` do not look at; of the hashes `ipvsadm` shows only flags
 * that mean something, so there the tag is the fallback, without which clients of a member of weight 0 are refused.
 */
export const IPVS_TAGS = { wrr: 'flag-3', wlc: 'flag-3', sh: 'sh-fallback', mh: 'mh-fallback' } as const;
/** What is dropped goes to a chain that is named after the reason, so that its counter counts it. */
export const DROP_REASONS = {
  mangle: ['Firewall', 'ConnectionLimit', 'Spoof'],
  filter: ['Firewall', 'ConnectionLimit', 'NoRule', 'Hold'],
} as const;
type DropReason = (typeof DROP_REASONS)['mangle' | 'filter'][number];
export const dropChain = (reason: DropReason): string => `${CHAIN_PREFIX}X-${reason}`;
/** Dropped with an answer, for reason `Firewall`. */
export const REJECT_CHAIN = `${CHAIN_PREFIX}X-Reject`;
/** Of what the firewall logs. */
export const NFLOG_GROUP = 118;
/** ipset sets. */
export const SET_PREFIX = 'vg-';
/** Of a site: its networks, what of the VPC it is offered in its own terms, and the same in the VPC's. */
export const siteSet = (what: 'remote' | 'offered' | 'local', number: number): string =>
  `${SET_PREFIX}${what}${number}-`;
/** Elastic IPs that lead nowhere; with the family's digit after it, as all sets. */
export const HELD_SET = `${SET_PREFIX}held`;
/** Links that a role owns, made above the interfaces that the platform gives: `vg-` + the parent's name. */
export const LINK_PREFIX = 'vg-';
/** `NAME_MAX` of a link is 15: the parent's name must leave room for the prefix. */
export const PARENT_NAME_MAX = 15 - LINK_PREFIX.length;
/**
 * Of a line, as `roleLink` takes it: its link stands above the port, or is a VLAN of it. A digest where the name would be
 * too long.
 */
export function lineParent(port: string, vlan: number | undefined): string {
  if (vlan === undefined) return port;
  const name = `${port}.${vlan}`;
  return name.length <= PARENT_NAME_MAX ? name : fnv1a64(name).slice(0, PARENT_NAME_MAX);
}
/** Intermediate functional blocks, where what comes in is shaped: `vi-` + the name of the external parent. */
export const IFB_PREFIX = 'vi-';
/** Links of tunnels, and the IFBs of those that are shaped. */
export const TUNNEL_PREFIX = 'vw-';
export const TUNNEL_IFB_PREFIX = 'vj-';
/** Links of WireGuard between the members of a pair. */
export const MEMBER_LINK_PREFIX = 'vgm-';
/** On which addresses are the gateway's own. */
export const holdsOwnAddresses = (link: string): boolean =>
  link.startsWith(LINK_PREFIX) || link.startsWith(MEMBER_LINK_PREFIX);
export const isOwnTunnel = (link: string): boolean =>
  link.startsWith(TUNNEL_PREFIX) || link.startsWith(MEMBER_LINK_PREFIX);
/**
 * `namespace` tells those of network namespaces apart that share a folder of control sockets, as wireguard-go's do; empty
 * where the kernel does the work, and the name may be read.
 */
export const tunnelLink = (connection: string, namespace: string): string =>
  namespace === '' && connection.length <= 15 - TUNNEL_PREFIX.length
    ? `${TUNNEL_PREFIX}${connection}`
    : `${TUNNEL_PREFIX}${fnv1a64(`${namespace} ${connection}`).slice(0, 12)}`;
/** Of a path between the members, by its number; `namespace` as above. */
export const memberLink = (path: number, namespace: string): string =>
  `${MEMBER_LINK_PREFIX}${namespace === '' ? path : fnv1a64(`${namespace} ${path}`).slice(0, 11)}`;
/** By which the kernel tells the security associations of one interface (`vw-…`, of IPsec) from another's. */
const XFRM_IDS = 0x766700;
export const xfrmId = (number: number): number => XFRM_IDS | number;
export const isXfrmId = (id: number): boolean => (id & ~0xff) === XFRM_IDS;
/** nftables tables: the leak guard; idle timeouts of listeners; the fence of a pair's member; what members say to each other. */
export const GUARD_TABLE = 'vpcgw_guard';
export const IDLE_TABLE = 'vpcgw_idle';
/** Stands only while `vpcgw trace --live` watches; the kernel takes it away with the process that made it. */
export const TRACE_TABLE = 'vpcgw_trace';
export const FENCE_TABLE = 'vpcgw_fence';
export const MEMBERS_TABLE = 'vpcgw_members';
/** The set in the fence that holds an element for as long as this member may speak. */
export const LEASE_SET = 'lease';
/** And the one that holds an element while the other member is active, as this kernel hears. */
export const HEARD_SET = 'heard';
/** MAC addresses of a pair's role links: locally administered, and `vg`. */
export const MAC_PREFIX = '02:76:67';
/** To which no link listens. */
export const NOBODY_MAC = `${MAC_PREFIX}:00:00:00`;
/** Where a pair's members tell each other of connections (UDP); elections are VRRP's own protocol. */
export const SYNC_PORT = 3780;
/** Where their supervisors talk (TCP). */
export const CHANNEL_PORT = 3781;
/** By which members of a `Strict` pair ask for each other's consent and answer (UDP, told by the kernels alone). */
export const QUESTION_PORT = 3782;
export const ANSWER_PORT = 3783;
/** What a member says of the third voter, to its own kernel: that it asks, that it was granted, that it gives back. */
export const VOTE_PORTS = { asked: 3784, granted: 3785, returned: 3786 } as const;
/** Where what members say arrives when it is encrypted, by their first path and by their second (UDP). */
export const MEMBER_LINK_PORTS = [3787, 3788] as const;
/** Ends of a link of WireGuard between the members, by path: of a range that is never routed (RFC 7335). */
export const MEMBER_LINK_ENDS = [
  { lower: '192.0.0.1', higher: '192.0.0.2', network: '192.0.0.0/30' },
  { lower: '192.0.0.5', higher: '192.0.0.6', network: '192.0.0.4/30' },
] as const;
/** To which the kernel's balancer tells the other member: its own of IPv4, and the same number on the link in IPv6. */
export const BALANCED_GROUP = { 4: '224.0.0.81', 6: 'ff02::51' } as const;
/** On which BIRD hears BFD, of RFC 5881 and 5883; the second, which no line needs, it takes with the first. */
export const BFD_PORTS = { direct: 3784, multihop: 4784 } as const;
/** To whom an active member says that it lives, beside its peer: VRRP's own group, which the fence lets nobody hear. */
export const witness = (family: 4 | 6): string => (family === 4 ? '224.0.0.18' : 'ff02::12');
/** That of the group, as RFC 1112 and RFC 2464 derive it. */
export const witnessMac = (family: 4 | 6): string => (family === 4 ? '01:00:5e:00:00:12' : '33:33:00:00:00:12');
/** keepalived insists on an address for each election; an active member has it on `lo`, and nobody uses it. */
export const roleAddress = (family: 4 | 6, index: number): string =>
  family === 4 ? `127.118.0.${index + 1}/32` : `fe80::7667:${index + 1}/128`;
/** On a role link with a virtual MAC address while its member is active: announced, and believed by nobody. */
export const announcerAddress = (index: number): string => `127.118.1.${index + 1}/32`;
/** Routes and rules: `proto` in rtnetlink, unassigned by iproute2 and by the routing daemons. */
export const ROUTE_PROTOCOL = 118;

/**
 * The packet mark (and, saved, the connection mark).
 *
 *   bit  0      gateway traffic: arrived on, or belongs to, a role link
 *   bit  1      the connection was opened from the VPC
 *   bits 4-11   the external network that the connection uses (allocated, 1-255)
 *   bits 12-19  what a tunnel sends, so that it leaves from the tunnel's elastic IP (allocated, 1-255)
 *   bit  20     a policy lets the connection in
 *   bit  21     a policy rejects the connection
 *   bits 22-27  free, but for the number of a range (below)
 *   bit  28     IPVS is to take the packet
 *
 * With bit 29 the whole mark is the number of a range of ports, by which IPVS finds its service: a number in bits 12-19
 * and 22-27, and none of the bits that rules ask for.
 */
export const MARK = {
  gateway: 0x1,
  fromVpc: 0x2,
  externalShift: 4,
  externalMask: 0xff0,
  ownMask: 0xff3,
  tunnelShift: 12,
  tunnelMask: 0xff000,
  allowed: 0x100000,
  rejected: 0x200000,
  balanced: 0x10000000,
  range: 0x20000000,
} as const;
/** So many ranges may be told apart. */
export const MAX_RANGES = 1 << 14;
export const markOfRange = (number: number): number =>
  (MARK.range | MARK.balanced | ((number & 0xff) << 12) | ((number >> 8) << 22)) >>> 0;
/** One bit with its mask, as iptables takes and prints it. */
export const markBit = (bit: number): string => `0x${bit.toString(16)}/0x${bit.toString(16)}`;
export const MAX_EXTERNALS = 255;
export const MAX_SITES = 255;

/** Routing tables. */
export const TABLE_VPC = 1000;
export const tableOfExternal = (index: number): number => 1100 + index;
export const tableOfTunnel = (index: number): number => 1400 + index;
/** Of a dedicated line: what the gateway itself sends from its address there. */
export const tableOfLine = (index: number): number => 1700 + index;

/** Rule preferences; the kernel's own are 0 (local), 32766 (main), 32767 (default). */
export const RULE_PREF = {
  vpc: 1000,
  external: 1100,
  tunnel: 1400,
  /** By a default route that a line has learnt. */
  elsewhere: 1700,
  // The gateway's own packets, which are few: after what every forwarded one asks.
  fromVpcAddress: 1910,
  fromExternalAddress: 1920,
  fromLineAddress: 1930,
  /** IPVS asks for a way to its members without a mark, a source or a protocol; whatever has one goes past. */
  notIpvs: 1980,
  ipvs: 1981,
  refuse: 1999,
} as const;

export const markOfExternal = (index: number): number => MARK.gateway | (index << MARK.externalShift);

export const markOfTunnel = (index: number): number => index << MARK.tunnelShift;

/** Of two routes to one network; what nothing else leads to is refused. */
export const REFUSED_METRIC = 9999;
/** Added to that of a line which does not forward: taken only where nothing else leads there. */
export const DOUBTFUL_METRIC = 4000;

export const roleLink = (parent: string): string => `${LINK_PREFIX}${parent}`;
/** Of a tunnel's link, or of what a role link stands above. */
export const ifbOf = (parent: string): string =>
  parent.startsWith(TUNNEL_PREFIX)
    ? `${TUNNEL_IFB_PREFIX}${parent.slice(TUNNEL_PREFIX.length)}`
    : `${IFB_PREFIX}${parent}`;

/**
 * Traffic control, on role links and on IFBs: the root `1:` and the ingress hook `ffff:`.
 *
 *   class 1:1          the gateway's ceiling
 *   class 1:2          what shares it without a class of its own
 *   classes 1:10-      packages and elastic IPs: an allocated number + 15; a leaf's queue has its class's number
 *   filters, pref      8-9: not shaped; 100-199: elastic IPs; 200-201: the rest, to 1:2
 */
export const SHAPING = {
  root: '1:',
  ingress: 'ffff:',
  gateway: 1,
  rest: 2,
  firstClass: 0x10,
  maxClasses: 0xf000,
  pref: { unshaped: 8, elasticIps: 100, rest: 200 },
} as const;
export const shapingClass = (number: number): number => SHAPING.firstClass - 1 + number;

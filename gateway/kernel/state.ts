/** What the kernel should hold, per subsystem; observed state has the same shape. Plain data, keyed for a keyed diff. */
import type { Origin } from '../model/gateway-model.js';
import type { Member } from '../model/high-availability.js';
import type { Secret } from '../model/secret.js';

/** A line of configuration and the document it comes from, so that a refusal can name that document. */
export interface Line {
  readonly text: string;
  readonly origin?: Origin | undefined;
}

export interface Link {
  readonly name: string;
  /** A WireGuard link is the kernel's, or `wireguard-go`'s where the kernel has none. */
  readonly kind: 'macvlan' | 'vlan' | 'ifb' | 'xfrm' | TunnelEngine;
  /** Empty for what stands above nothing. */
  readonly parent: string;
  readonly up: boolean;
  /** Where it must be a certain one; what was observed always has it. */
  readonly mac?: string;
  /** In bytes; of tunnels and lines. */
  readonly mtu?: number;
  /** Its number, of a `vlan`. */
  readonly vlan?: number;
  /** Of an `xfrm` interface: of the security associations that are its own. */
  readonly xfrmId?: number;
}

export type TunnelEngine = 'wireguard' | 'wireguard-go';

/** What a WireGuard link is told. Of what was observed no key can be revealed. */
export interface WireGuardLink {
  readonly key: Key;
  readonly listenPort: number;
  /** Of the packets that it sends. */
  readonly mark: number;
  /** By public key. */
  readonly peers: ReadonlyMap<string, WireGuardPeer>;
  readonly origin?: Origin | undefined;
}

export interface WireGuardPeer {
  readonly presharedKey: Key | undefined;
  /** Where it was said to be; it may have roamed since. */
  readonly endpoint: string | undefined;
  /** As `wg` prints them, sorted. */
  readonly networks: readonly string[];
  /** 0: none. */
  readonly keepaliveS: number;
}

export type Key = Pick<Secret, 'fingerprint'> & Partial<Pick<Secret, 'reveal'>>;

export type Table = 'mangle' | 'nat' | 'filter';

/** `chains`: the gateway's own, by `table chain`. `hooks`: its rules in built-in chains, by the same key. */
export interface IptablesState {
  readonly chains: ReadonlyMap<string, readonly Line[]>;
  readonly hooks: ReadonlyMap<string, readonly Line[]>;
}

export interface IpSet {
  /** As `ipset create` takes it after the name, such as `hash:net family inet maxelem 262144 skbinfo`. */
  readonly type: string;
  /** Element → attributes, such as `10.0.0.5` → `skbmark 0x10/0xff0`. */
  readonly elements: ReadonlyMap<string, Line>;
}

export interface KernelState {
  /** The whole text of the guard's nftables table. */
  readonly guard: string;
  /** The text of the table of listeners' idle timeouts; empty where none has any. */
  readonly idle: string;
  /** The text of a pair's fence; empty without a pair. */
  readonly fence: string;
  readonly sysctls: ReadonlyMap<string, string>;
  readonly sets: ReadonlyMap<string, IpSet>;
  readonly iptables4: IptablesState;
  readonly iptables6: IptablesState;
  /** As in `ipvs/entry.ts`. */
  readonly ipvs: ReadonlyMap<string, Line>;
  readonly links: ReadonlyMap<string, Link>;
  /** By link. */
  readonly wireguard: ReadonlyMap<string, WireGuardLink>;
  /** As in `shaping/entry.ts`. */
  readonly shaping: ReadonlyMap<string, Line>;
  /** `link address/length` → line. */
  readonly addresses: ReadonlyMap<string, Line>;
  /** Canonical route text → line. */
  readonly routes: ReadonlyMap<string, Line>;
  /** Canonical rule text → line. */
  readonly rules: ReadonlyMap<string, Line>;
}

/** Facts of the machine that a compilation depends on. */
export interface Facts {
  /** Bytes, by interface. */
  readonly mtu: ReadonlyMap<string, number>;
  /** Which of a pair this is, where a file says so. */
  readonly member?: Member;
  /** Asked for only when a document wants bandwidth. */
  readonly shaper?: Shaper;
  /** Why this kernel has no VLANs; asked for only when a line wants one. */
  readonly vlans?: { readonly lacking: string | undefined };
  /** Asked for only when a document wants a tunnel. */
  readonly tunnels?: Tunnels;
  /** Why there can be no tunnel of IPsec; asked for only when a document wants one. */
  readonly ipsec?: { readonly lacking: string | undefined };
  /** By the name of the file, of the keys that documents name. */
  readonly keys?: ReadonlyMap<string, KeyFact>;
  /** By `certificateKey`, of those that documents name. */
  readonly certificates?: ReadonlyMap<string, CertificateFact>;
  /** Asked for only when a document wants a load balancer. */
  readonly balancing?: Balancing;
}

/** What the kernel has for load balancers. */
export interface Balancing {
  readonly engine: 'ipvs' | 'iptables';
  /** Why it is not IPVS. */
  readonly lacking: string | undefined;
  /** Why listeners can have no idle timeouts of their own, where they cannot. */
  readonly untimed?: string;
}

/** What there is for WireGuard. */
export interface Tunnels {
  readonly engine: TunnelEngine;
  /** Why there can be no tunnel. */
  readonly lacking: string | undefined;
  /** Tells this network namespace from others that share `wireguard-go`'s control sockets; empty for the kernel's own. */
  readonly namespace: string;
}

/** By which the gateway shows who it is, and knows the other end. All but the key in PEM. */
export interface Certificates {
  readonly own: string;
  /** Between it and its authority. */
  readonly between: readonly string[];
  readonly key: Secret;
  readonly authorities: readonly string[];
  /** The other end's own. */
  readonly peers: readonly string[];
  /** What the gateway's own calls it: alternative names first, then the subject. */
  readonly names: readonly string[];
  /** Which of all, trusted ones included, is out of its time first, and when, in ms since the epoch. */
  readonly firstEnd: CertificateEnd;
  /** Tells it from any other. */
  readonly fingerprint: string;
}

export interface CertificateEnd {
  readonly subject: string;
  readonly atMs: number;
}

export type CertificateFact = { readonly certificates: Certificates } | { readonly wrong: string };

export type KeyFact = { readonly key: Secret } | { readonly wrong: string };

/** What the kernel has for shaping. */
export interface Shaper {
  readonly leaf: 'fq_codel' | 'bfifo';
  /** Why nothing can be shaped. */
  readonly lacking: string | undefined;
}

/** Numbers given to names once, and kept: marks and chain names must not change while a connection uses them. */
export interface Allocations {
  readonly externals: Readonly<Record<string, number>>;
  readonly snatRules: Readonly<Record<string, number>>;
  /** Of site links, by the document's id. */
  readonly sites: Readonly<Record<string, number>>;
  /** Of elastic IPs and packages that are shaped; thousands, so never copied without need. */
  readonly classes: ReadonlyMap<string, number>;
}

export const NO_ALLOCATIONS: Allocations = { externals: {}, snatRules: {}, sites: {}, classes: new Map() };

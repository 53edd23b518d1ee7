/** What the kernel should hold, per subsystem; observed state has the same shape. Plain data, keyed for a keyed diff. */
import type { Origin } from '../model/gateway-model.js';
import type { Member } from '../model/high-availability.js';

/** A line of configuration and the document it comes from, so that a refusal can name that document. */
export interface Line {
  readonly text: string;
  readonly origin?: Origin | undefined;
}

export interface Link {
  readonly name: string;
  readonly kind: 'macvlan' | 'ifb';
  /** Empty for an IFB, which stands above nothing. */
  readonly parent: string;
  readonly up: boolean;
  /** Where it must be a certain one; what was observed always has it. */
  readonly mac?: string;
}

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
  /** The text of a pair's fence; empty without a pair. */
  readonly fence: string;
  readonly sysctls: ReadonlyMap<string, string>;
  readonly sets: ReadonlyMap<string, IpSet>;
  readonly iptables4: IptablesState;
  readonly iptables6: IptablesState;
  /** As in `ipvs/entry.ts`. */
  readonly ipvs: ReadonlyMap<string, Line>;
  readonly links: ReadonlyMap<string, Link>;
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
  /** Asked for only when a document wants a load balancer. */
  readonly balancing?: Balancing;
}

/** What the kernel has for load balancers. */
export interface Balancing {
  readonly engine: 'ipvs' | 'iptables';
  /** Why it is not IPVS. */
  readonly lacking: string | undefined;
}

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
  /** Of elastic IPs and packages that are shaped; thousands, so never copied without need. */
  readonly classes: ReadonlyMap<string, number>;
}

export const NO_ALLOCATIONS: Allocations = { externals: {}, snatRules: {}, classes: new Map() };

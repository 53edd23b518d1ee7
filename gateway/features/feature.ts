/**
 * The contract of a feature: what a tenant asks for, compiled to contributions. Pure; knows no other feature. What two
 * features could both want (a port of an elastic IP, a source's way out) is merged by rank, not by who came first.
 */
import type { IdleEntry } from '../kernel/idle/render.js';
import type { IpvsEntry } from '../kernel/ipvs/entry.js';
import type { Line, Facts, Link, Table, WireGuardLink } from '../kernel/state.js';
import type { ExternalNetwork, GatewayModel, Origin } from '../model/gateway-model.js';
import type { Cidr, Family, InterfaceAddress } from '../model/ip.js';
import type { Pressure } from '../model/pressure.js';

/** An elastic IP's packets meet these in this order; a lower rank is asked first. */
export const INBOUND_RANK = { localClaim: 0, port: 1, wholeAddress: 2 } as const;
/** A source's way out: its own address before a shared one. */
export const OUTBOUND_RANK = { oneToOne: 0, shared: 1, untranslated: 2 } as const;

export interface NatEntry {
  readonly prefix: Cidr;
  readonly rank: number;
  readonly rules: readonly Line[];
}

export interface Contribution {
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly links?: readonly { readonly parent: string }[];
  /** Links of dedicated lines. */
  readonly lines?: readonly Link[];
  /** The text of a pair's fence. */
  readonly fence?: string;
  /** MAC addresses of role links, by name. */
  readonly macs?: readonly (readonly [link: string, mac: string])[];
  /** External interfaces whose incoming traffic is shaped. */
  readonly ifbs?: readonly { readonly parent: string }[];
  /** Tunnels, and what each is told. */
  readonly tunnels?: readonly { readonly link: Link; readonly wireGuard: WireGuardLink }[];
  /** Interfaces of tunnels of IPsec. */
  readonly xfrmLinks?: readonly Link[];
  /** Classes and filters, as entries of the kernel's state. */
  readonly shaping?: readonly ShapingEntry[];
  /** Addresses that role links hold. */
  readonly addresses?: readonly { readonly parent: string; readonly text: string; readonly origin?: Origin }[];
  /** Of links between the members of a pair. */
  readonly memberAddresses?: readonly { readonly link: string; readonly text: string }[];
  readonly routes?: readonly { readonly family: Family; readonly text: string; readonly origin?: Origin }[];
  readonly rules?: readonly { readonly family: Family; readonly text: string }[];
  /** The external network a source uses: routes its connections, most specific prefix first. */
  readonly sources?: readonly { readonly prefix: Cidr; readonly external: string; readonly origin: Origin }[];
  /** By destination, before routing. */
  readonly inbound?: readonly NatEntry[];
  /** By source, on the way out. */
  readonly outbound?: readonly NatEntry[];
  /** By destination, when a connection is opened and before its translation: who may. */
  readonly judged?: readonly NatEntry[];
  /** By destination, before that, whoever opens it and from where: what a listener takes. */
  readonly admitted?: readonly NatEntry[];
  /** By destination, of what is for the gateway itself: which range of a balancer's ports a packet is of. */
  readonly ranges?: readonly NatEntry[];
  /** By source, when the VPC opens a connection to outside: where it may. */
  readonly leaving?: readonly NatEntry[];
  /** Prefixes under a name, `vg-…` without the family's digit. */
  readonly sets?: readonly { readonly family: Family; readonly name: string; readonly prefixes: readonly Cidr[] }[];
  /** Listeners with an idle timeout of their own. */
  readonly idle?: readonly IdleEntry[];
  /** Services and members, as entries of the kernel's state. */
  readonly ipvs?: readonly IpvsEntry[];
  /** Whole chains of the feature's own. */
  readonly chains?: readonly {
    readonly family: Family;
    readonly table: Table;
    readonly chain: string;
    readonly lines: readonly Line[];
  }[];
  readonly hooks?: readonly {
    readonly family: Family;
    readonly table: Table;
    readonly chain: string;
    readonly line: Line;
  }[];
  /** Prefixes of the VPC that may leave as they are. */
  readonly publicPrefixes?: readonly { readonly prefix: Cidr; readonly open: boolean; readonly origin: Origin }[];
}

export type ShapingEntry = readonly [key: string, line: Line];

export interface CompileContext {
  readonly facts: Facts;
  /** 1-255, kept for the life of the external network. */
  readonly externalIndex: (name: string) => number;
  /** A short number for a SNAT rule's chains. */
  readonly snatIndex: (name: string) => number;
  /** A number for a class: of an elastic IP or a package that is shaped. */
  readonly classNumber: (name: string) => number;
  /** 1-255, kept for the life of a site link's document. */
  readonly siteNumber: (id: string) => number;
  readonly external: (name: string) => ExternalNetwork;
  readonly pressure: Pressure;
}

export interface Feature {
  readonly name: string;
  compile(model: GatewayModel, context: CompileContext): Contribution;
}

export const FAMILIES: readonly Family[] = [4, 6];

/** Whether connections pass the kernel's own balancer. */
export const byIpvs = (
  { loadBalancers }: Pick<GatewayModel, 'loadBalancers'>,
  { facts }: Pick<CompileContext, 'facts'>,
): boolean => loadBalancers.length > 0 && facts.balancing?.engine === 'ipvs';

export const ofFamily = (addresses: readonly InterfaceAddress[], family: Family): InterfaceAddress | undefined =>
  addresses.find(({ address }) => address.family === family);

/** IPv6 routes have no scope. */
export const scope = (family: Family, name: 'link' | 'host'): string => (family === 4 ? ` scope ${name}` : '');

/**
 * A packet on its way through the model: what it is like now, and the hops that are behind it. Steps move it on; the
 * first that ends its way says how. Pure.
 */
import type { CompileContext } from '../../features/feature.js';
import { placedLines } from '../../features/line.js';
import { FlowJudge } from '../../model/flow.js';
import type { ElasticIp, ExternalNetwork, GatewayModel, Origin } from '../../model/gateway-model.js';
import { contains, type IpAddress } from '../../model/ip.js';
import type { DedicatedLine } from '../../model/line.js';
import { type SiteLink, sitesOf } from '../../model/site-link.js';
import type { Packet } from './packet.js';

/** `VPC`, the name of an external network, or the id of what makes a link to a site. */
export type Side = string;
export const VPC: Side = 'VPC';

/** The document that decided; `rule` is the index of one of its firewall rules. */
export interface By extends Origin {
  readonly rule?: number | undefined;
}

export type HopVerdict = 'Passes' | 'Delivered' | 'Dropped' | 'Rejected' | 'Unroutable' | 'Answered';

export interface Hop {
  /** A link, a chain or a table of the kernel, as README's picture of the packet's way names it. */
  readonly at: string;
  readonly what: string;
  readonly verdict: HopVerdict;
  readonly by?: By | undefined;
}

/** How the way of the packet ends. */
export interface Outcome {
  readonly kind: Exclude<HopVerdict, 'Passes'>;
  /** Of what is dropped: one of the reasons of `vpcgw_drops_total`, or `LeakGuard`. */
  readonly reason?: string;
  /** Of what is delivered: as it leaves. */
  readonly source?: string;
  readonly destination?: string;
  readonly port?: number;
  readonly link?: string;
}

export interface Route {
  readonly side: Side;
  readonly link: string;
  readonly table: number;
  /** `undefined`: the destination itself. */
  readonly via: IpAddress | undefined;
  /** Behind the link. */
  readonly site?: SiteLink;
}

/** A step that ends the packet's way returns how. */
export type Step = (traveller: Traveller) => Outcome | undefined;

export class Traveller {
  readonly hops: Hop[] = [];
  readonly judge: FlowJudge;
  source: IpAddress;
  destination: IpAddress;
  port: number;
  external: ExternalNetwork | undefined;
  /** That it comes from. */
  readonly site: SiteLink | undefined;
  /** What the policies of an elastic IP or prefix said of its opening. */
  opening: 'Allow' | 'Reject' | undefined;
  /** Its destination was translated. */
  led = false;
  route: Route | undefined;

  constructor(
    readonly model: GatewayModel,
    readonly context: CompileContext,
    readonly packet: Packet,
    readonly side: Side,
  ) {
    this.judge = new FlowJudge(model);
    this.source = packet.source;
    this.destination = packet.destination;
    this.port = packet.port;
    this.external = model.externals.find(({ name }) => name === side);
    this.site = sitesOf(model).find(({ origin }) => origin.id === side);
  }

  get fromVpc(): boolean {
    return this.side === VPC;
  }

  /** That it is on the way to, before its translation. */
  get elasticIp(): ElasticIp | undefined {
    return this.model.byAddress.get(this.packet.destination.text);
  }

  /** At whose link the gateway has that address. */
  lineAt({ text }: IpAddress): DedicatedLine | undefined {
    const placed = placedLines(this.model, this.context);
    return placed.find(({ line }) => line.addresses.some(({ address }) => address.text === text))?.line;
  }

  /** The line that it comes by, where it is on the way to the gateway's own end of it. */
  get met(): DedicatedLine | undefined {
    const line = this.lineAt(this.packet.destination);
    return line?.origin.id === this.side ? line : undefined;
  }

  isOfVpc(address: IpAddress): boolean {
    return this.model.internal.prefixes.some((prefix) => contains(prefix, address));
  }

  pass(at: string, what: string, by?: By): undefined {
    this.hops.push({ at, what, verdict: 'Passes', by });
  }

  end(at: string, what: string, outcome: Outcome, by?: By): Outcome {
    this.hops.push({ at, what, verdict: outcome.kind, by });
    return outcome;
  }

  drop(at: string, what: string, reason: string, by?: By): Outcome {
    return this.end(at, what, { kind: 'Dropped', reason }, by);
  }
}

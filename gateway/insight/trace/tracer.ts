/** Walks packets through the model that is in force and, on request, watches the kernel take one of them the same way. */
import { locate } from '../../documents/parse.js';
import { VpcgwError } from '../../errors.js';
import type { CommandRunner } from '../../kernel/command.js';
import { placedSites } from '../../features/sites.js';
import { listFlows } from '../../kernel/conntrack/flows.js';
import type { IptablesVariant } from '../../kernel/iptables/subsystem.js';
import type { Flow } from '../../model/flow.js';
import { roleLink } from '../../model/ownership.js';
import type { Candidate } from '../../reconcile/candidate.js';
import { contextOf } from '../../reconcile/compile.js';
import type { InForce } from '../../reconcile/programmer.js';
import { NftTrace } from '../../system/nft-trace.js';
import { differences, isLimit } from './compare.js';
import { isLast, observed, parseTraceLine, traceScript } from './kernel-trace.js';
import { conntrackProtocol, type Packet, parsePacket } from './packet.js';
import { type Hop, type Outcome, VPC } from './traveller.js';
import { type Walk, walk } from './walk.js';

export interface TraceRequest {
  readonly from: string;
  readonly to: string;
  readonly enters?: string | undefined;
}

export interface Live {
  /** Whether such a packet came. */
  readonly seen: boolean;
  /** Chains in the order in which the kernel entered them. */
  readonly chains: readonly string[];
  readonly outcome?: Outcome;
  /** In the model and in the kernel; none, if all is well. */
  readonly differences: readonly string[];
  /** It met a limit, which depends on the moment and is no difference. */
  readonly limited: boolean;
}

/** A packet that has no route leaves the trace without a last word; so long after its latest nothing more comes. */
const QUIET_MS = 1_000;
const MAX_LINES = 2_000;
const NOT_SEEN: Live = { seen: false, chains: [], differences: [], limited: false };

export class Tracer {
  #busy = false;

  constructor(
    private readonly run: CommandRunner,
    private readonly inForce: () => InForce | undefined,
    private readonly documents: () => Candidate['documents'] | undefined,
    private readonly variant: () => IptablesVariant,
  ) {}

  /** Throws `BadRequest` for what is no packet, `NotConverged` while nothing is in force. */
  walk(request: TraceRequest): Walk {
    return this.#walked(request).walk;
  }

  #walked({ from, to, enters }: TraceRequest): { walk: Walk; packet: Packet; link: string } {
    const current = this.inForce();
    if (!current) throw new VpcgwError('NotConverged', 'nothing is in force yet; vpcgw status says why');
    const { model, compiled } = current;
    const context = contextOf(compiled.input);
    const sites = placedSites(model, context);
    const packet = parsePacket(from, to);
    const sides = [VPC, ...model.externals.map(({ name }) => name), ...sites.map(({ site }) => site.origin.id)];
    const side = sides.find((each) => each.toLowerCase() === enters?.toLowerCase());
    if (enters !== undefined && side === undefined)
      throw new VpcgwError('BadRequest', `enters ${enters}: one of ${sides.join(', ')}`);
    const found = walk(model, context, packet, side);
    const external = model.externals.find(({ name }) => name === found.enters);
    const site = sites.find((each) => each.site.origin.id === found.enters);
    const link = site ? (site.link?.name ?? '') : roleLink((external ?? model.internal).interface);
    return { packet, link, walk: { ...found, hops: found.hops.map((hop) => this.#located(hop)) } };
  }

  /** By the line of its rule, where a policy decided. */
  #located({ by, ...hop }: Hop): Hop {
    if (!by) return hop;
    const { rule, ...origin } = by;
    const source = rule === undefined ? undefined : this.documents()?.get(by.id)?.source;
    return { ...hop, by: source ? { ...origin, line: locate(source, ['spec', 'rules', rule ?? 0]).line } : origin };
  }

  /** Before an answer has begun: whether `live` can be. */
  prepareLive(request: TraceRequest): Walk {
    const found = this.walk(request);
    if (this.variant() === 'legacy')
      throw new VpcgwError(
        'BadRequest',
        'this kernel takes no nft, without which it cannot be watched; leave out --live',
      );
    if (this.#busy) throw new VpcgwError('Overloaded', 'somebody else watches the kernel already; try again');
    return found;
  }

  /** Watches until such a packet has passed, the time is over or `signal` ends it. */
  async live(request: TraceRequest, seconds: number, signal: AbortSignal): Promise<Live> {
    this.prepareLive(request);
    this.#busy = true;
    try {
      const { packet, link, walk: expected } = this.#walked(request);
      const lines = await firstPacket(traceScript(packet, link), seconds * 1000, signal);
      if (lines.length === 0) return NOT_SEEN;
      const seen = observed(lines);
      const flow = seen.outcome.kind === 'Delivered' ? await this.#flowOf(packet) : undefined;
      return {
        seen: true,
        ...seen,
        differences: differences(expected, seen, flow),
        limited: isLimit(expected, seen.outcome),
      };
    } finally {
      this.#busy = false;
    }
  }

  async #flowOf(packet: Packet): Promise<Flow | undefined> {
    const protocol = conntrackProtocol(packet);
    return (await listFlows(this.run)).findLast(
      (flow) =>
        flow.protocol === protocol &&
        flow.original.source === packet.source.text &&
        flow.original.destination === packet.destination.text &&
        flow.original.destinationPort === packet.port,
    );
  }
}

type Lines = NonNullable<ReturnType<typeof parseTraceLine>>[];

/** All that the trace says of the first packet that it speaks of. */
function firstPacket(script: string, timeoutMs: number, signal: AbortSignal): Promise<Lines> {
  const lines: Lines = [];
  return new Promise((resolve, reject) => {
    const end = (): void => {
      trace.stop();
      clearTimeout(deadline);
      clearTimeout(quiet);
      signal.removeEventListener('abort', end);
      resolve(lines);
    };
    let quiet: NodeJS.Timeout | undefined;
    const deadline = setTimeout(end, timeoutMs);
    const trace = new NftTrace(
      script,
      (text) => {
        const line = parseTraceLine(text);
        if (!line || (lines[0] && lines[0].id !== line.id)) return;
        lines.push(line);
        clearTimeout(quiet);
        quiet = setTimeout(end, QUIET_MS);
        if (isLast(line) || lines.length >= MAX_LINES) end();
      },
      (error) => {
        end();
        reject(error);
      },
    );
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}

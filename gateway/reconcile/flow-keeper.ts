/** Ends the connections whose translation the model no longer allows, at once or when their drain time is over. */
import type { CommandRunner } from '../kernel/command.js';
import { endFlows, listFlows } from '../kernel/conntrack/flows.js';
import { type Drain, exchanged, type Flow, FlowJudge, mayLeaveStale } from '../model/flow.js';
import type { GatewayModel } from '../model/gateway-model.js';

export interface CutFlow {
  readonly flow: Flow;
  readonly reason: string;
}

export class FlowKeeper {
  constructor(private readonly run: CommandRunner) {}

  /** Which live connections an edit would cut. */
  async wouldCut(after: GatewayModel, drains: readonly Drain[]): Promise<CutFlow[]> {
    return (await this.#stale(after, drains)).filter(({ flow }) => !flow.ended);
  }

  async #stale(after: GatewayModel, drains: readonly Drain[]): Promise<CutFlow[]> {
    const judge = new FlowJudge(after, drains);
    return (await listFlows(this.run)).flatMap((flow) => {
      const { stale, reason } = judge.judge(flow);
      return stale ? [{ flow, reason }] : [];
    });
  }

  /** Returns what was cut. Without a former model everything is judged: what ran before this start is unknown. */
  async settle(before: GatewayModel | undefined, after: GatewayModel, drains: readonly Drain[]): Promise<CutFlow[]> {
    if (before && !mayLeaveStale(before, after)) return [];
    return this.cut(after, drains);
  }

  async cut(model: GatewayModel, drains: readonly Drain[]): Promise<CutFlow[]> {
    const cut = await this.#stale(model, drains);
    await endFlows(
      this.run,
      cut.map(({ flow }) => flow),
    );
    return cut.filter(({ flow }) => !flow.ended);
  }
}

/** Former bindings of an edit that are given time, added to those that still have some. */
export function drainsAfter(
  before: GatewayModel | undefined,
  after: GatewayModel,
  drains: readonly Drain[],
  nowMs: number,
): Drain[] {
  const running = drains.filter((drain) => drain.untilMs > nowMs && !isBound(after, drain));
  const started = (before ? exchanged(after, before).gone : []).flatMap((eip): Drain[] => {
    const next = after.elasticIps.get(eip.name);
    const timeout = next?.drainTimeoutMs ?? eip.drainTimeoutMs;
    if (
      !eip.target ||
      timeout === 0 ||
      next?.address.text !== eip.address.text ||
      next.target?.text === eip.target.text
    )
      return [];
    return [{ address: eip.address.text, target: eip.target.text, untilMs: nowMs + timeout }];
  });
  return [...running, ...started];
}

const isBound = (model: GatewayModel, { address, target }: Drain): boolean =>
  model.byAddress.get(address)?.target?.text === target;

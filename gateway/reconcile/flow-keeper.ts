/** Ends the connections whose translation the model no longer allows, at once or when their drain time is over. */
import { bindingsOf, type Down, notAmong } from '../model/balancer.js';
import type { CommandRunner } from '../kernel/command.js';
import type { Allocations } from '../kernel/state.js';
import { endFlows, listFlows } from '../kernel/conntrack/flows.js';
import { type Drain, drainKey } from '../model/drain.js';
import { exchanged, type Flow, FlowJudge, mayLeaveStale } from '../model/flow.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { isPair } from '../model/high-availability.js';

export interface CutFlow {
  readonly flow: Flow;
  readonly reason: string;
}

export class FlowKeeper {
  /** Of a pair: both members mark connections by the same numbers of external networks. */
  sharesNumbers = false;
  /** What was in force before edits after which it was not cut yet. */
  #before: GatewayModel | undefined;

  constructor(
    private readonly run: CommandRunner,
    private readonly down: () => Down,
    private readonly allocations: () => Pick<Allocations, 'externals'> | undefined,
  ) {}

  /** Which live connections an edit would cut. */
  async wouldCut(
    before: GatewayModel | undefined,
    after: GatewayModel,
    drains: readonly Drain[],
    allocations: Allocations,
  ): Promise<CutFlow[]> {
    return live((await this.#judge(after, drains, before, allocations)).stale);
  }

  async #judge(model: GatewayModel, drains: readonly Drain[], before?: GatewayModel, allocations = this.allocations()) {
    const externals = isPair(model) && !this.sharesNumbers ? undefined : allocations?.externals;
    const judge = new FlowJudge(model, drains, this.down(), externals, before);
    const stale: CutFlow[] = [];
    const staying: Flow[] = [];
    for (const flow of await listFlows(this.run)) {
      const verdict = judge.judge(flow);
      if (verdict.stale) stale.push({ flow, reason: verdict.reason });
      else staying.push(flow);
    }
    return { stale, staying };
  }

  /** Returns what was cut. Without a former model everything is judged: what ran before this start is unknown. */
  async settle(before: GatewayModel | undefined, after: GatewayModel, drains: readonly Drain[]): Promise<CutFlow[]> {
    if (before && !mayLeaveStale(before, after)) return [];
    this.#before ??= before;
    return this.cut(after, drains);
  }

  async cut(model: GatewayModel, drains: readonly Drain[]): Promise<CutFlow[]> {
    const { stale, staying } = await this.#judge(model, drains, this.#before);
    await endFlows(
      this.run,
      stale.map(({ flow }) => flow),
      staying,
    );
    this.#before = undefined;
    return live(stale);
  }
}

const live = (cut: readonly CutFlow[]): CutFlow[] => cut.filter(({ flow }) => !flow.ended);

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
  return [...running, ...started, ...takenOut(before, after, nowMs)];
}

/** Members of balancers that serve no more: their TCP connections may end by themselves. */
function takenOut(before: GatewayModel | undefined, after: GatewayModel, nowMs: number): Drain[] {
  const changed = before ? notAmong(before.loadBalancers, after.loadBalancers) : [];
  if (!before || changed.length === 0) return [];
  const staying = bindingsOf(notAmong(after.loadBalancers, before.loadBalancers));
  const going = [...bindingsOf(changed)].filter(([key]) => !staying.has(key));
  return going.flatMap(([, { binding, drainMs }]) => (drainMs > 0 ? [{ ...binding, untilMs: nowMs + drainMs }] : []));
}

const isBound = (model: GatewayModel, drain: Drain): boolean =>
  (!drain.listener && model.byAddress.get(drain.address)?.target?.text === drain.target) ||
  bindingsOf(model.loadBalancers).has(drainKey(drain));

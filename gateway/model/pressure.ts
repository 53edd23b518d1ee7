import { type Down, NONE_DOWN } from './balancer.js';
import { type Drain, drainKey } from './drain.js';

/** What a running gateway has less of than its documents say; new connections go elsewhere, and those there are stay. */
export interface Pressure {
  /** Addresses of elastic IPs whose ports are nearly used up: new connections go to the next of their pool. */
  readonly exhausted: ReadonlySet<string>;
  /** The gateway holds as many connections as its limit allows. */
  readonly full: boolean;
  /** Members of load balancers that do not answer their checks. */
  readonly down: Down;
  /** Members that were taken out, and whose connections may end by themselves. */
  readonly draining: readonly Drain[];
  /** Documents of dedicated lines and tunnels that do not carry: taken only where nothing else leads. */
  readonly doubtful: ReadonlySet<string>;
  /** Of a pair: this member carries the traffic. Its tunnels know their peers only then. */
  readonly active: boolean;
}

export const NO_PRESSURE: Pressure = {
  exhausted: new Set(),
  full: false,
  down: NONE_DOWN,
  draining: [],
  doubtful: new Set(),
  active: false,
};

const sameMembers = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((name) => b.has(name));

export const samePressure = (a: Pressure, b: Pressure): boolean =>
  a.full === b.full &&
  a.active === b.active &&
  sameMembers(a.exhausted, b.exhausted) &&
  a.down.size === b.down.size &&
  [...a.down.keys()].every((member) => b.down.has(member)) &&
  sameMembers(a.doubtful, b.doubtful) &&
  sameDrains(a.draining, b.draining);

/** Whatever time they have. */
export function sameDrains(a: readonly Drain[], b: readonly Drain[]): boolean {
  if (a === b) return true;
  const keys = new Set(a.map(drainKey));
  return a.length === b.length && b.every((drain) => keys.has(drainKey(drain)));
}

/** How near to its ends a running gateway is; what is used up turns new connections away, and leaves those there are. */
export interface Pressure {
  /** Addresses of elastic IPs whose ports are nearly used up: new connections go to the next of their pool. */
  readonly exhausted: ReadonlySet<string>;
  /** The gateway holds as many connections as its limit allows. */
  readonly full: boolean;
}

export const NO_PRESSURE: Pressure = { exhausted: new Set(), full: false };

export const samePressure = (a: Pressure, b: Pressure): boolean =>
  a.full === b.full &&
  a.exhausted.size === b.exhausted.size &&
  [...a.exhausted].every((address) => b.exhausted.has(address));

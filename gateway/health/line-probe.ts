/**
 * Asks an address through a line without end, from the gateway's own address on it: those packets go by that line whatever
 * else leads there. Guarantees:
 * 1. A probe that was not answered by the time of the next is lost, and is told then.
 * 2. A slow answer delays no later probe.
 */
import type { HealthCheck } from '../model/balancer.js';
import type { IpAddress } from '../model/ip.js';
import { Doorbell } from '../system/doorbell.js';
import { checkMember } from './check-member.js';

export interface LineProbeOptions {
  readonly type: 'ICMP' | 'TCP';
  readonly address: IpAddress;
  /** Of TCP. */
  readonly port: number;
  readonly from: string;
  readonly intervalMs: number;
}

/** `undefined`: answered. */
type Tell = (failure: string | undefined) => void;

export class LineProbe {
  #doorbell: Doorbell | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    readonly options: LineProbeOptions,
    private readonly tell: Tell,
  ) {
    if (options.type === 'ICMP') this.#ping();
    else this.#timer = setInterval(() => void this.#connect(), options.intervalMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#doorbell?.stop();
    clearInterval(this.#timer);
  }

  #ping(): void {
    const { address, from, intervalMs } = this.options;
    const silent = `${address.text} does not answer`;
    this.#doorbell = new Doorbell(
      ['ping', '-n', '-O', '-i', String(intervalMs / 1000), '-I', from, address.text],
      (line) => {
        if (/icmp_seq=\d+ .*time=/.test(line)) this.tell(undefined);
        else if (/^no answer yet for icmp_seq=/.test(line)) this.tell(silent);
      },
      () => this.tell(`${address.text} cannot be asked`),
    );
    this.#doorbell.start();
  }

  async #connect(): Promise<void> {
    const { address, port, from, intervalMs } = this.options;
    const check: HealthCheck = { ...TCP_CHECK, timeoutMs: intervalMs };
    const failure = await checkMember({ check, address, port, from });
    if (!this.#stopped) this.tell(failure === undefined ? undefined : `${address.text} port ${port}: ${failure}`);
  }
}

const TCP_CHECK = {
  type: 'TCP',
  port: undefined,
  intervalMs: 0,
  timeoutMs: 0,
  healthyThreshold: 1,
  unhealthyThreshold: 1,
  method: 'GET',
  path: '/',
  host: undefined,
  serverName: undefined,
  codes: [],
  body: undefined,
} as const;

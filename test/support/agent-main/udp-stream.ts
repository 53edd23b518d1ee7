import { setTimeout as sleep } from 'node:timers/promises';
import type { UdpStreamArgs, UdpStreamReport } from '../agent-operations.js';
import type { Resource } from './handles.js';
import { UdpClient } from './udp.js';

// Numbered datagrams at a steady pace to an echo server, and what came back of them.

const mostDatagrams = 1_000_000;

export class UdpStream implements Resource {
  private readonly arrivals: number[] = [];
  private readonly errors: Record<string, number> = {};
  private sent = 0;
  private received = 0;
  private duplicates = 0;
  private longestGapMs = 0;
  private lastArrivalAt = performance.now();
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly client: UdpClient,
    private readonly intervalMs: number,
  ) {
    client.socket.on('message', (message: Buffer) => this.arrive(Number(message.toString())));
    client.socket.on('error', (error: NodeJS.ErrnoException) => this.count(error));
    this.timer = setInterval(() => this.sendDue(), intervalMs);
  }

  static async start(args: UdpStreamArgs): Promise<UdpStream> {
    return new UdpStream(await UdpClient.open(args), args.intervalMs);
  }

  /** Ends the sending, waits for the last echoes at most `settleMs`, and reports. */
  async stop(settleMs = 500): Promise<UdpStreamReport> {
    clearInterval(this.timer);
    const endedAt = performance.now();
    const missing = () => this.received < this.sent;
    while (missing() && performance.now() - endedAt < settleMs) await sleep(5);
    if (endedAt > this.lastArrivalAt) this.longestGapMs = Math.max(this.longestGapMs, endedAt - this.lastArrivalAt);
    const lost = [];
    for (let number = 0; number < this.sent; number++) if (!(number in this.arrivals)) lost.push(number);
    const { sent, received, duplicates, longestGapMs, errors } = this;
    return { sent, received, duplicates, lost, longestGapMs, errors };
  }

  close(): void {
    clearInterval(this.timer);
    this.client.close();
  }

  /** A timer that fired late is caught up with, so that the pace holds on a busy machine. */
  private sendDue(): void {
    const due = Math.min(mostDatagrams, Math.floor((performance.now() - this.startedAt) / this.intervalMs));
    while (this.sent < due) {
      this.client.send({ payload: String(this.sent++) }).catch((error: NodeJS.ErrnoException) => this.count(error));
    }
  }

  private arrive(number: number): void {
    const now = performance.now();
    if (number in this.arrivals) {
      this.duplicates++;
      return;
    }
    this.longestGapMs = Math.max(this.longestGapMs, now - this.lastArrivalAt);
    this.arrivals[number] = this.lastArrivalAt = now;
    this.received++;
  }

  private count(error: NodeJS.ErrnoException): void {
    const code = error.code ?? 'UNKNOWN';
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }
}

import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { Readable } from 'node:stream';
import type { Namespace } from './namespace.js';
import { parsePacket } from './packet.js';
import type { Packet } from './packet.js';

export type { Packet } from './packet.js';

// What really crossed an interface.
// 1. Packets sent after `start` has returned are captured.
// 2. `stop` returns everything that passed the filter before it was called, or fails.

export interface CaptureOptions {
  interface: string;
  /** In tcpdump's language. */
  filter?: string;
  /** Begun amid traffic, of which tcpdump counts what passed before its filter stood: a look, not a proof of absence. */
  amidTraffic?: boolean;
}

const startTimeoutMs = 10_000;
const drainTimeoutMs = 5_000;
const STEADY = 2;
const counters = /(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped by kernel/;
const fileHeaderBytes = 24;
const recordHeaderBytes = 16;

export class Capture {
  readonly packets: Packet[] = [];
  private readonly events = new EventEmitter();
  private unparsed = Buffer.alloc(0);
  private headerSeen = false;
  private messages = '';
  private exited = false;
  /** At most so many had passed before the filter stood: they are counted, and never captured. */
  private unfiltered = Infinity;

  private constructor(
    private readonly tcpdump: ChildProcess,
    private readonly amidTraffic: boolean,
  ) {
    (tcpdump.stdout as Readable).on('data', (chunk: Buffer) => this.parse(chunk));
    (tcpdump.stderr as Readable).on('data', (chunk: Buffer) => this.hear(chunk.toString()));
    tcpdump.once('error', (error) => this.hear(error.message));
    tcpdump.once('close', (code, signal) => {
      this.exited = true;
      this.hear(`(${signal ?? code})`);
      this.events.emit('message');
    });
  }

  static async start(
    namespace: Namespace,
    { interface: name, filter = '', amidTraffic = false }: CaptureOptions,
  ): Promise<Capture> {
    const options = ['--immediate-mode', '-U', '-n', '-Z', 'root', '-B', '16384', '-w', '-', '-i', name];
    const argv = ['tcpdump', ...options, ...filter.split(/\s+/).filter(Boolean)];
    const capture = new Capture(namespace.spawn(argv, { stdio: ['ignore', 'pipe', 'pipe'] }), amidTraffic);
    await capture.message(() => capture.messages.includes('listening on'), startTimeoutMs, 'its start');
    await capture.counted();
    return capture;
  }

  /** The first packet, also one already captured, of which this holds. */
  async waitFor(matches: (packet: Packet) => boolean, timeoutMs = 3_000): Promise<Packet> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = this.packets.find(matches);
      if (found) return found;
      try {
        await once(this.events, 'packet', { signal });
      } catch {
        throw new Error(`no such packet within ${timeoutMs} ms; captured: ${JSON.stringify(this.packets.slice(-20))}`);
      }
    }
  }

  async stop(): Promise<Packet[]> {
    await this.drain();
    this.tcpdump.kill('SIGINT');
    await this.message(() => this.exited, drainTimeoutMs, 'its end');
    return this.packets;
  }

  /** Until tcpdump has written whatever the kernel has handed to it, and we have read that. */
  private async drain(): Promise<void> {
    const deadline = performance.now() + drainTimeoutMs;
    for (let steady = 0; ;) {
      const before = this.unfiltered;
      const { captured, received, dropped } = await this.counted();
      if (dropped > 0 && !this.amidTraffic)
        throw new Error(`tcpdump lost ${dropped} packets: the capture proves nothing`);
      // Of those that are counted and not captured, some may be under way. Nobody is when there are as few twice.
      steady = received - captured === before ? steady + 1 : 0;
      if ((this.amidTraffic || steady >= STEADY) && this.packets.length === captured) return;
      if (performance.now() > deadline) throw new Error(`tcpdump wrote only ${captured} of ${received} packets`);
    }
  }

  private async counted(): Promise<{ captured: number; received: number; dropped: number }> {
    this.messages = '';
    this.tcpdump.kill('SIGUSR1');
    await this.message(() => counters.test(this.messages), drainTimeoutMs, 'its counters');
    const [captured = 0, received = 0, dropped = 0] = (counters.exec(this.messages) ?? []).slice(1).map(Number);
    this.unfiltered = Math.min(this.unfiltered, received - captured);
    return { captured, received, dropped };
  }

  private hear(text: string): void {
    this.messages += text;
    this.events.emit('message');
  }

  private async message(come: () => boolean, timeoutMs: number, awaited: string): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!come()) {
      if (this.exited) throw new Error(`tcpdump ended: ${this.messages}`);
      await once(this.events, 'message', { signal }).catch(() => {
        throw new Error(`tcpdump did not tell ${awaited} within ${timeoutMs} ms: ${this.messages}`);
      });
    }
  }

  private parse(chunk: Buffer): void {
    this.unparsed = Buffer.concat([this.unparsed, chunk]);
    if (!this.headerSeen) {
      if (this.unparsed.length < fileHeaderBytes) return;
      this.headerSeen = true;
      this.unparsed = this.unparsed.subarray(fileHeaderBytes);
    }
    while (this.unparsed.length >= recordHeaderBytes) {
      const end = recordHeaderBytes + this.unparsed.readUInt32LE(8);
      if (this.unparsed.length < end) break;
      const at = this.unparsed.readUInt32LE(0) * 1000 + this.unparsed.readUInt32LE(4) / 1000;
      this.packets.push(parsePacket(this.unparsed.subarray(recordHeaderBytes, end), at));
      this.unparsed = this.unparsed.subarray(end);
    }
    this.events.emit('packet');
  }
}

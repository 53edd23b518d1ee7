/**
 * Captures what passes an elastic IP on both sides of the gateway, as one pcapng ordered by time. Guarantees:
 * 1. It ends after its seconds or its bytes, when its reader goes away or reads too slowly, and with the supervisor.
 * 2. Without `payload` no byte behind the headers leaves this process.
 * 3. A filter is judged alone before it is put beside ours, so that it can only narrow.
 */
import type { Writable } from 'node:stream';
import { VpcgwError } from '../../errors.js';
import { CommandError, type CommandRunner } from '../../kernel/command.js';
import type { GatewayModel } from '../../model/gateway-model.js';
import { Tcpdump } from '../../system/tcpdump.js';
import { VERSION } from '../../version.js';
import { headerLength } from './headers-only.js';
import { type CapturedPacket, PcapReader } from './pcap.js';
import { head, packetBlock } from './pcapng.js';
import { type Side, sidesOf } from './sides.js';

export interface CaptureRequest {
  readonly elasticIp: string;
  readonly filter?: string | undefined;
  readonly seconds: number;
  readonly maxBytes: number;
  readonly payload: boolean;
}

/** The longest headers: Ethernet, IPv6, TCP with all options; and those in an ICMP error. */
const HEADERS = 160;
const WHOLE = 65_535;
const MOST_AT_ONCE = 2;
const FILTER_MS = 5_000;
/** So long a packet waits for an older one of the other side. */
const ORDER_MS = 200;
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;
/** tcpdump ends at once; one that does not is ended. */
const FINISH_MS = 2_000;

export class Capturer {
  #running = 0;

  constructor(
    private readonly run: CommandRunner,
    private readonly model: () => GatewayModel | undefined,
  ) {}

  /** When it returns, packets are captured; what it returns writes them. Throws before that if it cannot be. */
  async start(request: CaptureRequest): Promise<(output: Writable, signal: AbortSignal) => Promise<void>> {
    if (this.#running >= MOST_AT_ONCE)
      throw new VpcgwError('Overloaded', `${MOST_AT_ONCE} captures run already; try again`);
    this.#running++;
    const capture = new Capture(request, await this.#sides(request).catch(this.#over));
    await capture.listening().catch(this.#over);
    return (output, signal) => capture.into(output, signal).finally(() => this.#running--);
  }

  #over = (error: unknown): never => {
    this.#running--;
    throw error;
  };

  async #sides({ elasticIp, filter }: CaptureRequest): Promise<Side[]> {
    const model = this.model();
    const eip = model?.elasticIps.get(elasticIp);
    if (!model || !eip) throw new VpcgwError('NotFound', `there is no ElasticIP/${elasticIp}`);
    if (filter !== undefined) await this.#judge(filter);
    return sidesOf(model, eip, filter);
  }

  async #judge(filter: string): Promise<void> {
    try {
      await this.run.run({ argv: ['tcpdump', '-n', '-y', 'EN10MB', '-d', '--', filter], timeoutMs: FILTER_MS });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const words = error.result.stderr
        .trim()
        .split('\n')
        .at(-1)
        ?.replace(/^tcpdump: /, '');
      throw new VpcgwError(
        'BadRequest',
        `filter ${filter}: ${words}; it is in tcpdump's language, such as tcp port 80`,
      );
    }
  }
}

class Capture {
  readonly #tools: readonly Tcpdump[];
  readonly #waiting: { index: number; packet: CapturedPacket }[] = [];
  #output: Writable | undefined;
  #bytes = 0;

  constructor(
    private readonly request: CaptureRequest,
    private readonly sides: readonly Side[],
  ) {
    this.#tools = sides.map(({ link, filter }, index) => {
      const reader = new PcapReader();
      const tool: Tcpdump = new Tcpdump(link, filter, request.payload ? WHOLE : HEADERS, (piece) => {
        try {
          for (const packet of reader.take(piece)) this.#waiting.push({ index, packet });
        } catch {
          tool.kill();
        }
      });
      return tool;
    });
  }

  async listening(): Promise<void> {
    try {
      await Promise.all(this.#tools.map(({ listening }) => listening));
    } catch (error) {
      this.#tools.forEach((tool) => tool.kill());
      throw error;
    }
  }

  async into(output: Writable, signal: AbortSignal): Promise<void> {
    this.#output = output;
    this.#write(
      head(
        this.sides.map(({ link }) => link),
        `vpcgw ${VERSION}`,
      ),
    );
    const finish = (): void => this.#tools.forEach((tool) => tool.finish());
    const order = setInterval(() => {
      this.#writeUntil(BigInt(Date.now() - ORDER_MS) * 1000n);
      if (this.#bytes >= this.request.maxBytes || output.writableLength > MAX_UNREAD_BYTES) finish();
    }, ORDER_MS / 2);
    const end = setTimeout(finish, this.request.seconds * 1000);
    signal.addEventListener('abort', finish, { once: true });
    if (signal.aborted) finish();
    // If one ends by itself, half a capture would mislead.
    await Promise.race(this.#tools.map(({ ended }) => ended));
    finish();
    const force = setTimeout(() => this.#tools.forEach((tool) => tool.kill()), FINISH_MS);
    await Promise.all(this.#tools.map(({ ended }) => ended));
    clearInterval(order);
    for (const timer of [end, force]) clearTimeout(timer);
    this.#writeUntil(undefined);
  }

  #writeUntil(time: bigint | undefined): void {
    this.#waiting.sort((a, b) => Number(a.packet.time - b.packet.time));
    const later = time === undefined ? -1 : this.#waiting.findIndex(({ packet }) => packet.time > time);
    for (const { index, packet } of this.#waiting.splice(0, later < 0 ? this.#waiting.length : later)) {
      const kept = this.request.payload ? packet.data : packet.data.subarray(0, headerLength(packet.data));
      const block = packetBlock(index, { ...packet, data: kept });
      // Full is full: a smaller packet that came later would hide that one is missing.
      if (this.#bytes + block.length > this.request.maxBytes) this.#bytes = this.request.maxBytes;
      else this.#write(block);
    }
  }

  #write(block: Buffer): void {
    this.#bytes += block.length;
    if (this.#output?.writable) this.#output.write(block);
  }
}

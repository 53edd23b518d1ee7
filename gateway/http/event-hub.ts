/**
 * Events as they happen, to whoever listens (server-sent events). Guarantees: at most `MAX_LISTENERS`; one that does not
 * read is let go after `MAX_BACKLOG_BYTES`, and costs no more than those; silence is broken by a heartbeat.
 */
import type { ServerResponse } from 'node:http';
import { VpcgwError } from '../errors.js';
import { onceOver } from './once-over.js';

const MAX_LISTENERS = 32;
const MAX_BACKLOG_BYTES = 64 * 1024;
const HEARTBEAT_MS = 15_000;

export interface GatewayEvent {
  readonly type: string;
  readonly message: string;
}

export class EventHub {
  readonly #listeners = new Set<ServerResponse>();
  #heartbeat: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(private readonly heartbeatMs = HEARTBEAT_MS) {}

  /** Before the answer has begun, so that a refusal can still be one. */
  refuseWhenFull(): void {
    if (this.#listeners.size >= MAX_LISTENERS)
      throw new VpcgwError('Overloaded', `${MAX_LISTENERS} listen to events already; look at the status instead`);
  }

  add(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.#listeners.add(response);
    onceOver(response.req, response, () => this.#remove(response));
    response.on('error', () => response.destroy());
    this.#heartbeat ??= setInterval(() => this.#send(': alive\n\n'), this.heartbeatMs);
    response.write(': listening\n\n');
  }

  publish(event: GatewayEvent): void {
    const data = JSON.stringify({ time: new Date().toISOString(), ...event });
    this.#send(`id: ${++this.#count}\nevent: ${event.type}\ndata: ${data}\n\n`);
  }

  close(): void {
    for (const response of this.#listeners) response.end();
  }

  #send(text: string): void {
    for (const response of this.#listeners)
      if (response.writableLength > MAX_BACKLOG_BYTES) response.destroy();
      else response.write(text);
  }

  #remove(response: ServerResponse): void {
    this.#listeners.delete(response);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

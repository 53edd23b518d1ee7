/**
 * Questions to strongSwan by its control socket. Guarantees:
 * 1. One at a time; each has an answer or an error within a bounded time.
 * 2. What it says is bounded. After an error the next question has a connection of its own.
 */
import { createConnection, type Socket } from 'node:net';
import { decodePacket, encodePacket, PACKET, type Section, type Settings } from '../ipsec/vici.js';

const WITHIN_MS = 5_000;
const MAX_BYTES = 16 * 1024 * 1024;
const LENGTH_BYTES = 4;

/** The answer, and the events that came before it. */
export interface Answer {
  readonly said: Section;
  readonly events: readonly Section[];
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly events: Section[];
}

export class ViciClient {
  #socket: Socket | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #heard = Buffer.alloc(0);
  #waiting: Waiting | undefined;

  constructor(private readonly path: string) {}

  /** An answer that says `success = no` is an error with its reason. */
  request(command: string, settings: Settings = {}): Promise<Answer> {
    return this.#enqueue(async () => {
      const answer = await this.#exchange(PACKET.request, command, settings);
      if (answer.said.values.get('success') === 'no')
        throw new Error(`${command}: ${answer.said.values.get('errmsg') ?? 'refused'}`);
      return answer;
    });
  }

  /** Of a command that streams what it has to say as events. */
  list(command: string, event: string): Promise<readonly Section[]> {
    return this.#enqueue(async () => {
      await this.#exchange(PACKET.register, event);
      const { events } = await this.#exchange(PACKET.request, command);
      await this.#exchange(PACKET.unregister, event);
      return events;
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#waiting?.reject(new Error('nobody waits for the IKE daemon any more'));
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  #exchange(type: number, name: string, settings?: Settings): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const socket = this.#connected();
      const timer = setTimeout(() => socket.destroy(new Error(`${name}: the IKE daemon does not answer`)), WITHIN_MS);
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
      };
      this.#waiting = {
        events: [],
        resolve: (answer) => {
          end();
          resolve(answer);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const packet = encodePacket(type, name, settings);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(packet.length);
      socket.write(Buffer.concat([length, packet]));
    });
  }

  #connected(): Socket {
    if (this.#socket) return this.#socket;
    const socket = createConnection(this.path);
    this.#socket = socket;
    this.#heard = Buffer.alloc(0);
    const lost = (error?: Error): void => {
      // Another question has a socket of its own by now.
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#waiting?.reject(error ?? new Error('the IKE daemon has ended'));
    };
    socket.on('data', (chunk) => this.#hear(socket, chunk));
    socket.on('error', lost);
    socket.on('close', () => lost());
    socket.unref();
    return socket;
  }

  #hear(socket: Socket, chunk: Buffer): void {
    this.#heard = Buffer.concat([this.#heard, chunk]);
    try {
      while (this.#heard.length >= LENGTH_BYTES) {
        const length = this.#heard.readUInt32BE();
        if (length > MAX_BYTES) throw new RangeError('the IKE daemon says too much');
        if (this.#heard.length < LENGTH_BYTES + length) return;
        this.#take(this.#heard.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
        this.#heard = this.#heard.subarray(LENGTH_BYTES + length);
      }
    } catch (error) {
      socket.destroy(error as Error);
    }
  }

  #take(packet: Uint8Array): void {
    const { type, said } = decodePacket(packet);
    const waiting = this.#waiting;
    if (type === PACKET.event) waiting?.events.push(said);
    else if (type === PACKET.response || type === PACKET.confirm) waiting?.resolve({ said, events: waiting.events });
    else waiting?.reject(new Error('the IKE daemon does not know what it was asked'));
  }
}

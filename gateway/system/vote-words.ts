/**
 * What the supervisor tells its own kernel of the third voter, and hears of it: datagrams to the witness, which the fence
 * keeps, so that time counts from when each passed there, whatever becomes of us in between; and the other kernel's answers.
 */
import { createSocket, type Socket } from 'node:dgram';
import type { MemberPath } from '../model/high-availability.js';
import { ANSWER_PORT, VOTE_PORTS, witness } from '../model/ownership.js';

/** One question to the third voter; its port is its number. */
export interface Round {
  granted(): Promise<void>;
  end(): void;
}

const AGAIN_AFTER_MS = 1_000;

export class VoteWords {
  readonly #listening = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly paths: readonly [MemberPath, ...MemberPath[]],
    private readonly onAnswer: () => void,
  ) {}

  /** To what the other kernel answers. */
  listen(): void {
    if (this.#listening.size + this.#timers.size === 0) for (const path of this.paths) this.#listenOn(path);
  }

  #listenOn(path: MemberPath): void {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#listening.add(socket);
    socket.on('message', (_, from) => {
      if (from.address === path.peer.text) this.onAnswer();
    });
    socket.on('error', () => {
      this.#listening.delete(socket);
      socket.close();
      // The address may be given to the interface later.
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#listenOn(path);
      }, AGAIN_AFTER_MS).unref();
      this.#timers.add(timer);
    });
    socket.bind(ANSWER_PORT, path.address.text);
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#listening) socket.close();
    this.#timers.clear();
    this.#listening.clear();
  }

  /** Before anything is asked of the third voter: from here its grant's time runs. */
  async asks(): Promise<Round> {
    const socket = await this.#socket();
    try {
      await tell(socket, VOTE_PORTS.asked);
    } catch (error) {
      socket.close();
      throw error;
    }
    return { granted: () => tell(socket, VOTE_PORTS.granted), end: () => socket.close() };
  }

  async returns(): Promise<void> {
    const socket = await this.#socket();
    try {
      await tell(socket, VOTE_PORTS.returned);
    } finally {
      socket.close();
    }
  }

  #socket(): Promise<Socket> {
    const { address } = this.paths[0];
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => {
        socket.close();
        reject(error);
      };
      socket.once('error', failed);
      socket.bind(0, address.text, () => {
        // What is sent tells by itself that it failed.
        socket.off('error', failed).on('error', () => undefined);
        socket.setMulticastInterface(address.text);
        resolve(socket);
      });
    });
  }
}

const tell = (socket: Socket, port: number): Promise<void> =>
  new Promise((resolve, reject) => socket.send('', port, witness(4), (error) => (error ? reject(error) : resolve())));

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
  #listening: Socket[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly paths: readonly [MemberPath, ...MemberPath[]],
    private readonly onAnswer: () => void,
  ) {}

  /** To what the other kernel answers. */
  listen(): void {
    if (this.#listening.length > 0) return;
    this.#listening = this.paths.map(({ address, peer }) => {
      const socket = createSocket({ type: 'udp4', reuseAddr: true });
      socket.on('message', (_, from) => {
        if (from.address === peer.text) this.onAnswer();
      });
      // The address may be given to the interface later.
      socket.on('error', () => this.#listenAgain());
      socket.bind(ANSWER_PORT, address.text);
      return socket;
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const socket of this.#listening) socket.close();
    this.#listening = [];
  }

  /** Before anything is asked of the third voter: from here its grant's time runs. */
  async asks(): Promise<Round> {
    const socket = await this.#socket();
    await tell(socket, VOTE_PORTS.asked);
    return { granted: () => tell(socket, VOTE_PORTS.granted), end: () => socket.close() };
  }

  async returns(): Promise<void> {
    const socket = await this.#socket();
    await tell(socket, VOTE_PORTS.returned);
    socket.close();
  }

  #listenAgain(): void {
    this.stop();
    this.#timer = setTimeout(() => this.listen(), AGAIN_AFTER_MS).unref();
  }

  #socket(): Promise<Socket> {
    const { address } = this.paths[0];
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, address.text, () => {
        socket.setMulticastInterface(address.text);
        resolve(socket);
      });
    });
  }
}

const tell = (socket: Socket, port: number): Promise<void> =>
  new Promise((resolve, reject) => socket.send('', port, witness(4), (error) => (error ? reject(error) : resolve())));

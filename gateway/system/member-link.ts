/**
 * The connection between the two supervisors of a pair. Guarantees:
 * 1. Both sides prove that they know the secret before a byte of either counts (TLS with a pre-shared key, with forward
 *    secrecy), and only the peer's addresses are answered at all.
 * 2. One that is silent is closed, and made again, by the other path where there is one.
 * 3. What is received is bounded, and nobody waits for a slow peer.
 */
import { connect, type Socket } from 'node:net';
import { connect as secure, createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { messageOf } from '../errors.js';
import type { MemberPath } from '../model/high-availability.js';
import { CHANNEL_PORT } from '../model/ownership.js';
import { channelKey, readMemberSecret } from './member-secret.js';

export interface MemberLinkOptions {
  readonly paths: readonly [MemberPath, ...MemberPath[]];
  readonly secretFile: string;
  readonly onUp: () => void;
  readonly onDown: () => void;
  readonly onMessage: (value: unknown) => void;
  readonly onTrouble: (message: string) => void;
}

/** Without a word for so long, a connection is none. */
export const SILENT_MS = 2_000;
const AGAIN_AFTER_MS = 500;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_UNSENT_BYTES = MAX_MESSAGE_BYTES;
const IDENTITY = 'vpcgw-member';
/** The last version in which Node lets a key be shared beforehand. */
const TLS: SecureContextOptions = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
};

export class MemberLink {
  readonly #servers: Server[] = [];
  #socket: TLSSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #stopped = true;

  constructor(private readonly options: MemberLinkOptions) {}

  /** The lower address calls, the other one answers. */
  start(): void {
    this.#stopped = false;
    const [{ address, peer }] = this.options.paths;
    if (address.value < peer.value) this.#call();
    else for (const path of this.options.paths) this.#answerAt(path);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const server of this.#servers) server.close();
    this.#socket?.destroy();
  }

  get isUp(): boolean {
    return this.#socket !== undefined;
  }

  /** Nothing where there is no connection: what counts is told again anyway. */
  send(value: object): void {
    const socket = this.#socket;
    if (!socket) return;
    if (socket.writableLength > MAX_UNSENT_BYTES) socket.destroy();
    else socket.write(`${JSON.stringify(value)}\n`);
  }

  /** Read for each handshake, so that it may be exchanged. */
  #secret(): Buffer | null {
    try {
      return channelKey(readMemberSecret(this.options.secretFile));
    } catch (error) {
      this.options.onTrouble(messageOf(error));
      return null;
    }
  }

  #call(): void {
    const { paths } = this.options;
    const path = paths[this.#attempts++ % paths.length] as MemberPath;
    const psk = this.#secret();
    if (!psk) return this.#callAgain();
    const plain = connect({ host: path.peer.text, localAddress: path.address.text, port: CHANNEL_PORT });
    plain.on('error', () => undefined);
    const socket = secure({
      ...TLS,
      socket: plain,
      pskCallback: () => ({ psk, identity: IDENTITY }),
      // There are no certificates: who knows the secret is the peer.
      checkServerIdentity: () => undefined,
    });
    socket.setTimeout(SILENT_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.once('secureConnect', () => this.#use(socket));
    socket.once('close', () => this.#callAgain());
  }

  #callAgain(): void {
    if (!this.#stopped) this.#timer = setTimeout(() => this.#call(), AGAIN_AFTER_MS);
  }

  #answerAt(path: MemberPath): void {
    const server = createServer(
      {
        ...TLS,
        handshakeTimeout: SILENT_MS,
        pskCallback: (_, identity) => (identity === IDENTITY ? this.#secret() : null),
      },
      (socket) => this.#use(socket),
    );
    server.maxConnections = 8;
    server.on('connection', (socket: Socket) => {
      if (socket.remoteAddress !== path.peer.text) socket.destroy();
    });
    server.on('tlsClientError', () => this.options.onTrouble(`somebody at ${path.peer.text} does not know the secret`));
    // The address may not be there yet.
    server.on('error', () => {
      if (!this.#stopped) setTimeout(() => listen(), AGAIN_AFTER_MS).unref();
    });
    const listen = (): void =>
      void (this.#stopped || server.listening || server.listen(CHANNEL_PORT, path.address.text));
    this.#servers.push(server);
    listen();
  }

  /** The latest counts: the other has given the former up. */
  #use(socket: TLSSocket): void {
    if (this.#stopped) return void socket.destroy();
    const former = this.#socket;
    this.#socket = socket;
    former?.destroy();
    socket.setNoDelay(true);
    socket.setTimeout(0);
    // The socket's own timeout takes what we say ourselves for life.
    const silence = setTimeout(() => socket.destroy(), SILENT_MS);
    socket.on('data', () => silence.refresh());
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(silence);
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.options.onDown();
    });
    this.#read(socket);
    this.options.onUp();
  }

  #read(socket: TLSSocket): void {
    let pieces: Buffer[] = [];
    let bytes = 0;
    socket.on('data', (data: Buffer) => {
      let begin = 0;
      for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, begin)) {
        this.#message(Buffer.concat([...pieces, data.subarray(begin, end)]).toString('utf8'));
        [pieces, bytes, begin] = [[], 0, end + 1];
      }
      pieces.push(data.subarray(begin));
      bytes += data.length - begin;
      if (bytes > MAX_MESSAGE_BYTES) socket.destroy();
    });
  }

  #message(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return this.options.onTrouble('the other member said what is no message');
    }
    this.options.onMessage(value);
  }
}

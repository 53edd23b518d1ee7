import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Received, TcpServerArgs, TcpServerMode } from '../agent-operations.js';
import { greetingOn } from './endpoint.js';
import type { Resource } from './handles.js';

const block = randomBytes(64 * 1024);
/** Thousands connect at once in the bulk tests. */
const backlog = 4096;

export class TcpServer implements Resource {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  static async listen({ port, address, mode = 'echo', bytes = 0 }: TcpServerArgs): Promise<TcpServer> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      // A peer that resets or vanishes is what the tests do.
      socket.on('error', () => socket.destroy());
      socket.write(`${JSON.stringify(greetingOn(socket))}\n`);
      serve[mode](socket, bytes);
    });
    const result = new TcpServer(server);
    server.listen({ port, host: address, backlog });
    await once(server, 'listening');
    return result;
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
  }
}

const serve: Record<TcpServerMode, (socket: Socket, bytes: number) => void> = {
  echo: (socket) => socket.pipe(socket),
  whoami: (socket) => socket.resume().end(),
  sink(socket) {
    const hash = createHash('sha256');
    let bytes = 0;
    socket.on('data', (chunk) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    socket.once('end', () => socket.end(`${JSON.stringify({ bytes, sha256: hash.digest('hex') })}\n`));
  },
  source(socket, bytes) {
    socket.resume().write(`${JSON.stringify(described(bytes))}\n`);
    Readable.from(blocks(bytes)).pipe(socket);
  },
};

/** What a `source` is going to send. */
function described(bytes: number): Received {
  const hash = createHash('sha256');
  for (const chunk of blocks(bytes)) hash.update(chunk);
  return { bytes, sha256: hash.digest('hex') };
}

function* blocks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= block.length) yield block.subarray(0, left);
}

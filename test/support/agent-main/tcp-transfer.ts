import { createHash, randomBytes } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Received, TransferArgs, TransferReport } from '../agent-operations.js';
import { Deadline } from './deadline.js';
import { Failure } from './failure.js';
import { readLine } from './socket-line.js';
import { Connection } from './tcp-client.js';

// Random bytes through a connection, compared at both ends by their SHA-256.

const blockBytes = 64 * 1024;
const defaultTransferTimeoutMs = 30_000;

export async function transfer(args: TransferArgs): Promise<TransferReport> {
  const { bytes, direction = 'both', timeoutMs = defaultTransferTimeoutMs } = args;
  const deadline = new Deadline(timeoutMs);
  const started = performance.now();
  const connection = await Connection.open(args, deadline);
  try {
    const ends = await flows[direction](connection.socket, bytes, deadline);
    return { ...ends, durationMs: performance.now() - started };
  } finally {
    connection.close(true);
  }
}

type Ends = Omit<TransferReport, 'durationMs'>;

const flows = {
  async both(socket: Socket, bytes: number, deadline: Deadline): Promise<Ends> {
    const [sent, received] = await Promise.all([send(socket, bytes, deadline), receive(socket, bytes, deadline)]);
    return { sent, received, intact: same(sent, received) };
  },
  async up(socket: Socket, bytes: number, deadline: Deadline): Promise<Ends> {
    const sent = await send(socket, bytes, deadline);
    socket.end();
    const arrived = JSON.parse(await readLine(socket, deadline)) as Received;
    return { sent, intact: same(sent, arrived) };
  },
  async down(socket: Socket, _bytes: number, deadline: Deadline): Promise<Ends> {
    const announced = JSON.parse(await readLine(socket, deadline)) as Received;
    const received = await receive(socket, announced.bytes, deadline);
    return { received, intact: same(announced, received) };
  },
};

async function send(socket: Socket, bytes: number, deadline: Deadline): Promise<Received> {
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= blockBytes) {
    const block = randomBytes(Math.min(left, blockBytes));
    hash.update(block);
    if (!socket.write(block)) await deadline.event(socket, 'drain', `room to send (${bytes - left} bytes sent)`);
  }
  return digested(hash, bytes);
}

async function receive(socket: Socket, bytes: number, deadline: Deadline): Promise<Received> {
  const hash = createHash('sha256');
  let received = 0;
  while (received < bytes) {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) {
      hash.update(chunk);
      received += chunk.length;
    } else if (socket.destroyed || socket.readableEnded) {
      throw socket.errored ?? new Failure('CLOSED', `closed by the peer after ${received} of ${bytes} bytes`);
    } else {
      await deadline.event(socket, 'readable', `more than ${received} of ${bytes} bytes`);
    }
  }
  return digested(hash, received);
}

function digested(hash: Hash, bytes: number): Received {
  return { bytes, sha256: hash.digest('hex') };
}

function same(one: Received, other: Received): boolean {
  return one.bytes === other.bytes && one.sha256 === other.sha256;
}

import type { Socket } from 'node:net';
import type { Deadline } from './deadline.js';
import { Failure } from './failure.js';

const newline = 10;

/** The next line of a socket that nobody else reads; what follows it stays in the socket. */
export async function readLine(socket: Socket, deadline: Deadline): Promise<string> {
  const parts: Buffer[] = [];
  for (;;) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      if (socket.destroyed || socket.readableEnded) throw socket.errored ?? new Failure('CLOSED', 'closed by the peer');
      await deadline.event(socket, 'readable', 'line from the peer');
      continue;
    }
    const end = chunk.indexOf(newline);
    if (end >= 0) {
      if (end + 1 < chunk.length) socket.unshift(chunk.subarray(end + 1));
      parts.push(chunk.subarray(0, end));
      return Buffer.concat(parts).toString();
    }
    parts.push(chunk);
  }
}

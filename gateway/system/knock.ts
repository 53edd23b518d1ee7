/** Whether somebody listens: opens a TCP connection and closes it at once. */
import { connect } from 'node:net';

export type Knock = 'Open' | 'Refused' | 'Silent';

/** No answer at all, also that of a router which says that there is nobody, is silence. */
export function knock(host: string, port: number, localAddress: string, timeoutMs: number): Promise<Knock> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress, timeout: timeoutMs });
    const end = (answer: Knock): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end('Open'));
    // An answer that came while this process was busy is heard first.
    socket.once('timeout', () => setImmediate(() => end('Silent')));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED' ? 'Refused' : 'Silent'));
  });
}

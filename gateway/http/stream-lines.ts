/** An answer of JSON lines, each sent as soon as it is known. The work is told when nobody reads any more. */
import type { ServerResponse } from 'node:http';

export type SendLine = (value: unknown) => void;

export function streamLines(
  work: (send: SendLine, signal: AbortSignal) => Promise<void>,
): (response: ServerResponse) => void {
  return (response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.on('error', () => response.destroy());
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    const send: SendLine = (value) => void response.write(`${JSON.stringify(value)}\n`);
    work(send, gone.signal).then(
      () => response.end(),
      () => response.destroy(),
    );
  };
}

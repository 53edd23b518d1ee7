/** Answers that are sent piece by piece, as they come to be. The work is told when nobody reads any more. */
import type { ServerResponse } from 'node:http';

type Stream = (response: ServerResponse) => void;

export function stream(type: string, work: (response: ServerResponse, signal: AbortSignal) => Promise<void>): Stream {
  return (response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.on('error', () => response.destroy());
    if (response.destroyed) gone.abort();
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' });
    work(response, gone.signal).then(
      () => response.end(),
      () => response.destroy(),
    );
  };
}

export type SendLine = (value: unknown) => void;

/** JSON, a line each. */
export const streamLines = (work: (send: SendLine, signal: AbortSignal) => Promise<void>): Stream =>
  stream('application/x-ndjson', (response, signal) =>
    work((value) => void response.write(`${JSON.stringify(value)}\n`), signal),
  );

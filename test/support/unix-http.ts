import { request } from 'node:http';

export interface HttpReply {
  status: number;
  text: string;
}

/** One request over a unix socket. Fails with ENOENT or ECONNREFUSED while nobody listens. */
export function requestOver(socketPath: string, method: string, path: string, body?: unknown): Promise<HttpReply> {
  const payload = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const headers = {
    ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}),
    ...(typeof body === 'string' ? { 'content-type': 'application/yaml' } : {}),
  };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, headers, agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.once('error', reject);
      reply.once('end', () => resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    call.once('error', reject);
    call.setTimeout(30_000, () => call.destroy(new Error(`no answer to ${method} ${path}`)));
    call.end(payload);
  });
}

/** Where the API is served: at a unix socket for root, and at a management address for whoever has an account. */
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import type { ServerOptions as TlsServerOptions } from 'node:https';
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { messageOf, VpcgwError } from '../errors.js';
import { accountAccess, noAccess, socketAccess } from './access.js';
import { RateLimit } from './limits.js';
import type { HttpParts } from './route.js';
import { createServer } from './server.js';
import { TokenFile } from './token-file.js';

/** Of one address: a burst, and then so many in a second. */
const RATE = { burst: 300, perSecond: 100 };
/** One that opens connections and says nothing on them is cut off after seconds; so many may do so at once. */
const MAX_CONNECTIONS = 512;

export interface ListenFlags {
  readonly listen?: string;
  readonly tokens?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect({ path });
    probe.on('connect', () => resolve(true));
    probe.on('error', () => resolve(false));
    probe.on('connect', () => probe.destroy());
  });

/** Takes the socket over from a former process that was killed; only root may speak to it. */
export async function listenOnSocket(parts: HttpParts, path: string, log: Logger): Promise<FastifyInstance> {
  const app = createServer(parts, { access: socketAccess, log });
  if (await answers(path))
    throw new VpcgwError('NotWriter', `another supervisor answers at ${path}; one gateway has one supervisor`);
  rmSync(path, { force: true });
  await app.listen({ path });
  chmodSync(path, 0o600);
  return app;
}

/** Nothing without `--listen`. */
export async function listenOnAddress(
  parts: HttpParts,
  { listen, ...flags }: ListenFlags,
  log: Logger,
): Promise<FastifyInstance | undefined> {
  if (listen === undefined) return refuseLeftOver(flags);
  const match = /^\[?([^\]]+)\]?:(\d+)$/.exec(listen);
  const [, host = '', port] = match ?? [];
  if (!match)
    throw new VpcgwError(
      'BadRequest',
      `--listen ${listen}: an address and a port such as 10.1.0.5:9100 or [fd00::5]:9100`,
    );
  const tls = tlsOf(flags);
  const tokens = flags.tokens === undefined ? undefined : new TokenFile(flags.tokens, (message) => log.error(message));
  if (tokens && !tls && !isLoopback(host))
    log.warn({ listen }, 'tokens cross the network in the clear: give --tls-cert and --tls-key');
  const app = createServer(parts, {
    access: tokens || tls?.ca ? accountAccess(tokens) : noAccess,
    log,
    rate: new RateLimit(RATE.burst, RATE.perSecond, () => performance.now()),
    ...(tls ? { tls } : {}),
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  await app.listen({ host, port: Number(port) }).catch((error: unknown) => {
    throw new VpcgwError('BadRequest', `--listen ${listen}: ${messageOf(error)}`);
  });
  return app;
}

function refuseLeftOver({ tokens, tlsCert, tlsKey, tlsClientCa }: ListenFlags): undefined {
  for (const [option, given] of Object.entries({
    tokens,
    'tls-cert': tlsCert,
    'tls-key': tlsKey,
    'tls-client-ca': tlsClientCa,
  }))
    if (given !== undefined) throw new VpcgwError('BadRequest', `--${option} needs --listen ADDRESS:PORT`);
}

const isLoopback = (host: string): boolean => /^127\.|^::1$|^localhost$/.test(host);

/** A client's certificate is asked for, and judged with the request: without one there may be a token, and health. */
function tlsOf({ tlsCert, tlsKey, tlsClientCa }: ListenFlags): TlsServerOptions | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new VpcgwError('BadRequest', '--tls-cert and --tls-key go together, and --tls-client-ca with them');
  const client =
    tlsClientCa === undefined ? {} : { ca: readPem(tlsClientCa), requestCert: true, rejectUnauthorized: false };
  return { cert: readPem(tlsCert), key: readPem(tlsKey), handshakeTimeout: 10_000, ...client };
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new VpcgwError('BadRequest', messageOf(error));
  }
}

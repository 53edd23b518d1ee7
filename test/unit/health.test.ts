import { createServer, type Server, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HealthWatch } from '../../gateway/health/health-watch.js';
import { judgeAnswer, MemberChecks } from '../../gateway/health/check-member.js';
import { newTally, type Tally, tallied } from '../../gateway/health/tally.js';
import type { GatewayModel } from '../../gateway/model/gateway-model.js';
import type { Down, HealthCheck } from '../../gateway/model/balancer.js';
import { parseIp } from '../../gateway/model/ip.js';
import { Authority } from '../support/certificates.js';

// When a member is up, and what a check makes of servers that are slow, wrong or hostile.

const thresholds = { healthyThreshold: 2, unhealthyThreshold: 3 };
const after = (...failures: readonly (string | undefined)[]): Tally =>
  failures.reduce((tally: Tally, failure, i) => tallied(tally, failure, thresholds, i + 1), newTally(0));
const [ok, bad] = [undefined, 'refused'];

describe('a tally', () => {
  it('is decided by the first check, and then by as many in a row as the thresholds say', () => {
    expect(after().up).toBe(true);
    expect(after(bad)).toMatchObject({ up: false, reason: 'refused', sinceMs: 1 });
    expect(after(ok, bad, bad).up).toBe(true);
    expect(after(ok, bad, bad, bad)).toMatchObject({ up: false, sinceMs: 4 });
    expect(after(ok, bad, bad, ok, bad, bad).up).toBe(true);
    expect(after(bad, ok).up).toBe(false);
    expect(after(bad, ok, ok)).toMatchObject({ up: true, sinceMs: 3 });
    expect(after(bad, ok, bad, ok).up).toBe(false);
  });
});

const http: HealthCheck = {
  type: 'HTTP',
  port: undefined,
  intervalMs: 1_000,
  timeoutMs: 500,
  healthyThreshold: 1,
  unhealthyThreshold: 1,
  method: 'GET',
  path: '/healthz',
  host: undefined,
  codes: [{ first: 200, last: 399 }],
  body: undefined,
  serverName: undefined,
};

describe('an answer', () => {
  const judge = (answer: string, more: Partial<HealthCheck> = {}, ended = true): string => {
    const verdict = judgeAnswer(answer, { ...http, ...more }, ended);
    return verdict === 'more' ? 'more' : (verdict.failure ?? 'good');
  };

  it('is judged by its status, as soon as that is there', () => {
    expect(judge('HTTP/1.1 204 No Content\r\n', {}, false)).toBe('good');
    expect(judge('HTTP/1.1 20', {}, false)).toBe('more');
    expect(judge('HTTP/1.0 503 Busy\r\n')).toBe('status 503');
    expect(judge('HTTP/1.0 503 Busy\r\n', { codes: [{ first: 503, last: 503 }] })).toBe('good');
    expect(judge('220 mail ESMTP\r\n')).toBe('an answer that is not HTTP');
    expect(judge('')).toBe('closed without an answer');
  });

  it('is judged by its body, and never by its head', () => {
    const body = { body: 'up' };
    expect(judge('HTTP/1.0 200 OK\r\nx: up\r\n\r\ndown', body)).toBe('the body does not contain what it should');
    expect(judge('HTTP/1.0 200 OK\r\n\r\nall up', body, false)).toBe('good');
    expect(judge('HTTP/1.0 200 OK\r\n\r\nall u', body, false)).toBe('more');
    expect(judge(`HTTP/1.0 200 OK\r\n${'x: y\r\n'.repeat(2_000)}`, body, false)).toBe('a head of more than 8192 bytes');
  });
});

describe('a check', () => {
  let server: Server | undefined;
  const open = new Set<Socket>();
  afterEach(() => {
    for (const socket of open) socket.destroy();
    server?.close();
  });
  const listen = async (given: Server): Promise<number> => {
    server = given;
    given.on('connection', (socket: Socket) => open.add(socket.on('error', () => undefined)));
    given.listen(0, '127.0.0.1');
    await once(given, 'listening');
    return (given.address() as AddressInfo).port;
  };
  const check = (port: number, more: Partial<HealthCheck> = {}) => {
    const address = parseIp('127.0.0.1');
    if (!address) throw new Error('no address');
    return new MemberChecks().check({ check: { ...http, ...more }, address, port, from: undefined });
  };

  it('asks by TLS for the name that it is told, and verifies nothing', async () => {
    const { cert, key } = await (await Authority.create()).sign('member', '/CN=shop', 'DNS:shop.example');
    const [certificate, secret] = [readFileSync(cert), readFileSync(key)];
    const names: string[] = [];
    const server = createHttpsServer(
      {
        cert: certificate,
        key: secret,
        SNICallback: (name, done) => {
          names.push(name);
          done(null, createSecureContext({ cert: certificate, key: secret }));
        },
      },
      (request, response) => response.writeHead(request.url === '/healthz' ? 204 : 500).end(),
    );
    const port = await listen(server);
    expect(await check(port, { type: 'HTTPS', serverName: 'shop.example' })).toBeUndefined();
    expect(await check(port, { type: 'HTTPS', path: '/else' })).toBe('status 500');
    expect(names).toEqual(['shop.example']);
  });

  it('asks for the path and the host', async () => {
    let asked = '';
    const port = await listen(
      createHttpServer((request, response) => {
        asked = `${request.method} ${request.url} ${request.headers.host}`;
        response.end('all is well');
      }),
    );
    expect(await check(port, { host: 'shop.example', body: 'well' })).toBeUndefined();
    expect(asked).toBe('GET /healthz shop.example');
    expect(await check(port, { body: 'ill' })).toBe('the body does not contain what it should');
    expect(await check(port, { type: 'TCP' })).toBeUndefined();
  });

  it('is over in time with a server that says nothing, or trickles', async () => {
    const silent = await listen(createServer(() => undefined));
    expect(await check(silent)).toBe('no answer within 500 ms');
    server?.close();
    const trickling = await listen(
      createServer((socket) => {
        const timer = setInterval(() => socket.write('H'), 20);
        socket.on('close', () => clearInterval(timer));
      }),
    );
    expect(await check(trickling)).toBe('no answer within 500 ms');
  });

  it('reads no more than it needs of a server that does not end', async () => {
    const flood = `HTTP/1.0 200 OK\r\n\r\n${'x'.repeat(65_536)}`;
    const port = await listen(
      createServer((socket) => {
        const pour = (): void => void (socket.writable && socket.write(flood, () => setImmediate(pour)));
        pour();
      }),
    );
    expect(await check(port, { body: 'needle' })).toBe('the body does not contain what it should');
  });

  it('tells a refusal', async () => {
    const port = await listen(createServer());
    server?.close();
    expect(await check(port, { type: 'TCP' })).toBe('refused');
    expect(await check(port, { type: 'UDP' })).toBe('refused');
  });
});

describe('a watch', () => {
  const address = parseIp('10.0.0.5');
  if (!address) throw new Error('no address');
  const pool = {
    ...{ name: 'all', id: 'shop/all', drainMs: 0, failsOpen: false },
    members: [{ address, port: 80, weight: 1, backup: false, maintenance: false }],
    check: { ...http, intervalMs: 10, timeoutMs: 10, unhealthyThreshold: 100, healthyThreshold: 100 },
  };
  const model = {
    internal: { addresses: [] },
    loadBalancers: [{ pools: [pool], listeners: [{ pool, ports: { first: 80, last: 80 } }] }],
  } as unknown as GatewayModel;

  it('asks nobody while it rests, and believes the first answer afterwards', async () => {
    let answer: string | undefined = 'refused';
    let asked = 0;
    const told: Down[] = [];
    let heard: () => void = () => undefined;
    const next = () => new Promise<void>((resolve) => (heard = resolve));
    const check = (): Promise<string | undefined> => {
      asked++;
      return Promise.resolve(answer);
    };
    const onChange = (down: Down): void => {
      told.push(down);
      heard();
    };
    const watch = new HealthWatch(
      () => 0,
      onChange,
      { check, stop: () => undefined },
      () => 0.5,
    );
    watch.rest(true);
    watch.follow(model);
    const active = next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked).toBe(0);
    watch.rest(false);
    await active;
    expect([...(told[0] ?? [])]).toEqual([['shop/all 10.0.0.5 80', 'refused']]);
    // What was known stays known, and one good answer is enough after a rest.
    watch.rest(true);
    expect(watch.tallies.get('shop/all 10.0.0.5 80')?.up).toBe(false);
    answer = undefined;
    const again = next();
    watch.rest(false);
    await again;
    expect(told[1]?.size).toBe(0);
    watch.stop();
  });
});

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { newToken } from '../../gateway/http/token-file.js';
import { type Document, elasticIp, gateway } from '../support/documents.js';
import { relayInto } from '../support/relay.js';
import { currentRun } from '../support/run-name.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor } from '../support/supervisor.js';
import { Topology } from '../support/topology.js';
import { type HttpReply, requestOver } from '../support/unix-http.js';

// Clients that are slow, endless or too many: each is cut off, and others are served meanwhile.

const PORT = 9100;
const MIB = 1024 * 1024;
let topology: Topology;
let supervisor: Supervisor;
/** Leads to the management address. */
let management: string;
const { token, sha256 } = newToken();
const authorization = `Bearer ${token}`;
const open = new Set<Socket | ClientRequest>();
showLogsOfFailures(() => [supervisor]);

beforeAll(async () => {
  topology = await Topology.build({ tenants: [{ name: 'blue', vms: [] }] });
  const blue = topology.tenant('blue');
  const tokens = join(currentRun().directory, 'hostile-tokens.yaml');
  writeFileSync(tokens, stringify([{ name: 'ci', role: 'operator', sha256 }]), { mode: 0o600 });
  const documents: Document[] = [gateway(blue), elasticIp('web', '203.0.113.10')];
  const args = ['--listen', `127.0.0.1:${PORT}`, '--tokens', tokens];
  supervisor = Supervisor.launch(blue.gateway, { source: 'api', args });
  await supervisor.statusWhen(() => true);
  const files = [{ file: 'x', text: documents.map((each) => stringify(each)).join('---\n') }];
  expect(await supervisor.post('/v1/apply', { files })).toMatchObject({ status: 200 });
  management = await relayInto(blue.gateway, '127.0.0.1', PORT);
});
afterEach(() => {
  for (const each of open) each.destroy();
  open.clear();
});
afterAll(async () => {
  await supervisor?.stop();
  topology?.destroy();
});

/** A connection that says this and then nothing. */
async function saying(path: string, text: string): Promise<Socket> {
  const socket = connect({ path });
  open.add(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  socket.resume();
  return socket;
}

const closed = async (socket: Socket): Promise<number> => {
  const began = performance.now();
  if (!socket.closed) await once(socket, 'close');
  return performance.now() - began;
};

/** Begins a request with a body and leaves it open. */
function bodyTo(socketPath: string, headers: Readonly<Record<string, string>>): ClientRequest {
  const call = request({ socketPath, method: 'POST', path: '/v1/plan', headers, agent: false });
  open.add(call);
  call.on('error', () => undefined);
  return call;
}

const answerTo = (call: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    call.once('response', (response) => {
      response.on('error', () => undefined).resume();
      resolve(response);
    });
    call.once('close', () => reject(new Error('closed without an answer')));
  });

/** Sends until the other side has had enough; returns how much went out. */
async function endlessly(call: ClientRequest): Promise<{ answer: IncomingMessage; sent: number; call: ClientRequest }> {
  const chunk = Buffer.alloc(MIB / 4, ' ');
  let sent = 0;
  let answer: IncomingMessage | undefined;
  const answered = answerTo(call).then((response) => (answer = response));
  while (!answer && sent < 512 * MIB) {
    sent += chunk.length;
    if (!call.write(chunk)) await Promise.race([once(call, 'drain'), answered]);
    await new Promise(setImmediate);
  }
  return { answer: await answered, sent, call };
}

const status = (): Promise<HttpReply> => requestOver(supervisor.socketPath, 'GET', '/v1/status');
const rssMb = async (): Promise<number> => (await supervisor.metrics()).value('process_resident_memory_bytes') / 1e6;

it('one that sends its head slowly is cut off, and others are served meanwhile', async () => {
  const slow = await Promise.all(
    Array.from({ length: 64 }, () => saying(supervisor.socketPath, 'GET /v1/status HTTP/1.1\r\nhost: x\r\nx-a')),
  );
  const began = performance.now();
  expect((await status()).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(Math.max(...(await Promise.all(slow.map(closed))))).toBeLessThan(20_000);
});

it('bodies that come slowly take the few places there are, and are cut off; what has no body goes on', async () => {
  const slow = Array.from({ length: 16 }, () => {
    const call = bodyTo(supervisor.socketPath, { 'content-type': 'application/json', 'content-length': '1000' });
    call.write('{');
    return call;
  });
  const ended = slow.map((call) => once(call, 'close'));
  const plan = (): Promise<HttpReply> => supervisor.post('/v1/plan', { files: [] });
  let refused = await plan();
  // The slow ones take their places one by one.
  while (refused.status === 200) refused = await plan();
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  expect(refused.text).toContain('"code":"Overloaded"');
  expect((await status()).status).toBe(200);
  expect((await supervisor.get('/healthz')).status).toBe(200);
  const began = performance.now();
  await Promise.all(ended);
  expect(performance.now() - began).toBeLessThan(45_000);
  expect((await plan()).status).toBe(200);
});

it('an endless body is not read at all of somebody unknown, and of others up to 16 MiB', async () => {
  const before = await rssMb();
  const chunked = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
  const unknown = await endlessly(bodyTo(management, chunked));
  expect(unknown.answer.statusCode).toBe(401);
  await once(unknown.call, 'close');
  const known = await endlessly(bodyTo(management, { ...chunked, authorization }));
  expect(known.answer.statusCode).toBe(413);
  // What sockets and the relay hold on the way was sent too.
  expect(known.sent).toBeLessThan(32 * MIB);
  await once(known.call, 'close');
  const said = { 'content-type': 'application/json', authorization, 'content-length': String(20 * MIB) };
  expect((await answerTo(withStart(bodyTo(management, said)))).statusCode, 'announced').toBe(413);
  expect((await status()).status).toBe(200);
  expect((await rssMb()) - before).toBeLessThan(100);
});

const withStart = (call: ClientRequest): ClientRequest => {
  call.write(' ');
  return call;
};

it('too many requests of one address are refused until later, but for whether it lives', async () => {
  const head = 'GET /v1/history HTTP/1.1\r\nhost: x\r\n\r\n';
  const socket = await saying(management, head.repeat(600));
  let text = '';
  const heads = (): string[] => text.match(/HTTP\/1\.1 \d+/g) ?? [];
  socket.on('data', (chunk) => (text += String(chunk)));
  while (heads().length < 600) await once(socket, 'data');
  const refused = heads().filter((line) => line.endsWith('429'));
  expect(refused.length).toBeGreaterThan(100);
  expect(heads().filter((line) => line.endsWith('401')).length).toBeGreaterThanOrEqual(300);
  expect((await requestOver(management, 'GET', '/healthz')).status).toBe(200);
  expect(text).toMatch(/HTTP\/1\.1 429[^]*?retry-after: 1\r\n/i);
  // The socket of the same gateway has no such limit.
  expect((await status()).status).toBe(200);
  const later = (): Promise<HttpReply> =>
    requestOver(management, 'GET', '/v1/history', undefined, { headers: { authorization } });
  await expect.poll(async () => (await later()).status, { timeout: 10_000 }).toBe(200);
});

it('one that asks and does not read does not hold up others, nor the end', async () => {
  for (let i = 0; i < 32; i++) {
    const socket = await saying(supervisor.socketPath, 'GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(20));
    socket.pause();
  }
  const listening = await saying(supervisor.socketPath, 'GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n');
  listening.pause();
  expect((await status()).status).toBe(200);
  const began = performance.now();
  await supervisor.stop();
  expect(performance.now() - began).toBeLessThan(8_000);
});

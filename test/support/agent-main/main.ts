import { createInterface } from 'node:readline';
import type { OperationName, Operations, Request, Response } from '../agent-operations.js';
import { toAgentError } from './failure.js';
import { held, keep, release } from './handles.js';
import { Connection, ConnectionGroup } from './tcp-client.js';
import { TcpServer } from './tcp-server.js';
import { transfer } from './tcp-transfer.js';
import { UdpClient, UdpServer, udpExchange, udpExchangeMany } from './udp.js';
import { UdpStream } from './udp-stream.js';

// A process that makes real traffic in its network namespace on request; it ends when its client does.

type Handlers = {
  [Name in OperationName]: (args: Operations[Name]['args']) => Promise<Operations[Name]['result']>;
};

const handlers: Handlers = {
  async tcpServer(args) {
    const server = await TcpServer.listen(args);
    return { handle: keep(server), port: server.port };
  },
  async tcpConnect(args) {
    const connection = await Connection.open(args);
    return { handle: keep(connection), ...connection.opened };
  },
  async tcpSend({ handle, text }) {
    held(handle, Connection).send(text);
    return null;
  },
  async tcpReceive({ handle, timeoutMs }) {
    return { line: await held(handle, Connection).line(timeoutMs) };
  },
  tcpIsAlive: ({ handle, timeoutMs }) => held(handle, Connection).isAlive(timeoutMs),
  async tcpConnectMany(args) {
    const group = await ConnectionGroup.open(args);
    return { handle: keep(group), outcomes: group.outcomes };
  },
  tcpCountAlive: ({ handle, timeoutMs }) => held(handle, ConnectionGroup).countAlive(timeoutMs),
  transfer,
  async udpServer(args) {
    const server = await UdpServer.listen(args);
    return { handle: keep(server), port: server.port };
  },
  async udpOpen(args) {
    const client = await UdpClient.open(args);
    return { handle: keep(client), local: client.local };
  },
  async udpSend({ handle, ...payload }) {
    await held(handle, UdpClient).send(payload);
    return null;
  },
  udpReceive: ({ handle, timeoutMs }) => held(handle, UdpClient).receive(timeoutMs),
  udpExchange,
  udpExchangeMany,
  async udpStream(args) {
    return { handle: keep(await UdpStream.start(args)) };
  },
  async udpStreamStop({ handle, settleMs }) {
    const report = await held(handle, UdpStream).stop(settleMs);
    release(handle, false);
    return report;
  },
  async close({ handle, reset = false }) {
    release(handle, reset);
    return null;
  },
};

async function answer({ id, operation, args }: Request): Promise<void> {
  const handler = handlers[operation] as (args: unknown) => Promise<unknown>;
  let response: Response;
  try {
    response = { id, result: await handler(args) };
  } catch (error) {
    response = { id, error: toAgentError(error) };
  }
  process.stdout.write(`${JSON.stringify(response)}\n`);
}

createInterface({ input: process.stdin })
  .on('line', (line) => void answer(JSON.parse(line) as Request))
  .on('close', () => process.exit(0));
// Ctrl-C reaches the whole process group; the client decides when its agents end.
process.on('SIGINT', () => undefined);
process.stdout.write(`${JSON.stringify({ id: 0, result: null } satisfies Response)}\n`);

/**
 * One check of one member, over a socket of its own but for pings, which have one for all. Guarantees:
 * 1. It is over after its timeout, whatever the member does or sends.
 * 2. No more than 64 KiB of an answer are kept, and no more than 8 KiB of head.
 * 3. It leaves no connection behind: one that the member did not close is reset.
 */
import { createSocket } from 'node:dgram';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HealthCheck } from '../model/balancer.js';
import type { IpAddress } from '../model/ip.js';
import { EchoProbe } from '../system/echo-probe.js';

export interface Probe {
  readonly check: HealthCheck;
  readonly address: IpAddress;
  readonly port: number;
  /** The gateway's own in the VPC: whose answers come back to it. */
  readonly from: string | undefined;
}

/** Why it failed, in a few words; `undefined` when it did not. */
export type Failure = string | undefined;

const MAX_HEAD = 8 * 1024;
const MAX_ANSWER = 64 * 1024;

export class MemberChecks {
  readonly #echo = new EchoProbe();

  check = (probe: Probe): Promise<Failure> =>
    probe.check.type === 'Ping' ? byEcho(probe, this.#echo) : checkMember(probe);

  stop(): void {
    this.#echo.stop();
  }
}

/** Of any type but a ping. */
export const checkMember = (probe: Probe): Promise<Failure> =>
  new Promise((resolve) => (probe.check.type === 'UDP' ? overUdp : overTcp)(probe, resolve));

async function byEcho({ check, address, from }: Probe, echo: EchoProbe): Promise<Failure> {
  const echoed = await echo.ping(from ?? ANY[address.family], address.text, check.timeoutMs);
  if (echoed === 'Answered') return undefined;
  return echoed === 'Lost' ? noAnswer(check) : (WORDS[echoed.unsent] ?? echoed.unsent);
}

const ANY = { 4: '0.0.0.0', 6: '::' } as const;
const noAnswer = ({ timeoutMs }: HealthCheck): string => `no answer within ${timeoutMs} ms`;

function overTcp({ check, address, port, from }: Probe, resolve: (failure: Failure) => void): void {
  const where = { host: address.text, port, ...(from === undefined ? {} : { localAddress: from }) };
  const socket: Socket =
    check.type === 'HTTPS'
      ? connectTls({
          ...where,
          rejectUnauthorized: false,
          ...(check.serverName === undefined ? {} : { servername: check.serverName }),
        })
      : connectTcp(where);
  const end = (failure: Failure): void => {
    clearTimeout(timer);
    socket.removeAllListeners('data');
    socket.on('error', () => undefined);
    // One that is not connected yet would wait for that before it is reset.
    if (check.type === 'HTTPS' || socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
    resolve(failure);
  };
  const timer = setTimeout(() => end(noAnswer(check)), check.timeoutMs);
  socket.once('error', (error: NodeJS.ErrnoException) => end(wordsFor(error)));
  if (check.type === 'TCP') socket.once('connect', () => end(undefined));
  else converse(socket, check, address, end);
}

function converse(socket: Socket, check: HealthCheck, address: IpAddress, end: (failure: Failure) => void): void {
  let answer = '';
  const look = (ended: boolean): void => {
    const verdict = judgeAnswer(answer, check, ended);
    if (verdict !== 'more') end(verdict.failure);
  };
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    answer += chunk.slice(0, MAX_ANSWER - answer.length);
    look(answer.length >= MAX_ANSWER);
  });
  socket.once('end', () => look(true));
  socket.once(check.type === 'HTTPS' ? 'secureConnect' : 'connect', () => {
    const host = check.host ?? (address.family === 6 ? `[${address.text}]` : address.text);
    // The older version, so that no answer comes in chunks.
    socket.write(
      `${check.method} ${check.path} HTTP/1.0\r\nHost: ${host}\r\nUser-Agent: vpcgw\r\nConnection: close\r\n\r\n`,
    );
  });
}

/** Of an answer as far as it has come; `more` when what has come does not decide it. */
export function judgeAnswer(
  answer: string,
  { codes, body }: Pick<HealthCheck, 'codes' | 'body'>,
  ended: boolean,
): { readonly failure: Failure } | 'more' {
  const lineEnd = answer.indexOf('\n');
  if (lineEnd < 0) {
    if (answer === '' && ended) return { failure: 'closed without an answer' };
    return ended || answer.length > MAX_HEAD ? { failure: 'an answer that is not HTTP' } : 'more';
  }
  const status = /^HTTP\/\d(?:\.\d)? (\d{3})/.exec(answer)?.[1];
  if (status === undefined) return { failure: 'an answer that is not HTTP' };
  if (!codes.some(({ first, last }) => Number(status) >= first && Number(status) <= last))
    return { failure: `status ${status}` };
  if (body === undefined) return { failure: undefined };
  const head = /\r?\n\r?\n/.exec(answer);
  const wanted = Buffer.from(body, 'utf8').toString('latin1');
  if (head && answer.includes(wanted, head.index)) return { failure: undefined };
  if (!head && answer.length > MAX_HEAD) return { failure: `a head of more than ${MAX_HEAD} bytes` };
  return ended ? { failure: 'the body does not contain what it should' } : 'more';
}

/** Nothing is asked of what would answer: an ICMP error is down, and silence is not. */
function overUdp({ check, address, port, from }: Probe, resolve: (failure: Failure) => void): void {
  const socket = createSocket(address.family === 4 ? 'udp4' : 'udp6');
  const end = (failure: Failure): void => {
    clearTimeout(timer);
    socket.removeAllListeners();
    socket.on('error', () => undefined);
    socket.close();
    resolve(failure);
  };
  const timer = setTimeout(() => end(undefined), check.timeoutMs);
  const refuse = (error: NodeJS.ErrnoException | null): void => void (error && end(wordsFor(error)));
  socket.once('error', refuse);
  socket.once('message', () => end(undefined));
  socket.once('connect', () => socket.send(Buffer.alloc(1), refuse));
  socket.bind({ ...(from === undefined ? {} : { address: from }) }, () => socket.connect(port, address.text));
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
};

const wordsFor = (error: NodeJS.ErrnoException): string => WORDS[error.code ?? ''] ?? error.code ?? error.message;

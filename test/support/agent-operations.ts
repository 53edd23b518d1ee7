// What a traffic agent can be asked, in both directions of the line: `agent.ts` asks, `agent-main/` answers.
// One JSON object a line: {id, operation, args} → {id, result} or {id, error}.

export interface Endpoint {
  address: string;
  port: number;
}

/** What a server of the laboratory says first on every connection: which it is, and whom it believes to talk to. */
export interface Greeting {
  /** The label of the server's namespace. */
  server: string;
  local: Endpoint;
  remote: Endpoint;
}

export interface AgentError {
  /** As the kernel names it (`ECONNREFUSED`, `EHOSTUNREACH`, …), or `TIMEOUT`, or `CLOSED` by the other side. */
  code: string;
  message: string;
}

/** One of many attempts: what came of it, or why not. */
export type Outcome<Value> = (Value & { error?: never }) | { error: AgentError };

export interface Target {
  to: string;
  port: number;
  /** Source address; the kernel chooses if absent. */
  from?: string | undefined;
}

export interface TimedTarget extends Target {
  localPort?: number | undefined;
  timeoutMs?: number | undefined;
}

/**
 * After the greeting: `echo` sends everything back; `whoami` closes; `sink` swallows, and at the client's end answers
 * one line with a `Received`; `source` announces a `Received` in one line, then sends so much, then closes.
 */
export type TcpServerMode = 'echo' | 'whoami' | 'sink' | 'source';

export interface Received {
  bytes: number;
  sha256: string;
}

export interface TcpServerArgs {
  port: number;
  /** All addresses, both families, if absent. */
  address?: string | undefined;
  mode?: TcpServerMode | undefined;
  /** How much a `source` sends. */
  bytes?: number | undefined;
}

export interface TcpConnectArgs extends TimedTarget {
  /** false for a server that is not one of ours and says nothing first. */
  greeting?: boolean | undefined;
}

export interface TcpOpened {
  local: Endpoint;
  greeting?: Greeting;
}

export interface ConnectManyArgs {
  targets: readonly (Target & { localPort?: number | undefined })[];
  /** Connections to each target. */
  count?: number | undefined;
  concurrency?: number | undefined;
  timeoutMs?: number | undefined;
}

export interface TransferArgs extends Target {
  bytes: number;
  /** `both` asks an `echo` server, `up` a `sink`, `down` a `source`. */
  direction?: 'both' | 'up' | 'down' | undefined;
  timeoutMs?: number | undefined;
}

export interface TransferReport {
  sent?: Received | undefined;
  received?: Received | undefined;
  /** Both ends saw the same bytes. */
  intact: boolean;
  durationMs: number;
}

/** `echo` sends the datagram back as it is; `whoami` answers with a `UdpGreeting`. */
export type UdpServerMode = 'echo' | 'whoami';

export interface UdpServerArgs {
  port: number;
  /** Named, because a reply from a socket on all addresses may leave by another address than was asked. */
  address: string;
  mode?: UdpServerMode | undefined;
}

export interface UdpGreeting extends Greeting {
  bytes: number;
}

/**
 * The socket is connected: it takes replies from no one else, and hears of ICMP errors as ECONNREFUSED or EMSGSIZE.
 * What fits the path MTU that the kernel knows is sent with DF; after EMSGSIZE the kernel knows better and fragments.
 */
export interface UdpOpenArgs extends Target {
  localPort?: number | undefined;
  ttl?: number | undefined;
}

/** Text, or so many bytes of filling. */
export interface Payload {
  payload?: string | undefined;
  bytes?: number | undefined;
}

export interface UdpExchangeArgs extends UdpOpenArgs, Payload {
  timeoutMs?: number | undefined;
}

export interface UdpReply {
  local: Endpoint;
  bytes: number;
  /** The text that came back; empty when it is longer than 2 KB. */
  text: string;
  /** From a `whoami` server. */
  greeting?: UdpGreeting | undefined;
}

export interface UdpStreamArgs extends UdpOpenArgs {
  intervalMs: number;
}

export interface UdpStreamReport {
  sent: number;
  received: number;
  duplicates: number;
  /** Sequence numbers that never came back, from 0. */
  lost: number[];
  /** Between two arrivals, or from the last one to the end of sending. */
  longestGapMs: number;
  /** How often each error was met. */
  errors: Record<string, number>;
}

interface Opened {
  handle: number;
}

export interface Operations {
  tcpServer: { args: TcpServerArgs; result: Opened & { port: number } };
  tcpConnect: { args: TcpConnectArgs; result: Opened & TcpOpened };
  tcpSend: { args: { handle: number; text: string }; result: null };
  tcpReceive: { args: { handle: number; timeoutMs?: number | undefined }; result: { line: string } };
  tcpIsAlive: { args: { handle: number; timeoutMs?: number | undefined }; result: boolean };
  tcpConnectMany: { args: ConnectManyArgs; result: Opened & { outcomes: Outcome<TcpOpened>[] } };
  tcpCountAlive: { args: { handle: number; timeoutMs?: number | undefined }; result: number };
  transfer: { args: TransferArgs; result: TransferReport };
  udpServer: { args: UdpServerArgs; result: Opened & { port: number } };
  udpOpen: { args: UdpOpenArgs; result: Opened & { local: Endpoint } };
  udpSend: { args: Payload & { handle: number }; result: null };
  udpReceive: { args: { handle: number; timeoutMs?: number | undefined }; result: UdpReply };
  udpExchange: { args: UdpExchangeArgs; result: UdpReply };
  udpExchangeMany: { args: UdpExchangeArgs & { count: number }; result: Outcome<UdpReply>[] };
  udpStream: { args: UdpStreamArgs; result: Opened };
  udpStreamStop: { args: { handle: number; settleMs?: number | undefined }; result: UdpStreamReport };
  /** By RST with `reset`, so that neither side keeps a TIME_WAIT. */
  close: { args: { handle: number; reset?: boolean | undefined }; result: null };
}

export type OperationName = keyof Operations;

export interface Request<Name extends OperationName = OperationName> {
  id: number;
  operation: Name;
  args: Operations[Name]['args'];
}

export type Response = { id: number; result: unknown } | { id: number; error: AgentError };

export const defaultTimeoutMs = 3_000;

import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { ServerHandle, TcpConnection, TcpConnections, UdpSocket, UdpStream } from './agent-handles.js';
import type { Call } from './agent-handles.js';
import type {
  AgentError as AgentErrorBody,
  ConnectManyArgs,
  Outcome,
  Response,
  TcpConnectArgs,
  TcpServerArgs,
  TransferArgs,
  TransferReport,
  UdpExchangeArgs,
  UdpOpenArgs,
  UdpReply,
  UdpServerArgs,
  UdpStreamArgs,
} from './agent-operations.js';
import { agentProgram } from './agent-program.js';
import { runCommand } from './command.js';
import type { Namespace } from './namespace.js';

// Makes real traffic in a namespace: one long-lived process there, asked line by line. What fails throws an AgentError
// whose `code` tests compare: ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, ECONNRESET, TIMEOUT, CLOSED, …

export type { ServerHandle, TcpConnection, TcpConnections, UdpSocket, UdpStream } from './agent-handles.js';

export class AgentError extends Error {
  readonly code: string;

  constructor(operation: string, { code, message }: AgentErrorBody) {
    super(`${operation}: ${code}: ${message}`);
    this.name = 'AgentError';
    this.code = code;
  }
}

interface Waiting {
  operation: string;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

export class Agent {
  private readonly waiting = new Map<number, Waiting>();
  private readonly requests: Writable;
  private ended: Error | undefined;
  private lastId = 0;

  private constructor(
    readonly label: string,
    private readonly child: ChildProcess,
  ) {
    this.requests = child.stdin as Writable;
    this.requests.on('error', () => undefined);
    createInterface({ input: child.stdout as Readable }).on('line', (line) =>
      this.settle(JSON.parse(line) as Response),
    );
    child.once('exit', (code, signal) => this.end(`agent in ${label} ended: ${signal ?? code}`));
    child.once('error', (error) => this.end(`agent in ${label} did not start: ${error.message}`));
  }

  /** Ends with its namespace or with this process. */
  static async start(namespace: Namespace): Promise<Agent> {
    const argv = [process.execPath, await agentProgram(), namespace.label];
    const agent = new Agent(namespace.label, namespace.spawn(argv, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await agent.answer(0, 'start');
    return agent;
  }

  /** As if it were on a machine of its own: what others do takes no processor from it. */
  async onItsOwn(): Promise<void> {
    await runCommand(['chrt', '--all-tasks', '--rr', '--pid', '1', `${this.child.pid}`]);
  }

  async tcpServer(args: TcpServerArgs): Promise<ServerHandle> {
    const { handle, port } = await this.call('tcpServer', args);
    return new ServerHandle(this.call, handle, port);
  }

  /** Also waits for the server's greeting, so that data has gone both ways when it returns. */
  async tcpConnect(args: TcpConnectArgs): Promise<TcpConnection> {
    return new TcpConnection(this.call, await this.call('tcpConnect', args));
  }

  async tcpConnectMany(args: ConnectManyArgs): Promise<TcpConnections> {
    return new TcpConnections(this.call, await this.call('tcpConnectMany', args));
  }

  transfer(args: TransferArgs): Promise<TransferReport> {
    return this.call('transfer', args);
  }

  async udpServer(args: UdpServerArgs): Promise<ServerHandle> {
    const { handle, port } = await this.call('udpServer', args);
    return new ServerHandle(this.call, handle, port);
  }

  async udpOpen(args: UdpOpenArgs): Promise<UdpSocket> {
    const { handle, local } = await this.call('udpOpen', args);
    return new UdpSocket(this.call, handle, local);
  }

  /** One datagram there and one back, from a socket of its own. */
  udpExchange(args: UdpExchangeArgs): Promise<UdpReply> {
    return this.call('udpExchange', args);
  }

  udpExchangeMany(args: UdpExchangeArgs & { count: number }): Promise<Outcome<UdpReply>[]> {
    return this.call('udpExchangeMany', args);
  }

  async udpStream(args: UdpStreamArgs): Promise<UdpStream> {
    const { handle } = await this.call('udpStream', args);
    return new UdpStream(this.call, handle);
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.requests.end();
    await exited;
  }

  private readonly call: Call = (operation, args) => {
    const id = ++this.lastId;
    this.requests.write(`${JSON.stringify({ id, operation, args })}\n`);
    return this.answer(id, operation);
  };

  private answer<Result>(id: number, operation: string): Promise<Result> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { operation, resolve: resolve as (result: unknown) => void, reject });
    });
  }

  private settle(response: Response): void {
    const waiting = this.waiting.get(response.id);
    this.waiting.delete(response.id);
    if ('error' in response) waiting?.reject(new AgentError(`${this.label} ${waiting.operation}`, response.error));
    else waiting?.resolve(response.result);
  }

  private end(reason: string): void {
    this.ended = new Error(reason);
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.waiting.clear();
  }
}

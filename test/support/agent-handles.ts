import type {
  AgentError,
  Endpoint,
  Greeting,
  OperationName,
  Operations,
  Outcome,
  Payload,
  TcpOpened,
  UdpReply,
  UdpStreamReport,
} from './agent-operations.js';

// What an agent holds open for a test.

/** One operation, sent to the agent and answered. */
export type Call = <Name extends OperationName>(
  operation: Name,
  args: Operations[Name]['args'],
) => Promise<Operations[Name]['result']>;

class Handle {
  constructor(
    protected readonly call: Call,
    protected readonly handle: number,
  ) {}

  /** With `reset` by RST: neither side keeps a TIME_WAIT, and the same ports can be used again at once. */
  async close(options: { reset?: boolean } = {}): Promise<void> {
    await this.call('close', { handle: this.handle, ...options });
  }
}

export class ServerHandle extends Handle {
  constructor(
    call: Call,
    handle: number,
    readonly port: number,
  ) {
    super(call, handle);
  }
}

export class TcpConnection extends Handle {
  readonly local: Endpoint;
  private readonly greeted: Greeting | undefined;

  constructor(call: Call, { handle, local, greeting }: Operations['tcpConnect']['result']) {
    super(call, handle);
    this.local = local;
    this.greeted = greeting;
  }

  /** Who answered, on which of its addresses, and whom it saw. */
  get greeting(): Greeting {
    if (!this.greeted) throw new Error('connected without waiting for a greeting');
    return this.greeted;
  }

  async send(text: string): Promise<void> {
    await this.call('tcpSend', { handle: this.handle, text });
  }

  async receiveLine(timeoutMs?: number): Promise<string> {
    return (await this.call('tcpReceive', { handle: this.handle, timeoutMs })).line;
  }

  /** A fresh token goes to the echo server and comes back in time. */
  isAlive(timeoutMs?: number): Promise<boolean> {
    return this.call('tcpIsAlive', { handle: this.handle, timeoutMs });
  }
}

export class TcpConnections extends Handle {
  /** In the order of the targets. */
  readonly outcomes: readonly Outcome<TcpOpened>[];

  constructor(call: Call, { handle, outcomes }: Operations['tcpConnectMany']['result']) {
    super(call, handle);
    this.outcomes = outcomes;
  }

  /** Of those that were opened. */
  get greetings(): Greeting[] {
    return this.outcomes.flatMap(({ error, ...opened }) => (error ? [] : ((opened as TcpOpened).greeting ?? [])));
  }

  get errors(): AgentError[] {
    return this.outcomes.flatMap(({ error }) => error ?? []);
  }

  countAlive(timeoutMs?: number): Promise<number> {
    return this.call('tcpCountAlive', { handle: this.handle, timeoutMs });
  }
}

export class UdpSocket extends Handle {
  constructor(
    call: Call,
    handle: number,
    readonly local: Endpoint,
  ) {
    super(call, handle);
  }

  async send(payload: Payload): Promise<void> {
    await this.call('udpSend', { handle: this.handle, ...payload });
  }

  receive(timeoutMs?: number): Promise<UdpReply> {
    return this.call('udpReceive', { handle: this.handle, timeoutMs });
  }
}

export class UdpStream extends Handle {
  /** Waits at most `settleMs` for the echoes still under way. */
  stop(settleMs?: number): Promise<UdpStreamReport> {
    return this.call('udpStreamStop', { handle: this.handle, settleMs });
  }
}

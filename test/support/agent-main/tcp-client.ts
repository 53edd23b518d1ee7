import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { defaultTimeoutMs } from '../agent-operations.js';
import type { ConnectManyArgs, Greeting, Outcome, TcpConnectArgs, TcpOpened } from '../agent-operations.js';
import { Deadline } from './deadline.js';
import { localEnd } from './endpoint.js';
import { inParallel, outcomeOf } from './failure.js';
import type { Resource } from './handles.js';
import { readLine } from './socket-line.js';

let tokens = 0;

export class Connection implements Resource {
  private constructor(
    readonly socket: Socket,
    readonly opened: TcpOpened,
  ) {}

  static async open(args: TcpConnectArgs, deadline = new Deadline(args.timeoutMs ?? defaultTimeoutMs)) {
    const { to, port, from, localPort, greeting = true } = args;
    const socket = connect({ host: to, port, localAddress: from, localPort, noDelay: true });
    try {
      await deadline.event(socket, 'connect', `connection to ${to} port ${port}`);
      // From here on an error is found by whoever uses the socket next.
      socket.on('error', () => socket.destroy());
      const opened: TcpOpened = { local: localEnd(socket) };
      if (greeting) opened.greeting = JSON.parse(await readLine(socket, deadline)) as Greeting;
      return new Connection(socket, opened);
    } catch (error) {
      socket.on('error', () => undefined).destroy();
      throw error;
    }
  }

  send(text: string): void {
    this.socket.write(text);
  }

  line(timeoutMs = defaultTimeoutMs): Promise<string> {
    return readLine(this.socket, new Deadline(timeoutMs));
  }

  /** A token of its own has come back from the echo server; lines that were under way are skipped. */
  async isAlive(timeoutMs = defaultTimeoutMs): Promise<boolean> {
    const deadline = new Deadline(timeoutMs);
    const token = `alive ${++tokens}`;
    this.send(`${token}\n`);
    try {
      while ((await readLine(this.socket, deadline)) !== token);
      return true;
    } catch {
      return false;
    }
  }

  close(reset: boolean): void {
    if (reset) this.socket.resetAndDestroy();
    else this.socket.resume().end();
  }
}

/** Many connections, opened and probed together. */
export class ConnectionGroup implements Resource {
  private readonly connections: Connection[] = [];
  readonly outcomes: Outcome<TcpOpened>[] = [];

  static async open({ targets, count = 1, concurrency = 200, timeoutMs }: ConnectManyArgs): Promise<ConnectionGroup> {
    const group = new ConnectionGroup();
    const attempts = targets.flatMap((target) => Array.from({ length: count }, () => target));
    const outcomes = await inParallel(attempts, concurrency, (target) =>
      outcomeOf(Connection.open({ ...target, timeoutMs })),
    );
    for (const outcome of outcomes) {
      if (outcome instanceof Connection) group.connections.push(outcome);
      group.outcomes.push(outcome instanceof Connection ? outcome.opened : outcome);
    }
    return group;
  }

  async countAlive(timeoutMs?: number): Promise<number> {
    const answers = await Promise.all(this.connections.map((connection) => connection.isAlive(timeoutMs)));
    return answers.filter(Boolean).length;
  }

  close(reset: boolean): void {
    for (const connection of this.connections) connection.close(reset);
  }
}

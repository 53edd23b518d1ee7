import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { isIPv6 } from 'node:net';
import { defaultTimeoutMs } from '../agent-operations.js';
import type {
  Endpoint,
  Outcome,
  Payload,
  UdpExchangeArgs,
  UdpGreeting,
  UdpOpenArgs,
  UdpReply,
  UdpServerArgs,
} from '../agent-operations.js';
import { Deadline } from './deadline.js';
import { endpoint, greetingFor } from './endpoint.js';
import { inParallel, outcomeOf } from './failure.js';
import type { Resource } from './handles.js';

const longestText = 2048;
const receiveBufferBytes = 4 * 1024 * 1024;

export class UdpServer implements Resource {
  private constructor(private readonly socket: Socket) {}

  static async listen({ port, address, mode = 'echo' }: UdpServerArgs): Promise<UdpServer> {
    const socket = newSocket(address);
    socket.bind(port, address);
    await once(socket, 'listening');
    // An ICMP error about a reply that nobody wanted any more.
    socket.on('error', () => undefined);
    const local = boundTo(socket);
    socket.on('message', (message: Buffer, remote: RemoteInfo) => {
      const { address: to, port: toPort } = remote;
      const greeting: UdpGreeting = { ...greetingFor(local, endpoint(to, toPort)), bytes: message.length };
      socket.send(mode === 'echo' ? message : JSON.stringify(greeting), toPort, to, () => undefined);
    });
    return new UdpServer(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  close(): void {
    this.socket.close();
  }
}

export class UdpClient implements Resource {
  private readonly arrived: (Buffer | Error)[] = [];
  private readonly arrivals = new EventEmitter();

  private constructor(readonly socket: Socket) {
    socket.on('message', (message: Buffer) => this.arrive(message));
    socket.on('error', (error) => this.arrive(error));
  }

  static async open({ to, port, from, localPort, ttl }: UdpOpenArgs): Promise<UdpClient> {
    const socket = newSocket(to);
    try {
      socket.bind(localPort ?? 0, from);
      await once(socket, 'listening');
      socket.connect(port, to);
      await once(socket, 'connect');
      if (ttl !== undefined) socket.setTTL(ttl);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new UdpClient(socket);
  }

  get local(): Endpoint {
    return boundTo(this.socket);
  }

  /** EMSGSIZE may be met here or, when it is news, at the next `receive`. */
  send({ payload, bytes = 0 }: Payload): Promise<void> {
    const message = payload === undefined ? Buffer.alloc(bytes, 'x') : Buffer.from(payload);
    return new Promise((resolve, reject) => {
      this.socket.send(message, (error) => (error ? reject(error) : resolve()));
    });
  }

  async receive(timeoutMs = defaultTimeoutMs): Promise<UdpReply> {
    if (this.arrived.length === 0) await new Deadline(timeoutMs).event(this.arrivals, 'arrived', 'reply');
    const item = this.arrived.shift();
    if (item instanceof Error) throw item;
    if (!item) throw new Error('two readers of one socket');
    const text = item.length > longestText ? '' : item.toString();
    return { local: this.local, bytes: item.length, text, greeting: greetingIn(text) };
  }

  async exchange(payload: Payload, timeoutMs?: number): Promise<UdpReply> {
    await this.send(payload);
    return this.receive(timeoutMs);
  }

  close(): void {
    this.socket.close();
  }

  private arrive(item: Buffer | Error): void {
    this.arrived.push(item);
    this.arrivals.emit('arrived');
  }
}

export async function udpExchange(args: UdpExchangeArgs): Promise<UdpReply> {
  const client = await UdpClient.open(args);
  try {
    return await client.exchange(args, args.timeoutMs);
  } finally {
    client.close();
  }
}

/** From a source port each. All sockets stay open until the last has its answer, so that no port is used twice. */
export async function udpExchangeMany(args: UdpExchangeArgs & { count: number }): Promise<Outcome<UdpReply>[]> {
  const clients: UdpClient[] = [];
  const slots = Array.from({ length: args.count }, (_, index) => index);
  try {
    return await inParallel(slots, 100, () =>
      outcomeOf(
        UdpClient.open(args).then((client) => {
          clients.push(client);
          return client.exchange(args, args.timeoutMs);
        }),
      ),
    );
  } finally {
    for (const client of clients) client.close();
  }
}

function greetingIn(text: string): UdpGreeting | undefined {
  return text.startsWith('{"server"') ? (JSON.parse(text) as UdpGreeting) : undefined;
}

function newSocket(address: string): Socket {
  const type = isIPv6(address) ? 'udp6' : 'udp4';
  return createSocket({ type, recvBufferSize: receiveBufferBytes });
}

function boundTo(socket: Socket): Endpoint {
  const { address, port } = socket.address();
  return { address, port };
}

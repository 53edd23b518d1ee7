/**
 * Packets that firewall rules log, read by ulogd: a child that runs only while some rule asks for it. It hands them over
 * by a unix socket of ours, a line of JSON each.
 */
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NFLOG_GROUP } from '../model/ownership.js';
import { Doorbell } from './doorbell.js';

export interface LoggedPacket {
  /** As the rule was given it: `Deny/100/FirewallPolicy/web`. */
  readonly prefix: string;
  readonly from: string;
  readonly to: string;
  /** The number of the protocol, as in /etc/protocols. */
  readonly protocol: number;
  readonly fromPort: number | undefined;
  readonly toPort: number | undefined;
}

const PLUGINS = ['inppkt_NFLOG', 'raw2packet_BASE', 'filter_IFINDEX', 'filter_IP2STR', 'output_JSON'];

export class PacketLog {
  #child: Doorbell | undefined;
  #server: Server | undefined;

  /** `directory` must be writable; the configuration and the socket go there. */
  constructor(
    private readonly directory: string,
    private readonly onPacket: (packet: LoggedPacket) => void,
    /** Told why packets cannot be logged: no change and no start fails for it. */
    private readonly onTrouble: (error: unknown) => void,
  ) {}

  set(wanted: boolean): void {
    if (!wanted) return this.stop();
    if (this.#child) return;
    try {
      this.#start();
    } catch (error) {
      this.#fail(error);
    }
  }

  stop(): void {
    this.#child?.stop();
    this.#server?.close();
    this.#child = undefined;
    this.#server = undefined;
  }

  /** It is tried again when it is wanted next. */
  #fail(error: unknown): void {
    this.stop();
    this.onTrouble(error);
  }

  #start(): void {
    const socket = join(this.directory, 'packets.sock');
    const config = join(this.directory, 'ulogd.conf');
    mkdirSync(this.directory, { recursive: true });
    rmSync(socket, { force: true });
    writeFileSync(config, configOf(socket), { mode: 0o600 });
    // It says nothing to us that would end it when we are killed, and one left over keeps its successor from the packets.
    const child = new Doorbell(
      ['ulogd', '-c', config],
      () => undefined,
      () => undefined,
    );
    this.#child = child;
    this.#server = createServer((connection) => {
      connection.on('error', () => undefined);
      // Nobody waits for the other side to hang up.
      connection.unref();
      createInterface({ input: connection }).on('line', (line) => this.#read(line));
    });
    this.#server.on('error', (error) => this.#fail(error));
    this.#server.listen(socket, () => {
      chmodSync(socket, 0o600);
      if (this.#child === child) child.start();
    });
  }

  #read(line: string): void {
    const fields = fieldsOf(line);
    if (!fields) return;
    const port = (name: string): number | undefined => (fields[name] === undefined ? undefined : Number(fields[name]));
    this.onPacket({
      prefix: String(fields['oob.prefix'] ?? ''),
      from: String(fields['src_ip'] ?? ''),
      to: String(fields['dest_ip'] ?? ''),
      protocol: Number(fields['ip.protocol'] ?? fields['ip6.nexthdr'] ?? 0),
      fromPort: port('src_port') ?? port('tcp.sport') ?? port('udp.sport'),
      toPort: port('dest_port') ?? port('tcp.dport') ?? port('udp.dport'),
    });
  }
}

type Fields = Readonly<Record<string, string | number | undefined>>;

/** The last line of a child that is killed may be cut short. */
function fieldsOf(line: string): Fields | undefined {
  try {
    return JSON.parse(line) as Fields;
  } catch {
    return undefined;
  }
}

const configOf = (socket: string): string =>
  [
    '[global]',
    'logfile="/dev/null"',
    ...PLUGINS.map((name) => `plugin="${pluginFolder()}/ulogd_${name}.so"`),
    'stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,json1:JSON',
    '[log1]',
    `group=${NFLOG_GROUP}`,
    '[json1]',
    'mode="unix"',
    `file="${socket}"`,
    '',
  ].join('\n');

/** Debian puts them into a folder that is named after the machine. */
function pluginFolder(): string {
  const machine = readdirSync('/usr/lib').find((name) => /-linux-gnu/.test(name)) ?? '';
  return `/usr/lib/${machine}/ulogd`;
}

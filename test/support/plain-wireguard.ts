import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exampleKey, examplePublicKey } from './example-keys.js';
import type { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';

// The other end of a tunnel, set up by hand with `wg`, as an administrator of a site would do.

let folders = 0;
let links = 0;

/** For `vpcgw run --keys`: each file holds the example key of its name, or what is given. */
export class Keys {
  readonly directory = join(currentRun().directory, `keys-${folders++}`);

  constructor(...files: readonly string[]) {
    mkdirSync(this.directory, { mode: 0o700 });
    for (const file of files) this.write(file, exampleKey(file));
  }

  write(file: string, text: string): void {
    const path = join(this.directory, file);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /** What is in one file is in all of the others, at one stroke. */
  swap(from: string, ...names: readonly string[]): void {
    const link = join(this.directory, 'current');
    for (const name of names) {
      symlinkSync(from, `${link}.new`);
      renameSync(`${link}.new`, join(this.directory, name));
    }
  }

  get args(): readonly string[] {
    return ['--keys', this.directory];
  }
}

export const kernelHasWireGuard = ((): boolean => {
  const name = `wgt${process.pid}`;
  const there = spawnSync('ip', ['link', 'add', name, 'type', 'wireguard']).status === 0;
  if (there) spawnSync('ip', ['link', 'delete', name]);
  return there;
})();

/** The one tunnel that a gateway has. */
export async function tunnelOf(gateway: Namespace): Promise<string> {
  const { stdout } = await gateway.exec(['ip', '-o', 'link', 'show', 'up']);
  const found = /^\d+: (vw-[^:@]+)/m.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`${gateway.label} has no tunnel:\n${stdout}`);
  return found;
}

/** A column of `wg show LINK WHAT`, by public key. */
export async function tunnelShows(
  gateway: Namespace,
  what: 'endpoints' | 'latest-handshakes' | 'allowed-ips',
): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await gateway.exec(['wg', 'show', await tunnelOf(gateway), what]);
  return new Map(
    stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t') as [string, string]),
  );
}

export interface PlainPeer {
  publicKey: string;
  psk?: string;
  endpoint?: string;
  networks: readonly string[];
  keepaliveS?: number;
}

export interface PlainOptions {
  /** Of its example key. */
  key: string;
  port: number;
  /** With prefix lengths, on the tunnel. */
  addresses: readonly string[];
  mtu?: number;
  peers: readonly PlainPeer[];
}

export class PlainWireGuard {
  private constructor(
    readonly namespace: Namespace,
    readonly link: string,
    readonly publicKey: string,
  ) {}

  static async create(namespace: Namespace, options: PlainOptions): Promise<PlainWireGuard> {
    const { key, port, addresses, mtu = 1420, peers } = options;
    // Control sockets of wireguard-go are shared by all namespaces.
    const link = `${currentRun().prefix}w${links++}`;
    if (kernelHasWireGuard) await namespace.ip([`link add ${link} type wireguard`]);
    else await namespace.exec(['setsid', 'wireguard-go', link]);
    const plain = new PlainWireGuard(namespace, link, examplePublicKey(key));
    await plain.tell([
      '[Interface]',
      `PrivateKey = ${exampleKey(key)}`,
      `ListenPort = ${port}`,
      ...peers.flatMap(peerLines),
    ]);
    await namespace.ip([
      `link set ${link} addrgenmode none mtu ${mtu} up`,
      ...addresses.map((address) => `address add ${address} dev ${link}${address.includes(':') ? ' nodad' : ''}`),
      ...[...new Set(peers.flatMap(({ networks }) => networks))].map(
        (network) => `route replace ${network} dev ${link}`,
      ),
    ]);
    return plain;
  }

  /** As `wg addconf` takes it. */
  async tell(lines: readonly string[]): Promise<void> {
    const file = join(currentRun().directory, `${this.link}.conf`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    chmodSync(file, 0o600);
    await this.namespace.exec(['wg', 'addconf', this.link, file]);
  }

  set(...args: readonly string[]): Promise<unknown> {
    return this.namespace.exec(['wg', 'set', this.link, ...args]);
  }

  /** Where it believes a peer to be, as soon as it has heard of it. */
  async endpointOf(publicKey: string, timeoutMs = 5_000): Promise<string> {
    return this.until(async () => {
      const { stdout } = await this.namespace.exec(['wg', 'show', this.link, 'endpoints']);
      const found = stdout
        .split('\n')
        .find((line) => line.startsWith(publicKey))
        ?.split('\t')[1];
      return found === '(none)' ? undefined : found;
    }, timeoutMs);
  }

  private async until<Answer>(probe: () => Promise<Answer | undefined>, timeoutMs: number): Promise<Answer> {
    for (const deadline = performance.now() + timeoutMs; ; await sleep(20)) {
      const answer = await probe();
      if (answer !== undefined) return answer;
      if (performance.now() > deadline) throw new Error(`${this.link}: nothing heard within ${timeoutMs} ms`);
    }
  }

  /** `wireguard-go` ends with its link. */
  delete(): Promise<void> {
    return this.namespace.ip([`link delete ${this.link}`]);
  }
}

export const peerLines = ({ publicKey, psk, endpoint, networks, keepaliveS }: PlainPeer): string[] => [
  '[Peer]',
  `PublicKey = ${publicKey}`,
  ...(psk === undefined ? [] : [`PresharedKey = ${psk}`]),
  ...(endpoint === undefined ? [] : [`Endpoint = ${endpoint}`]),
  `AllowedIPs = ${networks.join(', ')}`,
  ...(keepaliveS === undefined ? [] : [`PersistentKeepalive = ${keepaliveS}`]),
];

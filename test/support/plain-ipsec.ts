import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate } from './certificates.js';
import { runCommand } from './command.js';
import type { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';

// The other end of a tunnel of IPsec: strongSwan, set up by hand, as an administrator of a site would do.

const IF_ID = 9;
const DEVICE = 'xf';
let peers = 0;

/** Whether this kernel can make a security association, asked of it otherwise than the gateway does. */
export const kernelHasEsp = ((): boolean => {
  const where = ['src', '127.0.0.2', 'dst', '127.0.0.2', 'proto', 'esp', 'spi', '0x1234'];
  const cipher = ['aead', 'rfc4106(gcm(aes))', `0x${'11'.repeat(20)}`, '128'];
  const there = spawnSync('ip', ['xfrm', 'state', 'add', ...where, 'mode', 'tunnel', ...cipher]).status === 0;
  if (there) spawnSync('ip', ['xfrm', 'state', 'delete', ...where]);
  return there;
})();

export interface PlainIpsecOptions {
  own: string;
  gateway: string;
  /** Another elastic IP of the gateway's, to which there is a tunnel too; what is sent goes by the first. */
  second?: string;
  psk?: string;
  /** Instead of the key; the last is the file of the authority that is trusted. */
  certificates?: Certificate & { readonly ca: string; readonly gatewayId: string };
  /** On the tunnel, of both families, without prefix lengths. */
  addresses: readonly string[];
  /** Its own, and those behind the gateway. */
  local: readonly string[];
  remote: readonly string[];
  mtu?: number;
  /** What it calls itself; its address without it. */
  ownId?: string;
  /** It calls; else it waits to be called. */
  calls?: boolean;
}

interface Tunnel {
  readonly name: string;
  readonly gateway: string;
  readonly device: string;
  readonly ifId: number;
}

const tunnelsOf = ({ gateway, second }: Pick<PlainIpsecOptions, 'gateway' | 'second'>): Tunnel[] =>
  [gateway, ...(second === undefined ? [] : [second])].map((address, i) => ({
    name: i === 0 ? 'gw' : `gw${i + 1}`,
    gateway: address,
    device: `${DEVICE}${i}`,
    ifId: IF_ID + i,
  }));

export class PlainIpsec {
  private readonly directory = join(currentRun().directory, `ipsec-${peers++}`);
  private readonly socket = join(this.directory, 'vici.sock');

  private constructor(readonly namespace: Namespace) {
    mkdirSync(this.directory);
  }

  static async create(namespace: Namespace, options: PlainIpsecOptions): Promise<PlainIpsec> {
    const plain = new PlainIpsec(namespace);
    const { addresses, remote, mtu = 1400 } = options;
    const tunnels = tunnelsOf(options);
    await namespace.ip([
      ...tunnels.flatMap(({ device, ifId }) => [
        `link add ${device} type xfrm if_id ${ifId}`,
        `link set ${device} addrgenmode none mtu ${mtu} up`,
      ]),
      ...addresses.map((address) => `address add ${address} dev ${DEVICE}0${address.includes(':') ? ' nodad' : ''}`),
      ...tunnels.flatMap(({ device }, i) =>
        remote.map(
          (network) => `route add ${network} dev ${device} metric ${100 + i} src ${sourceIn(network, addresses)}`,
        ),
      ),
    ]);
    plain.write('strongswan.conf', CHARON.replace('SOCKET', plain.socket).replace('LOG', join(plain.directory, 'log')));
    plain.write('program.conf', 'swanctl { load = random openssl pem x509 pkcs1 pkcs8 }\n');
    await plain.start();
    await plain.tell(options);
    return plain;
  }

  /** Its daemon, and ready. */
  async start(): Promise<void> {
    this.namespace.spawn(['env', `STRONGSWAN_CONF=${join(this.directory, 'strongswan.conf')}`, 'charon-systemd'], {
      stdio: 'ignore',
    });
    for (let tries = 0; !existsSync(this.socket) && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 50));
  }

  async tell(options: PlainIpsecOptions): Promise<void> {
    if (options.certificates) {
      mkdirSync(join(this.directory, 'private'), { recursive: true });
      copyFileSync(options.certificates.key, join(this.directory, 'private', 'site.key'));
    }
    this.write('site.conf', textOf(options));
    await this.swanctl('--load-all', '--clear', '--noprompt', '--file', join(this.directory, 'site.conf'));
  }

  async swanctl(...args: readonly string[]): Promise<string> {
    const program = ['env', `STRONGSWAN_CONF=${join(this.directory, 'program.conf')}`, 'swanctl'];
    const { stdout } = await runCommand([...program, ...args, '--uri', `unix://${this.socket}`]);
    return stdout;
  }

  /** Of the keys that packets pass by now, one each way, as this end has them. */
  async spis(): Promise<string[]> {
    const { stdout } = await this.namespace.exec(['ip', 'xfrm', 'state']);
    return [...stdout.matchAll(/proto esp spi (0x[0-9a-f]+)/g)].map(([, spi = '']) => spi).sort();
  }

  private write(file: string, text: string): void {
    writeFileSync(join(this.directory, file), text, { mode: 0o600 });
  }
}

const sourceIn = (network: string, addresses: readonly string[]): string =>
  addresses.find((address) => address.includes(':') === network.includes(':')) ?? '';

const CHARON = `charon-systemd {
  load = random nonce hmac sha2 kdf openssl pem x509 pubkey pkcs1 pkcs8 constraints kernel-netlink socket-default vici
  install_routes = no
  plugins {
    vici { socket = unix://SOCKET }
  }
  journal { default = -1 }
  filelog { f { path = LOG
      default = 1 } }
}
`;

const textOf = (options: PlainIpsecOptions): string =>
  ['connections {', ...tunnelsOf(options).map((tunnel) => connectionOf(tunnel, options)), '}', secretsOf(options)].join(
    '\n',
  );

const connectionOf = (
  { name, gateway, ifId }: Tunnel,
  { own, certificates, local, remote, ownId = own, calls = false }: PlainIpsecOptions,
): string => `  ${name} {
    version = 2
    local_addrs = ${own}
    remote_addrs = ${gateway}
    proposals = aes128gcm16-prfsha256-curve25519
    if_id_in = ${ifId}
    if_id_out = ${ifId}
    local { ${certificates ? `auth = pubkey\n      certs = ${certificates.cert}` : 'auth = psk'}
      id = ${ownId} }
    remote { ${certificates ? `auth = pubkey\n      cacerts = ${certificates.ca}` : 'auth = psk'}
      id = ${certificates?.gatewayId ?? gateway} }
    children {
      net {
        local_ts = ${local.join(', ')}
        remote_ts = ${remote.join(', ')}
        esp_proposals = aes128gcm16-curve25519
        start_action = ${calls ? 'trap|start' : 'none'}
      }
    }
  }`;

const secretsOf = ({ psk, ...options }: PlainIpsecOptions): string =>
  psk === undefined
    ? ''
    : `secrets {
${tunnelsOf(options)
  .map(({ name, gateway }) => `  ike-${name} {\n    id-1 = ${gateway}\n    secret = "${psk}"\n  }`)
  .join('\n')}
}
`;

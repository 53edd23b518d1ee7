import { type Document, elasticIp, gateway, ipsecConnection, vpnConnection } from '../support/documents.js';
import { examplePublicKey } from '../support/example-keys.js';
import { ports } from '../support/gateway-lab.js';
import type { Namespace } from '../support/namespace.js';
import { die, liveAgain } from '../support/pair-faults.js';
import { servePair } from '../support/pair-flows.js';
import { PairLab } from '../support/pair-lab.js';
import { kernelHasEsp, PlainIpsec } from '../support/plain-ipsec.js';
import { Keys, PlainWireGuard } from '../support/plain-wireguard.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// The node of the active member dies. Of two streams from one place, one goes to an elastic IP and one through a tunnel:
// how much longer the tunnel is silent than the elastic IP is away.

const SITE = '192.168.77.1';
const NETWORK = '192.168.77.0/24';
const LOCAL = '10.0.0.0/24';
const OUTSIDE = '198.51.100.1';
const EIP = { web: '203.0.113.10', vpn: '203.0.113.40' };
const PSK = 'correct-horse-battery';
const INTERVAL_MS = 2;
/** The other member is told every 2 s where a peer was seen last. */
const KNOWN_MS = 4_500;
const BACK_MS = 2_000;

interface Tunnel {
  readonly name: string;
  readonly keys: () => Keys;
  readonly connection: Document;
  readonly highAvailability: Readonly<Record<string, unknown>>;
  /** Its other end, set up by hand. */
  readonly site: (namespace: Namespace) => Promise<unknown>;
}

/** Its site calls from anywhere. */
const wireGuard: Tunnel = {
  name: 'failover-vpn',
  keys: () => new Keys('gateway'),
  connection: vpnConnection('site', {
    elasticIP: 'vpn',
    key: 'gateway',
    peers: [{ name: 'site', publicKey: examplePublicKey('site'), networks: [NETWORK] }],
  }),
  highAvailability: {},
  site: (namespace) =>
    PlainWireGuard.create(namespace, {
      key: 'site',
      port: 51820,
      addresses: [`${SITE}/24`],
      peers: [{ publicKey: examplePublicKey('gateway'), endpoint: `${EIP.vpn}:51820`, networks: [LOCAL] }],
    }),
};

/** In the lab kernel, whose one processor carries both members, adverts are a second apart. */
const ipsec: Tunnel = {
  name: 'failover-ipsec',
  keys() {
    const keys = new Keys();
    keys.write('site.psk', PSK);
    return keys;
  },
  connection: ipsecConnection('site', {
    elasticIP: 'vpn',
    peer: OUTSIDE,
    networks: [NETWORK],
    localNetworks: [LOCAL],
    psk: 'site.psk',
  }),
  highAvailability: { advertInterval: '1s' },
  site: (namespace) =>
    PlainIpsec.create(namespace, {
      own: OUTSIDE,
      gateway: EIP.vpn,
      psk: PSK,
      addresses: [SITE],
      local: [NETWORK],
      remote: [LOCAL],
    }),
};

const benchOf = (tunnel: Tunnel, possible: boolean): Bench => ({
  rows: [tunnel.name],
  async run({ short }) {
    if (!possible) {
      say(`${tunnel.name}: passed over, this kernel has no ESP`);
      return [];
    }
    const lab = new PairLab({
      vms: ['web', 'app'],
      args: tunnel.keys().args,
      documents: (tenant) => [
        gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes', ...tunnel.highAvailability } } }),
        elasticIp('web', EIP.web, { target: '10.0.0.5' }),
        elasticIp('vpn', EIP.vpn),
        tunnel.connection,
      ],
    });
    await lab.start();
    try {
      await servePair(lab);
      await tunnel.site(lab.topology.inet.namespace);
      const later: number[] = [];
      for (let run = 0; run < (short ? 3 : 10); run++) {
        later.push(await strike(lab));
        say(`${tunnel.name}: ${later.at(-1)?.toFixed(0)} ms`);
      }
      return [plain(tunnel.name, median(later), 'ms')];
    } finally {
      await lab.end();
    }
  },
});

export const failoverVpn = benchOf(wireGuard, true);
export const failoverIpsec = benchOf(ipsec, kernelHasEsp);

async function strike(lab: PairLab): Promise<number> {
  const { active, standby } = await lab.settled();
  const inet = await lab.inet();
  const stream = (from: string, to: string) =>
    inet.udpStream({ from, to, port: ports.udpEcho, intervalMs: INTERVAL_MS });
  const [tunnel, bound] = [await stream(SITE, '10.0.0.5'), await stream(OUTSIDE, EIP.web)];
  await lab.wait(KNOWN_MS);
  await die(active, lab);
  await lab.until('the other one speaks', () => standby.holdsLease());
  await lab.wait(BACK_MS);
  const [ofTunnel, ofAddress] = [await tunnel.stop(), await bound.stop()];
  await Promise.all([tunnel.close(), bound.close()]);
  await liveAgain(active, lab);
  if (ofTunnel.lost.at(-1) === ofTunnel.sent - 1) throw new Error('the tunnel did not come back');
  return ofTunnel.longestGapMs - ofAddress.longestGapMs;
}

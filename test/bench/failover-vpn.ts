import { elasticIp, gateway, vpnConnection } from '../support/documents.js';
import { examplePublicKey } from '../support/example-keys.js';
import { ports } from '../support/gateway-lab.js';
import { die, liveAgain } from '../support/pair-faults.js';
import { servePair } from '../support/pair-flows.js';
import { PairLab } from '../support/pair-lab.js';
import { Keys, PlainWireGuard } from '../support/plain-wireguard.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// The node of the active member dies. Of two streams from one place, one goes to an elastic IP and one through a tunnel,
// whose site calls from anywhere: how much longer the tunnel is silent than the elastic IP is away.

const SITE = '192.168.77.1';
const OUTSIDE = '198.51.100.1';
const EIP = { web: '203.0.113.10', vpn: '203.0.113.40' };
const INTERVAL_MS = 2;
/** The other member is told every 2 s where a peer was seen last. */
const KNOWN_MS = 4_500;
const BACK_MS = 2_000;

const documents = (tenant: Parameters<typeof gateway>[0]) => [
  gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes' } } }),
  elasticIp('web', EIP.web, { target: '10.0.0.5' }),
  elasticIp('vpn', EIP.vpn),
  vpnConnection('site', {
    elasticIP: 'vpn',
    key: 'gateway',
    peers: [{ name: 'site', publicKey: examplePublicKey('site'), networks: ['192.168.77.0/24'] }],
  }),
];

export const failoverVpn: Bench = {
  rows: ['failover-vpn'],
  async run({ short }) {
    const lab = new PairLab({ vms: ['web', 'app'], args: new Keys('gateway').args, documents });
    await lab.start();
    try {
      await servePair(lab);
      const { namespace } = lab.topology.inet;
      const site = await PlainWireGuard.create(namespace, {
        key: 'site',
        port: 51820,
        addresses: [`${SITE}/24`],
        peers: [{ publicKey: examplePublicKey('gateway'), endpoint: `${EIP.vpn}:51820`, networks: ['10.0.0.0/24'] }],
      });
      const later: number[] = [];
      for (let run = 0; run < (short ? 3 : 10); run++) {
        later.push(await strike(lab));
        say(`failover-vpn: ${later.at(-1)?.toFixed(0)} ms`);
      }
      await site.delete();
      return [plain('failover-vpn', median(later), 'ms')];
    } finally {
      await lab.end();
    }
  },
};

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
  if (ofTunnel.longestGapMs >= BACK_MS) throw new Error(`the tunnel was silent for ${ofTunnel.longestGapMs} ms`);
  return ofTunnel.longestGapMs - ofAddress.longestGapMs;
}

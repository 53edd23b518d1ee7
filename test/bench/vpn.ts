import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { Namespace } from '../support/namespace.js';
import { elasticIp as elasticIpOf, vpnConnection, type VpnPeer, vpnPeer } from '../support/documents.js';
import { examplePublicKey } from '../support/example-keys.js';
import { Keys, PlainWireGuard, tunnelShows } from '../support/plain-wireguard.js';
import { elasticIp, gatewayDocument, gatewayPlan, hosts } from './documents.js';
import { startEmpty, submit } from './gateway.js';
import { iperfServer, throughput } from './iperf.js';
import { buildNetwork, plainAddress, plainRange } from './network.js';
import { type Bench, compared, say } from './row.js';
import { median } from './statistics.js';

// A tunnel of a gateway beside one that was set up by hand on a router that tracks connections, and the edit of one peer
// beside a bare `wg set`. WireGuard is the kernel's or wireguard-go, as the machine has it, on both sides the same.

const plan = gatewayPlan('gateway', 1, 0);
const router = { label: 'plain', number: 2, destination: plainRange(2) };
const VM = '10.0.0.5';
const EIP = elasticIp(plan, 9);
const SITE = { gateway: '192.168.77.1', plain: '192.168.78.1' };

const documents = (peers: readonly VpnPeer[]) => [
  {
    file: 'documents.yaml',
    text: [
      gatewayDocument(plan),
      stringify(elasticIpOf('vpn', EIP)),
      stringify(vpnConnection('site', { elasticIP: 'vpn', localNetworks: [`${VM}/32`], key: 'gateway', peers })),
    ].join('---\n'),
  },
];
const site: VpnPeer = { name: 'site', publicKey: examplePublicKey('site'), networks: [`${SITE.gateway}/32`] };

/** By hand, on a router that tracks connections. */
async function plainEnd(plain: Namespace): Promise<void> {
  const tracking = ['*filter', '-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT', 'COMMIT\n'];
  await plain.exec(['iptables-restore'], { stdin: tracking.join('\n') });
  await PlainWireGuard.create(plain, {
    key: 'plain',
    port: 51820,
    mtu: 1440,
    addresses: [],
    peers: [{ publicKey: examplePublicKey('second'), networks: [`${SITE.plain}/32`] }],
  });
}

const ENDS = {
  gateway: { key: 'site', port: 51830, at: EIP, address: SITE.gateway, network: `${VM}/32`, number: 1 },
  plain: {
    key: 'second',
    port: 51831,
    at: hosts.externalAddress(2),
    address: SITE.plain,
    network: plainRange(2),
    number: 2,
  },
};

/** From the client a tunnel to one of the two, by which the server answers it. */
async function siteEnd(client: Namespace, server: Namespace, to: keyof typeof ENDS): Promise<void> {
  const { key, port, at, address, network, number } = ENDS[to];
  await PlainWireGuard.create(client, {
    key,
    port,
    mtu: 1440,
    addresses: [`${address}/32`],
    peers: [{ publicKey: examplePublicKey(to), endpoint: `${at}:51820`, networks: [network] }],
  });
  await server.ip([`route replace ${address} via ${hosts.nextHop(number)}`]);
}

export const vpnThroughput: Bench = {
  rows: ['vpn-throughput'],
  async run({ short }) {
    const keys = new Keys('gateway');
    const network = await buildNetwork([plan], [router]);
    try {
      const supervisor = await startEmpty(network.namespace('gateway'), { args: keys.args });
      await submit(supervisor, documents([site]));
      await plainEnd(network.namespace('plain'));
      for (const to of ['gateway', 'plain'] as const) await siteEnd(network.client, network.server, to);
      // One for each path: a server that has not seen the end of one client takes no other.
      const paths = [
        { to: VM, port: 5201, from: SITE.gateway, results: [] as number[] },
        { to: plainAddress(2, 1), port: 5202, from: SITE.plain, results: [] as number[] },
      ];
      for (const { port } of paths) await iperfServer(network.server, { port });
      const rounds = short ? 2 : 11;
      for (let round = 0; round < rounds; round++) {
        say(`vpn-throughput: ${round + 1} of ${rounds}`);
        for (const { to, port, from, results } of round % 2 === 0 ? paths : [...paths].reverse())
          results.push((await throughput(network.client, { to, port, from, seconds: 1 })) / 1e6);
      }
      const [gateway = 0, plain = 0] = paths.map(({ results }) => median(results));
      return [compared('vpn-throughput', gateway, 'Mbit/s', plain)];
    } finally {
      network.destroy();
    }
  },
};

/** With the one that is connected 1,000; each in a document of its own. */
const PEERS = 999;
const peerAt = (number: number, network = number): VpnPeer => ({
  name: `peer-${number}`,
  publicKey: examplePublicKey(`peer-${number}`),
  networks: [`172.16.${network >> 8}.${network & 255}/32`],
});

const peerFile = (peer: VpnPeer) => ({ file: `${peer.name}.yaml`, text: stringify(vpnPeer('site', peer)) });

/** From the POST of a peer's document until the answer, which comes after the tunnel was read back. */
export const vpnPeers: Bench = {
  rows: ['vpn-peers'],
  async run({ short }) {
    const keys = new Keys('gateway');
    const network = await buildNetwork([plan], [router]);
    try {
      const [gateway, bare] = [network.namespace('gateway'), network.namespace('plain')];
      const supervisor = await startEmpty(gateway, { args: keys.args });
      const all = Array.from({ length: PEERS }, (_, i) => peerAt(i));
      say(`vpn-peers: ${PEERS} peers`);
      await submit(supervisor, [...documents([site]), ...all.map(peerFile)]);
      const peers = all.map(({ publicKey, networks }) => ({ publicKey, networks }));
      const plain = await PlainWireGuard.create(bare, { key: 'plain', port: 51820, addresses: [], peers });
      await siteEnd(network.client, network.server, 'gateway');
      await network.client.exec(['ping', '-c', '1', '-W', '5', '-I', SITE.gateway, VM]);
      const handshake = async () => (await tunnelShows(gateway, 'latest-handshakes')).get(site.publicKey);
      const before = await handshake();
      const [edits, sets]: [number[], number[]] = [[], []];
      for (let edit = 0; edit < (short ? 4 : 40); edit++) {
        await sleep(110);
        const number = edit * 7;
        edits.push(await submit(supervisor, [peerFile(peerAt(number, 2_000 + edit))]));
        const began = performance.now();
        await plain.set('peer', all[number]?.publicKey ?? '', 'allowed-ips', `172.16.9.${edit}/32`);
        sets.push(performance.now() - began);
      }
      if (before === undefined || before === '0' || (await handshake()) !== before)
        throw new Error('the edits disturbed the session of another peer');
      return [compared('vpn-peers', median(edits), 'ms', median(sets))];
    } finally {
      network.destroy();
    }
  },
};

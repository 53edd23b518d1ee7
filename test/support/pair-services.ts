import { dedicatedLine, type Document, elasticIp, loadBalancer, vpnConnection } from './documents.js';
import { examplePublicKey } from './example-keys.js';
import { ports, serve } from './gateway-lab.js';
import type { FlowsBeside, PairFlow } from './pair-flows.js';
import type { PairLab } from './pair-lab.js';
import { Keys, PlainWireGuard } from './plain-wireguard.js';
import { Site } from './site.js';

// What a pair carries beside translation: a load balancer, an office behind a dedicated line, and a branch behind a tunnel
// that calls from anywhere. Both members have their ends of each.

/** The elastic IP that is shared. */
const BALANCED = '203.0.113.20';
const OFFICE = { address: '172.20.0.1', network: '172.20.0.0/16' };
const BRANCH = { address: '192.168.77.1', network: '192.168.77.0/24' };
const TUNNEL_EIP = '203.0.113.40';
const PORT = 51820;
const WEB = '10.0.0.5';
/** A tunnel whose call was lost calls again after five seconds. */
const CALLS_WITHIN_MS = 15_000;

export class PairServices {
  private readonly keys = new Keys('gateway.key');
  private office: Site | undefined;
  private branch: PlainWireGuard | undefined;

  /** Of both members' supervisors. */
  get args(): readonly string[] {
    return this.keys.args;
  }

  readonly documents: readonly Document[] = [
    loadBalancer('both', {
      elasticIP: 'nat',
      members: [WEB, '10.0.0.6'].map((address) => ({ address })),
      listeners: [{ port: ports.tcp }, { protocol: 'UDP', port: ports.udpEcho }],
    }),
    dedicatedLine('office', {
      number: 0,
      port: 'line0',
      localNetworks: ['10.0.0.0/24'],
      networks: [OFFICE.network],
    }),
    elasticIp('vpn', TUNNEL_EIP),
    vpnConnection('branch', {
      elasticIP: 'vpn',
      key: 'gateway.key',
      peers: [{ name: 'branch', publicKey: examplePublicKey('branch.key'), networks: [BRANCH.network] }],
    }),
  ];

  /** Once the pair stands, and its servers; until each way carries. */
  async open(lab: PairLab): Promise<void> {
    const members = lab.members.map(({ namespace }) => namespace);
    this.office = await Site.create(members, {
      lines: [{ name: 'line0' }],
      addresses: [OFFICE.address],
      networks: ['10.0.0.0/24'],
    });
    await serve(this.office.host);
    this.branch = await PlainWireGuard.create(lab.topology.inet.namespace, {
      key: 'branch.key',
      port: PORT,
      addresses: [`${BRANCH.address}/24`],
      peers: [
        {
          publicKey: examplePublicKey('gateway.key'),
          endpoint: `${TUNNEL_EIP}:${PORT}`,
          networks: ['10.0.0.0/24'],
          keepaliveS: 5,
        },
      ],
    });
    await lab.until('the line and the tunnel carry', () => this.carries(lab));
  }

  private async carries({ tenant, topology }: PairLab): Promise<boolean> {
    const [web, inet] = await Promise.all([tenant.vm('web').agent(), topology.inet.agent()]);
    const port = ports.tcp;
    const opened = await Promise.all([
      web.tcpConnect({ to: OFFICE.address, port }),
      inet.tcpConnect({ from: BRANCH.address, to: WEB, port, timeoutMs: CALLS_WITHIN_MS }),
    ]);
    await Promise.all(opened.map((connection) => connection.close()));
    return true;
  }

  /** Traffic of each, from then on. */
  flows: FlowsBeside = async ({ tenant, topology, members }) => {
    const [web, inet] = await Promise.all([tenant.vm('web').agent(), topology.inet.agent()]);
    const echo = { port: ports.udpEcho, intervalMs: 10 };
    const flows: PairFlow[] = [
      { flow: 'balanced', stream: await inet.udpStream({ to: BALANCED, ...echo }) },
      { flow: 'line', stream: await web.udpStream({ to: OFFICE.address, ...echo }) },
      { flow: 'tunnel', stream: await inet.udpStream({ from: BRANCH.address, to: WEB, ...echo }) },
      { flow: 'balanced, TCP', connection: await inet.tcpConnect({ to: BALANCED, port: ports.tcp }) },
      { flow: 'line, TCP', connection: await web.tcpConnect({ to: OFFICE.address, port: ports.tcp }) },
      {
        flow: 'tunnel, TCP',
        connection: await inet.tcpConnect({
          from: BRANCH.address,
          to: WEB,
          port: ports.tcp,
          timeoutMs: CALLS_WITHIN_MS,
        }),
      },
    ];
    // Where a peer is, is looked at every two seconds, and whenever somebody asks; then the other member is told.
    await Promise.all(members.map(({ supervisor }) => supervisor.get('/v1/show/vpn')));
    return flows;
  };

  async close(): Promise<void> {
    await this.branch?.delete();
    this.office?.delete();
  }
}

import { dedicatedLine, type Document, elasticIp, gateway, vpnConnection } from './documents.js';
import { examplePublicKey } from './example-keys.js';
import { type GatewayLabOptions } from './gateway-lab.js';
import { Keys, PlainWireGuard } from './plain-wireguard.js';
import { ends, Site } from './site.js';
import { SiteBird, type SiteBgp } from './site-bird.js';
import type { Tenant, Topology } from './topology.js';

// A line that a tunnel stands in for: the customer's router, set up by hand, is at the far end of both.

export const SITE_NETWORK = '172.20.0.0/16';
export const SITE_HOST = '172.20.0.1';
const LOCAL = '10.0.0.0/24';

type LineOptions = Partial<Parameters<typeof dedicatedLine>[1]>;

export class BackedLine {
  private readonly keys = new Keys('gateway.key');
  private built: { site: Site; plain: PlainWireGuard } | undefined;

  /** `speaks`: BIRD on the customer's router too. */
  constructor(
    private readonly line: LineOptions,
    private readonly speaks?: SiteBgp,
  ) {}

  get lab(): GatewayLabOptions {
    return {
      tenants: [{ name: 'blue', vms: ['web'] }],
      documents: (tenant) => this.documents(tenant),
      supervisor: { args: this.keys.args },
      prepare: (topology) => this.build(topology),
    };
  }

  get site(): Site {
    if (!this.built) throw new Error('the site stands only while its tests run');
    return this.built.site;
  }

  private documents(tenant: Tenant): Document[] {
    const peer = { name: 'site', publicKey: examplePublicKey('site.key'), endpoint: '198.51.100.9:51820' };
    return [
      gateway(tenant),
      elasticIp('vpn', '203.0.113.40'),
      vpnConnection('office', {
        elasticIP: 'vpn',
        key: 'gateway.key',
        peers: [{ ...peer, networks: [SITE_NETWORK], keepalive: '1s' }],
      }),
      dedicatedLine('paris', {
        number: 0,
        port: 'line0',
        localNetworks: [LOCAL],
        networks: [SITE_NETWORK],
        backup: 'office',
        ...this.line,
      }),
    ];
  }

  private async build({ tenants: [tenant], inet }: Topology): Promise<void> {
    if (!tenant) return;
    const site = await Site.create(tenant.gateway, {
      lines: [{ name: 'line0' }],
      addresses: [SITE_HOST],
      networks: this.speaks ? [] : [LOCAL],
    });
    await site.reachesInternet(inet.namespace, '198.51.100.9');
    const plain = await PlainWireGuard.create(site.router, {
      key: 'site.key',
      port: 51820,
      addresses: [],
      peers: [{ publicKey: examplePublicKey('gateway.key'), endpoint: '203.0.113.40:51820', networks: [LOCAL] }],
    });
    // Behind what leads back over the line.
    await site.router.ip([
      `route delete ${LOCAL} dev ${plain.link}`,
      `route append ${LOCAL} dev ${plain.link} metric 200 src ${SITE_HOST}`,
    ]);
    this.built = { site, plain };
    if (this.speaks) await SiteBird.start(site, this.speaks);
  }

  /** What the router's administrator prefers, who has no routing program. */
  answersBy(way: 'line' | 'tunnel'): Promise<void> {
    const hop = way === 'line' ? `via ${ends(0, false)[0].split('/')[0]}` : `dev ${this.built?.plain.link}`;
    return this.site.router.ip([`route replace ${LOCAL} ${hop} metric 1 src ${SITE_HOST}`]);
  }

  async end(): Promise<void> {
    await this.built?.plain.delete();
    this.built?.site.delete();
  }
}

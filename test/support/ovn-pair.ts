import { dnatRule, elasticIp, gateway, snatRule } from './documents.js';
import { ports, serve } from './gateway-lab.js';
import { Ovn, OVN_NEXT_HOP } from './ovn.js';
import { die } from './pair-faults.js';
import { PairLab, type Member } from './pair-lab.js';
import { internet, withoutPrefix } from './addresses.js';

// A pair whose VPC is a real OVN's, with connections through it, and the death of its active member.

const VMS = ['web', 'app'];
const OUTSIDE = withoutPrefix(internet.hostAddresses[0] ?? '');
const STREAM_INTERVAL_MS = 5;
const ALIVE_MS = 10_000;

export class OvnPair {
  private ovn: Ovn | undefined;
  readonly lab = new PairLab({
    vms: VMS.map((name, i) => ({ name, addresses: [`10.0.0.${5 + i}/24`] })),
    before: async (topology, tenant) => {
      this.ovn = await Ovn.join(topology, tenant, VMS);
    },
    documents: (tenant) => [
      gateway(tenant, {
        internalAddresses: [`${OVN_NEXT_HOP}/24`],
        spec: { highAvailability: { mode: 'AcrossNodes' } },
      }),
      elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
      elasticIp('nat', '203.0.113.20'),
      snatRule('all', ['10.0.0.0/24'], ['nat']),
      dnatRule('app', { elasticIP: 'nat', protocol: 'TCP', port: 2200, target: '10.0.0.6', targetPort: ports.tcp }),
    ],
  });

  async start(): Promise<void> {
    await this.lab.start();
    await this.ovn?.allowMembers();
    await serve(this.lab.tenant.vm('web'), this.lab.tenant.vm('app'), this.lab.topology.inet);
    await this.lab.sound();
  }

  /** Of the active member; the other one carries everything afterwards. */
  async death(): Promise<{ died: Member; gapMs: number; lost: number }> {
    const { lab } = this;
    const { active: died, standby } = await lab.settled();
    const [inet, app] = [await lab.inet(), await lab.tenant.vm('app').agent()];
    const connections = [
      await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp }),
      await inet.tcpConnect({ to: '203.0.113.20', port: 2200 }),
      await app.tcpConnect({ to: OUTSIDE, port: ports.tcp }),
    ];
    const stream = await inet.udpStream({ to: '203.0.113.10', port: ports.udp, intervalMs: STREAM_INTERVAL_MS });
    await lab.connectionsKnown(died);
    await die(died, lab);
    await lab.until('the other one speaks', () => standby.holdsLease());
    const alive = await Promise.all(connections.map((connection) => connection.isAlive(ALIVE_MS)));
    const { longestGapMs: gapMs } = await stream.stop();
    await Promise.all([stream.close(), ...connections.map((connection) => connection.close({ reset: true }))]);
    return { died, gapMs, lost: alive.filter((is) => !is).length };
  }
}

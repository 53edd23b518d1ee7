import { stringify } from 'yaml';
import type { ObjectStatus } from '../../gateway/reconcile/status.js';
import { KeyFolder } from '../../gateway/system/key-folder.js';
import { elasticIp, ipsecConnection } from '../support/documents.js';
import { kernelHasEsp } from '../support/plain-ipsec.js';
import type { Scene } from './scene.js';
import { expectSame } from './story.js';

const document = 'ipsec.yaml';
const NETWORK = '10.0.0.0/24';
const KEY = 'ipsec.psk';

export const vpnIpsec: Scene = {
  title: 'The same by IPsec, as most routers of offices speak it',
  async play({ blue, green }, story) {
    if (!kernelHasEsp) {
      story.say("Passed over: this machine's kernel has no ESP. A connection of type IPsec would be NoIpsec here.");
      return;
    }
    const ends = [
      { gateway: blue, name: 'blue', eip: '203.0.113.62', as: '100.64.9.0/24' },
      { gateway: green, name: 'green', eip: '203.0.113.162', as: '100.64.10.0/24' },
    ];
    await story.check(`${document} is laid into both folders, with a key that both know, and in force`, async () => {
      const keys = new KeyFolder(blue.keys.directory);
      keys.create(KEY, 'preshared');
      const fact = keys.read(KEY, 'preshared');
      green.keys.write(KEY, 'key' in fact ? fact.key.reveal() : '');
      for (const [i, { gateway, eip, as }] of ends.entries()) {
        const far = ends[1 - i] as (typeof ends)[number];
        const documents = [
          elasticIp('ipsec', eip),
          ipsecConnection(`ipsec-${far.name}`, {
            elasticIP: 'ipsec',
            localNetworks: [NETWORK],
            translate: [{ network: NETWORK, as }],
            peer: far.eip,
            networks: [far.as],
            psk: KEY,
          }),
        ];
        const text = documents.map((each) => stringify(each)).join('---\n');
        expectSame('taken', (await gateway.lay(document, text)).folder?.taken, true);
      }
    });
    await story.check('both have agreed on keys', async () => {
      for (const { gateway } of ends)
        await gateway.supervisor.statusWhen(({ objects }) => {
          const tunnels = objects.filter(({ kind }) => kind === 'VpnConnection') as unknown as ObjectStatus[];
          return tunnels.some(({ conditions }) =>
            conditions.some(({ type, reason }) => type === 'Connected' && reason === 'Up'),
          );
        });
    });
    await story.check("blue's web reaches green's app as 100.64.10.6, by ESP between the two elastic IPs", async () => {
      const web = await blue.vm('web');
      const { greeting } = await web.tcpConnect({ to: '100.64.10.6', port: 80, timeoutMs: 8_000 });
      expectSame('who answered', greeting.server, 'green-app');
      expectSame('whom it saw', greeting.remote.address, '100.64.9.5');
    });
    await story.check('the documents are taken away, and no keys are left in the kernel', async () => {
      for (const { gateway } of ends) {
        expectSame('taken', (await gateway.takeAway(document)).folder?.taken, true);
        const { stdout } = await gateway.tenant.gateway.exec(['ip', '-o', 'link']);
        if (/ vw-/.test(stdout)) throw new Error(stdout);
      }
    });
  },
};

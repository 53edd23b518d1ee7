import { stringify } from 'yaml';
import { elasticIp, vpnConnection } from '../support/documents.js';
import { KeyFolder } from '../../gateway/system/key-folder.js';
import type { Scene } from './scene.js';
import type { Gateway } from './stage.js';
import { expectSame } from './story.js';

const document = 'vpn.yaml';
const NETWORK = '10.0.0.0/24';

export const vpn: Scene = {
  title: 'A VPN between blue and green, whose networks are the same: each sees the other as another',
  async play({ blue, green }, story) {
    const ends = [
      { gateway: blue, name: 'blue', eip: '203.0.113.61', as: '100.64.7.0/24', key: '' },
      { gateway: green, name: 'green', eip: '203.0.113.161', as: '100.64.8.0/24', key: '' },
    ];
    await story.check('each makes a key, of which only what is public is told', async () => {
      for (const end of ends) end.key = new KeyFolder(end.gateway.keys.directory).create('vpn.key', 'private') ?? '';
      for (const { key } of ends) expectSame('a public key has characters', key.length, 44);
    });
    await story.check(`${document} is laid into both folders and in force`, async () => {
      for (const [i, { gateway, eip, as }] of ends.entries()) {
        const far = ends[1 - i] as (typeof ends)[number];
        const peer = { name: far.name, publicKey: far.key, endpoint: `${far.eip}:51820`, networks: [far.as] };
        const documents = [
          elasticIp('vpn', eip),
          vpnConnection(`to-${far.name}`, {
            elasticIP: 'vpn',
            key: 'vpn.key',
            localNetworks: [NETWORK],
            translate: [{ network: NETWORK, as }],
            peers: [peer],
          }),
        ];
        const text = documents.map((each) => stringify(each)).join('---\n');
        expectSame('taken', (await gateway.lay(document, text)).folder?.taken, true);
      }
    });
    const reach = async (gateway: Gateway, to: string, server: string, seen: string): Promise<void> => {
      const { greeting } = await (await gateway.vm('web')).tcpConnect({ to, port: 80, timeoutMs: 8_000 });
      expectSame('who answered', greeting.server, server);
      expectSame('whom it saw', greeting.remote.address, seen);
    };
    await story.check("blue's web reaches green's app as 100.64.8.6", () =>
      reach(blue, '100.64.8.6', 'green-app', '100.64.7.5'),
    );
    await story.check("green's web reaches blue's db as 100.64.7.7", () =>
      reach(green, '100.64.7.7', 'blue-db', '100.64.8.5'),
    );
    await story.check('show vpn says that the tunnel is up', async () => {
      const { text } = await blue.supervisor.get('/v1/show/vpn');
      const [row] = JSON.parse(text) as { peer: string; state: string }[];
      expectSame('the peer', row?.peer, 'green');
      expectSame('its state', row?.state, 'Up');
    });
    await story.check('the documents are taken away, and no tunnel is left in the kernel', async () => {
      for (const { gateway } of ends) {
        expectSame('taken', (await gateway.takeAway(document)).folder?.taken, true);
        const { stdout } = await gateway.tenant.gateway.exec(['ip', '-o', 'link']);
        if (/ vw-/.test(stdout)) throw new Error(stdout);
      }
    });
  },
};

import { stringify } from 'yaml';
import type { ObjectStatus } from '../../gateway/reconcile/status.js';
import { dedicatedLine } from '../support/documents.js';
import { serve } from '../support/gateway-lab.js';
import { Site } from '../support/site.js';
import type { Scene } from './scene.js';
import { expectSame } from './story.js';

const document = 'lines.yaml';
const NETWORKS = ['172.20.0.0/16'];
const HOST = '172.20.0.1';

export const line: Scene = {
  title: 'Two dedicated lines to an office: one is cut, and the other has its connections',
  async play({ blue }, story) {
    const { gateway } = blue.tenant;
    const site = await Site.create(gateway, {
      label: 'office',
      lines: [{ name: 'line0' }, { name: 'line1' }],
      addresses: [HOST],
      networks: ['10.0.0.0/24'],
    });
    try {
      await serve(site.host);
      await story.check(`${document} is laid into blue's folder and in force`, async () => {
        const local = { localNetworks: ['10.0.0.0/24'], networks: NETWORKS };
        const documents = [
          dedicatedLine('office', { number: 0, port: 'line0', ...local }),
          dedicatedLine('office-2', { number: 1, port: 'line1', priority: 110, ...local }),
        ];
        const text = documents.map((each) => stringify(each)).join('---\n');
        expectSame('taken', (await blue.lay(document, text)).folder?.taken, true);
      });
      await story.check('both lines have a carrier', async () => {
        await blue.supervisor.statusWhen(({ objects }) => {
          const lines = objects.filter(({ kind }) => kind === 'DedicatedLine') as unknown as ObjectStatus[];
          return lines.every(({ conditions }) =>
            conditions.some(({ type, reason }) => type === 'Connected' && reason === 'Up'),
          );
        });
      });
      const web = await blue.vm('web');
      const connection = await web.tcpConnect({ to: HOST, port: 80 });
      await story.check('the office sees the VM by its own address', async () => {
        expectSame('whom it saw', connection.greeting?.remote.address, '10.0.0.5');
      });
      await story.check('the first line is cut, and the connection goes on by the second', async () => {
        await site.cut('line0');
        await site.prefers(1);
        expectSame('alive', await connection.isAlive(), true);
        const { text } = await blue.supervisor.get('/v1/show/routes');
        const rows = JSON.parse(text) as { network: string; by: string; state: string }[];
        const taken = rows.find(({ network, state }) => network === NETWORKS[0] && state === 'Taken');
        expectSame('who leads there', taken?.by, 'DedicatedLine/office-2');
      });
      await story.check('the documents are taken away, and no line is left in the kernel', async () => {
        expectSame('taken', (await blue.takeAway(document)).folder?.taken, true);
        const { stdout } = await gateway.exec(['ip', '-o', 'link']);
        if (/ vg-line/.test(stdout)) throw new Error(stdout);
      });
    } finally {
      site.delete();
    }
  },
};

import type { Scene } from './scene.js';
import { expectSame } from './story.js';

export const hairpin: Scene = {
  title: 'Hairpin: a VM reaches its neighbour, and itself, by a public address',
  async play({ blue }, story) {
    for (const name of ['app', 'web']) {
      const vm = await blue.vm(name);
      await story.check(`${name} connects to 203.0.113.10 and web answers`, async () => {
        const { greeting } = await vm.tcpConnect({ to: '203.0.113.10', port: 80 });
        expectSame('who answered', greeting.server, 'blue-web');
      });
    }
    await story.check('web connects to port 8080 of the shared 203.0.113.20 and app answers', async () => {
      const { greeting } = await (await blue.vm('web')).tcpConnect({ to: '203.0.113.20', port: 8080 });
      expectSame('who answered', greeting.server, 'blue-app');
    });
  },
};

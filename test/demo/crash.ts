import type { Scene } from './scene.js';
import { expectSame } from './story.js';

export const crash: Scene = {
  title: 'A crash: the supervisor is killed, the kernel goes on',
  async play({ blue, inet }, story) {
    const held = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
    const stream = await (await blue.vm('db')).udpStream({ to: '198.51.100.1', port: 5354, intervalMs: 5 });
    await story.check('kill -9: old and new connections live without it', async () => {
      await blue.supervisor.kill9();
      expectSame('the old one lives', await held.isAlive(), true);
      expectSame('who answered', (await inet.tcpConnect({ to: '203.0.113.10', port: 80 })).greeting.server, 'blue-web');
    });
    await story.check('started again, it is ready: it has read the kernel and found it right', () =>
      blue.supervisor.restart(),
    );
    await story.check('of the datagrams that db sent every 5 ms meanwhile, none was lost', async () => {
      const { sent, lost } = await stream.stop();
      expectSame(`lost of ${sent}`, lost.length, 0);
      expectSame('the old connection lives', await held.isAlive(), true);
    });
  },
};

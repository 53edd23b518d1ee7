import { ping } from '../support/ping.js';
import type { Scene } from './scene.js';
import { expectSame } from './story.js';

export const elasticIp: Scene = {
  title: 'An elastic IP, both ways: web has 203.0.113.10 and 2001:db8:e::10 to itself',
  async play({ topology, blue, inet }, story) {
    const web = await blue.vm('web');
    await story.check('the internet connects to 203.0.113.10 and web answers; it sees the true client', async () => {
      const { greeting } = await inet.tcpConnect({ to: '203.0.113.10', port: 80, from: '198.51.100.1' });
      expectSame('who answered', greeting.server, 'blue-web');
      expectSame('the client', greeting.remote.address, '198.51.100.1');
    });
    await story.check('web connects to the internet and is seen as 203.0.113.10', async () => {
      const { greeting } = await web.tcpConnect({ to: '198.51.100.1', port: 8080 });
      expectSame('the client', greeting.remote.address, '203.0.113.10');
    });
    await story.check('the same by IPv6: the internet reaches 2001:db8:e::10', async () => {
      const { greeting } = await inet.tcpConnect({ to: '2001:db8:e::10', port: 80 });
      expectSame('who answered', greeting.server, 'blue-web');
    });
    await story.check('and web leaves as 2001:db8:e::10', async () => {
      const { greeting } = await web.tcpConnect({ to: '2001:db8:1::1', port: 8080 });
      expectSame('the client', greeting.remote.address, '2001:db8:e::10');
    });
    await story.check('web answers ping at 203.0.113.10', async () => {
      const { received } = await ping(topology.inet.namespace, { to: '203.0.113.10', count: 3 });
      expectSame('answers', received, 3);
    });
    await story.check('10 MB go through it both ways and arrive as they were sent', async () => {
      const report = await inet.transfer({ to: '203.0.113.10', port: 80, bytes: 10_000_000, direction: 'both' });
      expectSame('intact', report.intact, true);
      return { ms: report.durationMs };
    });
  },
};

import type { Scene } from './scene.js';
import { expectFailure, expectSame } from './story.js';

export const dnat: Scene = {
  title: 'DNAT: single ports of the shared 203.0.113.20 lead to single VMs',
  async play({ inet }, story) {
    await story.check('TCP port 8080 leads to port 80 of app', async () => {
      const { greeting } = await inet.tcpConnect({ to: '203.0.113.20', port: 8080 });
      expectSame('who answered', greeting.server, 'blue-app');
      expectSame('its port', greeting.local.port, 80);
    });
    await story.check('UDP port 53 leads to db', async () => {
      const { greeting } = await inet.udpExchange({ to: '203.0.113.20', port: 53 });
      expectSame('who answered', greeting?.server, 'blue-db');
    });
    await story.check('a port that nobody asked for leads nowhere (waited 300 ms)', () =>
      expectFailure('a connection to port 22', inet.tcpConnect({ to: '203.0.113.20', port: 22, timeoutMs: 300 })),
    );
  },
};

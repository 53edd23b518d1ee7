import type { Scene } from './scene.js';
import { expectSame } from './story.js';

export const snat: Scene = {
  title: 'SNAT: every other VM leaves by the shared 203.0.113.20',
  async play({ blue }, story) {
    for (const name of ['app', 'db']) {
      const vm = await blue.vm(name);
      await story.check(`${name} connects to the internet 50 times and is seen as 203.0.113.20 each time`, async () => {
        const targets = [{ to: '198.51.100.1', port: 8080 }];
        const connections = await vm.tcpConnectMany({ targets, count: 50 });
        expectSame('connections', connections.greetings.length, 50);
        for (const { remote } of connections.greetings) expectSame('the client', remote.address, '203.0.113.20');
        await connections.close({ reset: true });
      });
      await story.check(`${name} sends UDP and gets its answer`, async () => {
        const { greeting } = await vm.udpExchange({ to: '198.51.100.1', port: 5353 });
        expectSame('the client', greeting?.remote.address, '203.0.113.20');
      });
    }
  },
};

import type { Scene } from './scene.js';
import { expectFailure, expectSame } from './story.js';

export const isolation: Scene = {
  title: 'Isolation: blue and green both use 10.0.0.0/24 and never meet inside',
  async play({ topology, blue, green, inet }, story) {
    await story.check('203.0.113.10 is 10.0.0.5 of blue, 203.0.113.110 is 10.0.0.5 of green', async () => {
      const ofBlue = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
      const ofGreen = await inet.tcpConnect({ to: '203.0.113.110', port: 80 });
      expectSame('who answered', `${ofBlue.greeting.server} ${ofGreen.greeting.server}`, 'blue-web green-web');
      expectSame('the two addresses', ofGreen.greeting.local.address, ofBlue.greeting.local.address);
    });
    for (const { tenant, vm } of [blue, green].map((gateway) => ({
      tenant: gateway.tenant.name,
      vm: gateway.vm('app'),
    }))) {
      await story.check(`app of ${tenant} connects to 10.0.0.5 and meets ${tenant}'s own web`, async () => {
        const { greeting } = await (await vm).tcpConnect({ to: '10.0.0.5', port: 80 });
        expectSame('who answered', greeting.server, `${tenant}-web`);
      });
    }
    await story.check('app of green reaches web of blue by its public address, as green’s 203.0.113.120', async () => {
      const { greeting } = await (await green.vm('app')).tcpConnect({ to: '203.0.113.10', port: 80 });
      expectSame('who answered', greeting.server, 'blue-web');
      expectSame('the client', greeting.remote.address, '203.0.113.120');
    });
    await story.check('who sends to 10.0.0.5 through a gateway from outside gets nowhere (waited 300 ms)', async () => {
      await topology.inet.namespace.ip(['route add 10.0.0.5/32 via 100.64.0.11']);
      await expectFailure('a connection', inet.tcpConnect({ to: '10.0.0.5', port: 80, timeoutMs: 300 }));
      await topology.inet.namespace.ip(['route del 10.0.0.5/32 via 100.64.0.11']);
    });
  },
};

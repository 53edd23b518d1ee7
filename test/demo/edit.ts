import type { Scene } from './scene.js';
import { expectFailure, expectSame } from './story.js';

const document = 'one-more-port.yaml';

export const edit: Scene = {
  title: 'An edit: one more port of the shared address, and no connection notices',
  async play({ blue, inet }, story) {
    const inward = await inet.tcpConnect({ to: '203.0.113.20', port: 8080 });
    const outward = await (await blue.vm('db')).tcpConnect({ to: '198.51.100.1', port: 8080 });
    story.say(`two connections are open through 203.0.113.20; ${document} is laid into the folder`);
    await story.check('the document is in force, and the kernel was verified', async () => {
      const { folder } = await blue.lay(document);
      expectSame('taken', folder?.taken, true);
    });
    await story.check('port 2222 leads to port 22 of db', async () => {
      const { greeting } = await inet.tcpConnect({ to: '203.0.113.20', port: 2222 });
      expectSame('who answered', greeting.server, 'blue-db');
    });
    await story.check('both connections carry on', async () => {
      expectSame('the one from outside lives', await inward.isAlive(), true);
      expectSame('the one from inside lives', await outward.isAlive(), true);
    });
    await story.check('the document is taken away again', async () => {
      const { folder } = await blue.takeAway(document);
      expectSame('taken', folder?.taken, true);
    });
    await story.check('port 2222 is closed (waited 300 ms), both connections carry on', async () => {
      await expectFailure('a connection', inet.tcpConnect({ to: '203.0.113.20', port: 2222, timeoutMs: 300 }));
      expectSame('the one from outside lives', await inward.isAlive(), true);
      expectSame('the one from inside lives', await outward.isAlive(), true);
    });
  },
};

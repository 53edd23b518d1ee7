import type { Scene } from './scene.js';
import { expectSame } from './story.js';

export const nothingLeaked: Scene = {
  title: 'And all the while: no packet left with a private address',
  async play({ leaks }, story) {
    await story.check('of all packets since before the first start, none had a source in the VPCs', async () => {
      const packets = await leaks.stop();
      expectSame('packets with a private source', packets.length, 0);
    });
  },
};

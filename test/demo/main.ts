import { parseArgs } from 'node:util';
import { lookAround } from './look-around.js';
import { picture } from './picture.js';
import { scenes } from './scenes.js';
import { Stage } from './stage.js';
import { Story } from './story.js';

// npm run demo [-- --keep]
//
// Shows on this machine's kernel, with real packets, what a gateway does. Everything lives in network namespaces of its
// own and goes with this process, however that ends. The exit code is 1 when a check failed.

const { values: flags } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });

const story = new Story();
console.log('A VPC gateway for two tenants, with real packets.\n');
console.log(picture);
console.log('Building it …');
const stage = await Stage.build();
console.log('Both supervisors are ready: their documents (manifests/examples) are in the kernel.');
for (const scene of scenes) {
  story.scene(scene.title);
  try {
    await scene.play(stage, story);
  } catch (error) {
    story.fail('the scene came to its end', error);
  }
}
story.summary();
if (flags.keep) {
  console.log(lookAround(stage));
  // Only a signal ends it, and that clears everything away.
  await new Promise(() => setInterval(() => undefined, 1e9));
}
await Promise.all([stage.blue.supervisor.stop(), stage.green.supervisor.stop()]);
stage.topology.destroy();
process.exit(story.failed ? 1 : 0);

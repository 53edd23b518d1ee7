import { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';

// A run that does not clean up after itself: `lab.test.ts` ends it in several ways and looks at what is left.

const namespace = await Namespace.create('left');
namespace.spawn(['sleep', '1000'], { stdio: 'ignore', detached: true });
console.log(JSON.stringify(currentRun()));
const [, , end] = process.argv;
if (end === 'exit') process.exit(0);
if (end === 'throw') throw new Error('as asked');

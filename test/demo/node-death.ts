import { die, liveAgain } from '../support/pair-faults.js';
import { PairLab } from '../support/pair-lab.js';
import { type Download, download, type Pings, ping } from './arrivals.js';
import type { Scene } from './scene.js';
import { exampleText } from './stage.js';
import { expectSame, type Figure } from './story.js';
import { axis, drawn, longestSilenceMs } from './timeline.js';

const bytes = 24_000_000;
const port = 8081;
const runsInMs = 500;
const window = { beforeMs: 500, afterMs: 1_500 };
const pingEveryMs = 5;
/** Adverts are 50 ms apart, and three have to be missed. */
const promised = { pingMs: 400, downloadMs: 1_000 };

export const nodeDeath: Scene = {
  title: 'A node dies: a download and a ping go on through the other one',
  async play({ topology }, story) {
    const tenant = topology.tenant('red');
    const [web, app] = [await tenant.vm('web').agent(), tenant.vm('app').namespace];
    await web.tcpServer({ port, mode: 'source', bytes });
    const pair = await PairLab.within(topology, tenant, exampleText('pair.yaml'));
    const { active, standby } = await pair.settled();
    story.say(
      `red has a pair (pair.yaml): ${active.name} is active, ${standby.name} knows all that ${active.name} does`,
    );

    const pings = ping(app, '198.51.100.1', pingEveryMs);
    const file = download(topology.inet.namespace, '203.0.113.210', port);
    await pair.until('both go on', () => Promise.resolve(pings.arrivals.length > 0 && file.arrivals.length > 0));
    await pair.connectionsKnown(active);
    await pair.wait(runsInMs);
    let diedMs = 0;
    await story.check(
      `the node of ${active.name} dies: every process and every cable; ${standby.name} is active`,
      async () => {
        await die(active, pair);
        diedMs = performance.now();
        await pair.until('the other one is active', async () => (await standby.role()) === 'Active');
        return { ms: performance.now() - diedMs };
      },
    );
    await pair.wait(window.afterMs);
    await story.check('the download from web ends whole, with the SHA-256 that was announced', async () =>
      expectSame('whole', await file.whole, true),
    );
    await pings.stop();
    story.say(timeline(pings, file, diedMs));
    await story.check('the longest that app waited for an answer to its ping', () =>
      silenceWithin(pings.arrivals, promised.pingMs),
    );
    await story.check('the longest that the download stood still: TCP asks again after 200 ms at the earliest', () =>
      silenceWithin(file.arrivals, promised.downloadMs),
    );
    await story.check('the dead node comes back as a standby: nothing moves a second time', async () => {
      await liveAgain(active, pair);
      expectSame('active', (await pair.settled()).active.name, standby.name);
    });
    for (const member of pair.members) member.signal(member.pids, 'SIGKILL');
  },
};

function timeline(pings: Pings, file: Download, diedMs: number): string {
  const of = { zeroMs: diedMs, ...window };
  return [
    '',
    `download  ${drawn(file.arrivals, of)}`,
    `ping      ${drawn(pings.arrivals, of)}`,
    `          ${axis(of)}`,
    '',
  ].join('\n');
}

async function silenceWithin(arrivals: Pings['arrivals'], atMostMs: number): Promise<Figure> {
  const ms = longestSilenceMs(arrivals);
  if (ms > atMostMs) throw new Error(`${ms.toFixed(0)} ms, not at most ${atMostMs}`);
  return Promise.resolve({ ms });
}

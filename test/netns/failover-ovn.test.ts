import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OvnPair } from '../support/ovn-pair.js';
import { liveAgain } from '../support/pair-faults.js';
import { overTcp } from '../support/reach.js';
import { showLogsOfFailures } from '../support/show-logs.js';

// A pair in a VPC of a real OVN, which delivers only to MAC addresses that it was told of, and learns by an announcement
// which of the two members has the VPC's next hop.

const SOON_MS = 2_000;

describe('a pair on OVN', () => {
  const pair = new OvnPair();
  const { lab } = pair;
  showLogsOfFailures(() => lab.members.map(({ supervisor }) => supervisor));
  beforeAll(() => pair.start());
  afterAll(() => lab.end());

  it('carries elastic IPs both ways, SNAT and DNAT', async () => {
    const [inet, web, app] = [await lab.inet(), await lab.tenant.vm('web').agent(), await lab.tenant.vm('app').agent()];
    expect(await overTcp(inet, { to: '203.0.113.10' })).toMatchObject({ server: 'blue-web' });
    expect(await overTcp(inet, { to: '203.0.113.20', port: 2200 })).toMatchObject({ server: 'blue-app' });
    expect(await overTcp(web, { to: '198.51.100.1' })).toMatchObject({ client: '203.0.113.10' });
    expect(await overTcp(app, { to: '198.51.100.1' })).toMatchObject({ client: '203.0.113.20' });
  });

  it.each([1, 2])('keeps its connections when a node dies, and OVN finds the other member (death %i)', async () => {
    const { died, gapMs, lost } = await pair.death();
    expect(lost).toBe(0);
    expect(gapMs).toBeLessThan(SOON_MS);
    await liveAgain(died, lab);
  });
});

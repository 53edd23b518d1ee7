import { createSocket } from 'node:dgram';
import { afterAll, expect, it } from 'vitest';
import type { MemberPath } from '../../gateway/model/high-availability.js';
import { parseIp } from '../../gateway/model/ip.js';
import { ANSWER_PORT } from '../../gateway/model/ownership.js';
import { VoteWords } from '../../gateway/system/vote-words.js';

// What the other kernel answers, where one of two paths has no address yet.

const ip = (text: string) => parseIp(text) ?? expect.fail(text);
const path = (address: string, peer: string): MemberPath => ({ interface: 'lo', address: ip(address), peer: ip(peer) });
const AGAIN_MS = 1_000;

let heard = 0;
const words = new VoteWords([path('127.77.0.2', '127.77.0.3'), path('192.0.2.77', '192.0.2.78')], () => heard++);
afterAll(() => words.stop());

it('are heard on the path that is there all the time', async () => {
  words.listen();
  const other = createSocket('udp4').bind(0, '127.77.0.3');
  const timer = setInterval(() => other.send('', ANSWER_PORT, '127.77.0.2'), 20);
  try {
    await expect.poll(() => heard, { timeout: 2_000 }).toBeGreaterThan(0);
    const [before, began] = [heard, performance.now()];
    await expect.poll(() => performance.now() - began, { timeout: 5_000 }).toBeGreaterThan(2 * AGAIN_MS);
    expect(heard - before).toBeGreaterThan((0.7 * (performance.now() - began)) / 20);
  } finally {
    clearInterval(timer);
    other.close();
  }
});

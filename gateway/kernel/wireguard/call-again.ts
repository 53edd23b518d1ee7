/**
 * Calls peers of a tunnel once more: those whose first call was not answered, which have no session that could be lost, or
 * all, where the other member of a pair spoke meanwhile and their sessions are with that. WireGuard calls again after five
 * seconds by itself, and sooner only a peer that it did not know before: so such a peer is taken away and told anew.
 */
import type { CommandRunner } from '../command.js';
import { readDump, wg } from './subsystem.js';

export type Called = 'All' | 'Unanswered';

export async function callAgain(run: CommandRunner, link: string, whom: Called): Promise<void> {
  const dump = await readDump(run, link);
  const called = (dump?.peers ?? []).filter(
    ({ endpoint, handshakeS }) => endpoint !== undefined && (whom === 'All' || handshakeS === undefined),
  );
  if (called.length === 0) return;
  const { stdout } = await run.run({ argv: ['wg', 'showconf', link] });
  const wanted = new Set(called.map(({ publicKey }) => publicKey));
  const sections = stdout.split(/^(?=\[Peer\])/m).filter((section) => wanted.has(keyOf(section)));
  if (sections.length === 0) return;
  await wg(run, { argv: ['wg', 'set', link, ...sections.flatMap((section) => ['peer', keyOf(section), 'remove'])] });
  await wg(run, { argv: ['wg', 'addconf', link, '/dev/stdin'], stdin: sections.join(''), opensStdin: true });
}

const keyOf = (section: string): string => /^PublicKey = (\S+)$/m.exec(section)?.[1] ?? '';

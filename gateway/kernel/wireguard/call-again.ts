/**
 * Calls the peers of a tunnel once more whose first call was not answered. WireGuard calls again after five seconds by
 * itself, and sooner only a peer that it did not know before: so such a peer is taken away and told anew. It has no
 * session that could be lost.
 */
import type { CommandRunner } from '../command.js';
import { readDump, wg } from './subsystem.js';

export async function callAgain(run: CommandRunner, link: string): Promise<void> {
  const dump = await readDump(run, link);
  const unanswered = (dump?.peers ?? []).filter(
    ({ endpoint, handshakeS }) => endpoint !== undefined && handshakeS === undefined,
  );
  if (unanswered.length === 0) return;
  const { stdout } = await run.run({ argv: ['wg', 'showconf', link] });
  const wanted = new Set(unanswered.map(({ publicKey }) => publicKey));
  const sections = stdout.split(/^(?=\[Peer\])/m).filter((section) => wanted.has(keyOf(section)));
  if (sections.length === 0) return;
  await wg(run, { argv: ['wg', 'set', link, ...sections.flatMap((section) => ['peer', keyOf(section), 'remove'])] });
  await wg(run, { argv: ['wg', 'addconf', link, '/dev/stdin'], stdin: sections.join(''), opensStdin: true });
}

const keyOf = (section: string): string => /^PublicKey = (\S+)$/m.exec(section)?.[1] ?? '';

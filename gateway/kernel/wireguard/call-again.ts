/**
 * Calls peers of a tunnel once more: those whose first call was not answered, which have no session that could be lost, or
 * all, where the other member of a pair spoke meanwhile and their sessions are with that. And the other member itself, where
 * what members say is encrypted and there is no session with it. WireGuard calls again after five
 * seconds by itself, and sooner only a peer that it did not know before: so such a peer is taken away and told anew.
 */
import type { CommandRunner } from '../command.js';
import { MEMBER_LINK_PREFIX, TUNNEL_PREFIX } from '../../model/ownership.js';
import type { PeerDump } from './parse.js';
import { readDump, wg } from './subsystem.js';

/** On which links who is called. */
export interface Call {
  readonly on: (link: string) => boolean;
  readonly isCalled: (peer: PeerDump) => boolean;
}

const ofTenant = (link: string): boolean => link.startsWith(TUNNEL_PREFIX);
export const CALL_ALL: Call = { on: ofTenant, isCalled: () => true };
export const CALL_UNANSWERED: Call = { on: ofTenant, isCalled: ({ handshakeS }) => handshakeS === undefined };

/** So long after its handshake a session carries nothing more: WireGuard's own. */
const SESSION_S = 180;

export const callOtherMember = (nowMs: number): Call => ({
  on: (link) => link.startsWith(MEMBER_LINK_PREFIX),
  isCalled: ({ handshakeS = 0 }) => nowMs / 1000 - handshakeS > SESSION_S,
});

export async function callAgain(run: CommandRunner, link: string, { isCalled }: Call): Promise<void> {
  const dump = await readDump(run, link);
  const called = (dump?.peers ?? []).filter((peer) => peer.endpoint !== undefined && isCalled(peer));
  if (called.length === 0) return;
  const { stdout } = await run.run({ argv: ['wg', 'showconf', link] });
  const wanted = new Set(called.map(({ publicKey }) => publicKey));
  const sections = stdout.split(/^(?=\[Peer\])/m).filter((section) => wanted.has(keyOf(section)));
  if (sections.length === 0) return;
  await wg(run, { argv: ['wg', 'set', link, ...sections.flatMap((section) => ['peer', keyOf(section), 'remove'])] });
  await wg(run, { argv: ['wg', 'addconf', link, '/dev/stdin'], stdin: sections.join(''), opensStdin: true });
}

const keyOf = (section: string): string => /^PublicKey = (\S+)$/m.exec(section)?.[1] ?? '';

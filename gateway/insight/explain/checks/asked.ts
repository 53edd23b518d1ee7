/** What of an object a question is about. Pure. */
import type { About } from '../check.js';
import { type Entry, entryTaking } from '../subject.js';

/** The ways in that are meant: all, or the one that takes the port which was asked for. */
export function entriesAsked({ subject, question, judge }: About): readonly Entry[] {
  if (!question.port || subject.kind === 'snat') return subject.entries;
  const taking = entryTaking(subject.entries, question.port, judge);
  return taking ? [taking] : [];
}

/** Reads `ipvsadm -Sn` and what it tells of timeouts; keeps only services with the gateway's tag, and their members. */
import { isTagged, TIMEOUTS } from './entry.js';
import type { Line } from '../state.js';

const LINE = /^-([Aa]) (-[tu] \S+|-f \d+(?: -6)?) (?:-r (\S+) )?(.*)$/;

export function parse(text: string): Map<string, Line> {
  const lines = new Map<string, Line>();
  for (const line of text.split('\n')) {
    const timeouts = /^Timeout .*: (\d+ \d+ \d+)$/.exec(line.trim())?.[1];
    if (timeouts !== undefined) lines.set(TIMEOUTS, { text: timeouts });
    const [, verb, service = '', member, rest = ''] = LINE.exec(line.trim()) ?? [];
    if (verb === 'A' && isTagged(rest)) lines.set(service, { text: rest });
    else if (verb === 'a' && member !== undefined && lines.has(service))
      lines.set(`${service} -r ${member}`, { text: rest });
  }
  return lines;
}

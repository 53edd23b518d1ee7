/**
 * Reads what `ipvsadm` says; keeps only services with the gateway's tag, and their members. Of all services it says it in
 * the words of commands (`-S -n`), of one in a table (`-L -n`):
 *
 *   TCP  203.0.113.10:80 wrr (flag-3) persistent 10800
 *     -> 10.0.0.5:8080                Masq    1      0          0
 */
import { isTagged, memberText, syncText, TIMEOUTS } from './entry.js';
import type { Line } from '../state.js';

const COMMAND = /^-([Aa]) (-[tu] \S+|-f \d+(?: -6)?) (?:-r (\S+) )?(.*)$/;
const SERVICE = /^(TCP|UDP|FWM) +(\S+)( IPv6)? (\S+)(?: \((\S+)\))?(?: persistent (\d+))?(.*)$/;
const MEMBER = /^-> (\S+) +Masq +(\d+) /;
const SYNC = /^(master|backup) sync daemon \(mcast=(\S+), syncid=(\d+), .*group=([^,)]+)/;
const OPTION = { TCP: '-t', UDP: '-u', FWM: '-f' } as const;

export function parse(text: string): Map<string, Line> {
  const lines = new Map<string, Line>();
  let listed = '';
  const service = (key: string, words: string): void => {
    if (isTagged(words)) lines.set(key, { text: words });
  };
  const member = (key: string, address: string, words: string): void => {
    if (lines.has(key)) lines.set(`${key} -r ${address}`, { text: words });
  };
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const [, verb, of = '', address, rest = ''] = COMMAND.exec(line) ?? [];
    if (verb === 'A') service(of, rest);
    else if (verb === 'a' && address !== undefined) member(of, address, rest);
    if (verb !== undefined) continue;
    const timeouts = /^Timeout .*: (\d+ \d+ \d+)$/.exec(line)?.[1];
    if (timeouts !== undefined) lines.set(TIMEOUTS, { text: timeouts });
    const [, role, link = '', id, group = ''] = SYNC.exec(line) ?? [];
    if (role !== undefined) lines.set(`sync ${role}`, { text: syncText(link, group, Number(id)) });
    const [, kind, name = '', six, scheduler = '', flags, persistence, more = ''] = SERVICE.exec(line) ?? [];
    if (kind !== undefined) {
      listed = `${OPTION[kind as keyof typeof OPTION]} ${name}${six ? ' -6' : ''}`;
      const words = [`-s ${scheduler}`, persistence && `-p ${persistence}`, more.trim(), flags && `-b ${flags}`];
      service(listed, words.filter((word) => word !== undefined && word !== '').join(' '));
    }
    const [, end, weight] = MEMBER.exec(line) ?? [];
    if (end !== undefined) member(listed, end, memberText(Number(weight)));
  }
  return lines;
}

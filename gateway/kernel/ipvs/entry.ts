/**
 * What IPVS holds, as keyed lines in the words of `ipvsadm`. Services carry the gateway's tag; members have it by their
 * service.
 *
 *   -t 203.0.113.10:80                    -s wrr -p 10800 -b flag-3        a service
 *   -t 203.0.113.10:80 -r 10.0.0.5:8080   -m -w 1                          a member of it
 *   -f 805310464 -6                       -s mh -b mh-fallback                  a service of a range, by its packets' mark
 *   timeouts                              900 120 300                      of connections, in seconds
 *   sync master                           --mcast-interface sync0 …        tells the other of a pair of connections
 *   sync backup                           --mcast-interface sync0 …        hears of them
 */
import type { PortRange } from '../../model/gateway-model.js';
import type { IpAddress } from '../../model/ip.js';
import { IPVS_TAGS } from '../../model/ownership.js';
import type { Line } from '../state.js';

export type IpvsEntry = readonly [key: string, line: Line];
export type Scheduler = keyof typeof IPVS_TAGS;
export const SCHEDULERS = Object.keys(IPVS_TAGS) as readonly Scheduler[];

export const TIMEOUTS = 'timeouts';
export const SYNCS = ['sync master', 'sync backup'] as const;
/** Not a service's, nor a member's. */
export const isBeside = (key: string): boolean => key === TIMEOUTS || key.startsWith('sync ');
const MEMBER = ' -r ';
/** The masquerading mode: what comes back passes the gateway, too. */
const FORWARDING = '-m';

export const endOf = ({ family, text }: IpAddress, port: number): string =>
  family === 4 ? `${text}:${port}` : `[${text}]:${port}`;

export const serviceAt = (protocol: 'TCP' | 'UDP', address: IpAddress, { first }: PortRange): string =>
  `${protocol === 'TCP' ? '-t' : '-u'} ${endOf(address, first)}`;

export const serviceOfMark = (mark: number, { family }: IpAddress): string => `-f ${mark}${family === 6 ? ' -6' : ''}`;

export const serviceText = (scheduler: Scheduler, persistentSeconds?: number): string =>
  `-s ${scheduler}${persistentSeconds === undefined ? '' : ` -p ${persistentSeconds}`} -b ${IPVS_TAGS[scheduler]}`;

export const memberKey = (service: string, address: IpAddress, port: number): string =>
  `${service}${MEMBER}${endOf(address, port)}`;

export const memberText = (weight: number): string => `${FORWARDING} -w ${weight}`;

/** `group`: of the multicast, whose family has to be one of the interface's addresses'. */
export const syncText = (link: string, group: string, id: number): string =>
  `--mcast-interface ${link} --syncid ${id} --mcast-group ${group}`;

const TAGGED = new RegExp(`^-s (?:${SCHEDULERS.map((name) => `${name} (?:.* )?-b ${IPVS_TAGS[name]}`).join('|')})$`);
export const isTagged = (text: string): boolean => TAGGED.test(text);

/** The service that a key is of; `undefined` for a key that is a service's own. */
export function serviceOf(key: string): string | undefined {
  const at = key.indexOf(MEMBER);
  return at < 0 ? undefined : key.slice(0, at);
}

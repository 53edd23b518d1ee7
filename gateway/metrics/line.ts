/** Of dedicated lines: whether they carry, what passes, and how often their networks went elsewhere. */
import type { BgpLook } from '../health/bgp-look.js';
import type { LineLook } from '../health/line-look.js';
import { type Series, seriesText } from './exposition.js';

const SERIES: readonly Series<LineLook>[] = [
  {
    name: 'vpcgw_line_up',
    type: 'gauge',
    help: '1 when the line carries, if only by the session of one family; 0 when it does not; absent on a member that is not active.',
    read: ({ state }) => (state === 'Idle' ? undefined : Number(state !== 'Down')),
  },
  {
    name: 'vpcgw_line_received_bytes_total',
    type: 'counter',
    help: 'What came by the line.',
    read: ({ receivedBytes }) => receivedBytes,
  },
  {
    name: 'vpcgw_line_sent_bytes_total',
    type: 'counter',
    help: 'What was sent by the line.',
    read: ({ sentBytes }) => sentBytes,
  },
  {
    name: 'vpcgw_line_switch_overs_total',
    type: 'counter',
    help: 'How often its networks went elsewhere or came back.',
    read: ({ switchOvers }) => switchOvers,
  },
  {
    name: 'vpcgw_line_switch_over_seconds',
    type: 'gauge',
    help: 'From the last sign of life to the other way in the kernel, the last time that the line went down.',
    read: ({ switchOverMs }) => (switchOverMs === undefined ? undefined : switchOverMs / 1000),
  },
];

const SESSIONS: readonly Series<BgpLook>[] = [
  {
    name: 'vpcgw_bgp_session_up',
    type: 'gauge',
    help: '1 when the session with the other end of a line is established.',
    read: ({ established }) => Number(established),
  },
  {
    name: 'vpcgw_bgp_prefixes',
    type: 'gauge',
    help: 'Networks that were learnt of the other end.',
    read: ({ taken }) => taken,
  },
  {
    name: 'vpcgw_bfd_up',
    type: 'gauge',
    help: '1 when the other end answers BFD.',
    read: ({ bfd }) => (bfd === undefined ? undefined : Number(bfd === 'Up')),
  },
];

export const bgpText = (looks: readonly BgpLook[]): string[] =>
  seriesText(SESSIONS, looks, ({ line, peer }) => `name="${line}",peer="${peer}"`);

export const lineText = (looks: Iterable<LineLook>): string[] =>
  seriesText(SERIES, [...looks], ({ line }) => `name="${line}"`);

/** Of the peers of tunnels: whether they are there, and what passes. */
import type { ConnectionLook, PeerLook } from '../health/peer-state.js';
import { type Series, seriesText } from './exposition.js';

const SERIES: readonly Series<PeerLook>[] = [
  {
    name: 'vpcgw_vpn_peer_up',
    type: 'gauge',
    help: '1 when the peer is up, 0 when it is down or degraded; absent while nothing is known.',
    read: ({ state }) => (state === 'Idle' ? undefined : Number(state === 'Up')),
  },
  {
    name: 'vpcgw_vpn_peer_handshake_age_seconds',
    type: 'gauge',
    help: 'Since the last handshake.',
    read: ({ handshakeAgeS }) => handshakeAgeS,
  },
  {
    name: 'vpcgw_vpn_peer_received_bytes_total',
    type: 'counter',
    help: 'What the peer sent, encrypted.',
    read: ({ receivedBytes }) => receivedBytes,
  },
  {
    name: 'vpcgw_vpn_peer_sent_bytes_total',
    type: 'counter',
    help: 'What was sent to the peer, encrypted.',
    read: ({ sentBytes }) => sentBytes,
  },
  {
    name: 'vpcgw_vpn_peer_probe_loss',
    type: 'gauge',
    help: 'Share of the last probes that nobody answered.',
    read: ({ probe }) => (probe && probe.sent > 0 ? probe.lost / probe.sent : undefined),
  },
  {
    name: 'vpcgw_vpn_peer_round_trip_seconds',
    type: 'gauge',
    help: 'Of the last probes that were answered, the mean.',
    read: ({ probe }) => (probe?.roundTripMs === undefined ? undefined : probe.roundTripMs / 1000),
  },
];

const CERTIFICATES: readonly Series<readonly [name: string, look: ConnectionLook]>[] = [
  {
    name: 'vpcgw_vpn_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the first of the certificates that the connection needs is out of its time, since the epoch.',
    read: ([, { certificate }]) => certificate?.endS,
  },
];

export const vpnText = (looks: ReadonlyMap<string, ConnectionLook>): string[] => [
  ...seriesText(
    SERIES,
    [...looks.values()].flatMap(({ peers }) => peers),
    ({ connection, peer }) => `name="${connection}",peer="${peer}"`,
  ),
  ...seriesText(CERTIFICATES, [...looks], ([name]) => `name="${name}"`),
];

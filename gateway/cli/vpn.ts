/** `vpn keygen`, `vpn peer-config`, `show vpn`. */
import type { PeerLook } from '../health/peer-state.js';
import { KeyFolder } from '../system/key-folder.js';
import { Client } from './client.js';
import type { Common } from './options.js';
import { bytesText, print, siteStateText, table } from './output.js';
import type { Format } from './output.js';

interface KeygenOptions {
  readonly keys: string;
  readonly psk: boolean;
  readonly output: Format;
}

/** The private key is never printed: only its file has it. */
export function keygen(file: string, { keys, psk, output }: KeygenOptions): void {
  const publicKey = new KeyFolder(keys).create(file, psk ? 'preshared' : 'private');
  const made = { file, ...(publicKey === undefined ? {} : { publicKey }) };
  print(output, made, () =>
    publicKey === undefined
      ? `${keys}/${file} holds a preshared key; the peer needs the same\n`
      : `${keys}/${file} holds a private key; its public key is\n${publicKey}\n`,
  );
}

export async function peerConfig(
  name: string,
  { target, output, peer }: Common & { peer: string | undefined },
): Promise<void> {
  const query = peer === undefined ? '' : `?peer=${encodeURIComponent(peer)}`;
  const answer = await new Client(target).get<{ config: string }>(
    `/v1/vpn/${encodeURIComponent(name)}/peer-config${query}`,
  );
  print(output, answer, () => answer.config);
}

export async function showVpn(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<PeerLook[]>('/v1/show/vpn');
  print(output, rows, () =>
    table(
      rows,
      [
        { title: 'CONNECTION', value: (row) => row.connection },
        { title: 'PEER', value: (row) => row.peer },
        { title: 'STATE', value: (row) => siteStateText(row.state) },
        { title: 'ENDPOINT', value: (row) => row.endpoint ?? '' },
        { title: 'RECEIVED', value: (row) => bytesText(row.receivedBytes), right: true },
        { title: 'SENT', value: (row) => bytesText(row.sentBytes), right: true },
        {
          title: 'ROUND TRIP',
          value: ({ probe }) => (probe?.roundTripMs === undefined ? '' : `${probe.roundTripMs} ms`),
        },
        { title: 'WHY', value: (row) => row.reason },
      ],
      'there is no VPN connection',
    ),
  );
}

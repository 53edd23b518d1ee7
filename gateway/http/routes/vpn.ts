/** VPN connections: how they stand, and what their other ends need. */
import * as z from 'zod';
import * as answers from '../answers.js';
import { type Route, route } from '../route.js';

const name = z.string().min(1).max(253);

export const VPN_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/show/vpn',
    summary: 'Peers of VPN connections, and how they stand now',
    role: 'viewer',
    answer: answers.vpnRows,
    handle: async ({ vpn }) => {
      await vpn.look();
      return { body: [...vpn.looks.values()].flatMap(({ peers }) => peers) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/vpn/{name}/peer-config',
    summary: 'What the other ends of a VPN connection need, as a file for wg-quick or swanctl; without secrets',
    role: 'viewer',
    params: z.strictObject({ name }),
    query: z.strictObject({ peer: name.optional().describe('Of this one alone.') }),
    answer: answers.peerConfig,
    handle: ({ vpn }, { params, query }) => ({ body: { config: vpn.peerConfig(params.name, query.peer) } }),
  }),
];

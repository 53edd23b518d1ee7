/** Dedicated lines, and the ways to what is behind them. */
import * as answers from '../answers.js';
import { type Route, route } from '../route.js';

export const LINE_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/show/line',
    summary: 'Dedicated lines, and how they stand now',
    role: 'viewer',
    answer: answers.lineRows,
    handle: async ({ lines }) => {
      await lines.look();
      return { body: [...lines.looks.values()] };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/show/bgp',
    summary: 'Sessions of dedicated lines that learn their networks, and what they told each other',
    role: 'viewer',
    answer: answers.bgpRows,
    handle: async ({ routing }) => {
      await routing.look();
      return { body: [...routing.looks()] };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/show/routes',
    summary: "The ways to the VPC's own networks and to sites, as the kernel has them: which is taken, which come next",
    role: 'viewer',
    answer: answers.routeRows,
    handle: async ({ show }) => ({ body: await show.routes() }),
  }),
];

/** The one table of routes: a route that is not in it does not exist, and one that is in it is in OpenAPI too. */
import * as z from 'zod';
import { type Route, route } from './route.js';
import { CHANGE_ROUTES } from './routes/change.js';
import { DOCUMENT_ROUTES } from './routes/documents.js';
import { EXPLAIN_ROUTES } from './routes/explain.js';
import { FAILOVER_ROUTES } from './routes/failover.js';
import { HEALTH_ROUTES } from './routes/health.js';
import { INSIGHT_ROUTES } from './routes/insight.js';
import { LOOK_ROUTES } from './routes/look.js';
import { LINE_ROUTES } from './routes/line.js';
import { VPN_ROUTES } from './routes/vpn.js';

export const ROUTES: readonly Route[] = [
  ...HEALTH_ROUTES,
  ...LOOK_ROUTES,
  ...EXPLAIN_ROUTES,
  ...INSIGHT_ROUTES,
  ...DOCUMENT_ROUTES,
  ...CHANGE_ROUTES,
  ...FAILOVER_ROUTES,
  ...VPN_ROUTES,
  ...LINE_ROUTES,
  route({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This API, as OpenAPI 3.1',
    role: 'viewer',
    answer: () => z.looseObject({ openapi: z.literal('3.1.0') }),
    handle: async () => ({ body: (await import('./openapi.js')).openApi(ROUTES) }),
  }),
];

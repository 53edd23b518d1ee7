/** What a route is: one entry of the table from which routes are registered, access is judged and OpenAPI is written. */
import type { ServerResponse } from 'node:http';
import * as z from 'zod';
import { VpcgwError } from '../errors.js';
import type { Explain } from '../insight/explain/explain.js';
import type { Bundler } from '../insight/bundle/bundler.js';
import type { Capturer } from '../insight/capture/capturer.js';
import type { Top } from '../insight/top/top.js';
import type { Tracer } from '../insight/trace/tracer.js';
import type { Metrics } from '../metrics/metrics.js';
import type { AuditAction, Auditor } from '../reconcile/audit.js';
import type { LineWatch } from '../reconcile/line-watch.js';
import type { Pair } from '../reconcile/pair.js';
import type { Routing } from '../reconcile/routing.js';
import type { Author } from '../reconcile/submission.js';
import type { Show } from '../reconcile/show.js';
import type { Supervisor } from '../reconcile/supervisor.js';
import type { VpnWatch } from '../reconcile/vpn-watch.js';
import type { Preconditions } from './etag.js';
import type { EventHub } from './event-hub.js';

export interface HttpParts {
  readonly supervisor: Supervisor;
  readonly metrics: Metrics;
  readonly show: Show;
  readonly explain: Explain;
  readonly events: EventHub;
  readonly auditor: Auditor;
  readonly tracer: Tracer;
  readonly top: Top;
  readonly capturer: Capturer;
  readonly bundler: Bundler;
  readonly pair: Pair;
  readonly vpn: VpnWatch;
  readonly lines: LineWatch;
  readonly routing: Routing;
}

/** Each may do all that those before it may. */
export const ROLES = ['viewer', 'editor', 'operator'] as const;
export type Role = (typeof ROLES)[number];

export const mayActAs = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);

export interface Caller {
  readonly author: Author;
  readonly role: Role;
}

export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly preconditions: Preconditions;
  /** What the caller would rather have, as it stands in `Accept`. */
  readonly accept: string;
}

export interface Answer {
  readonly status?: number;
  /** JSON, or a text of `type`. */
  readonly body?: unknown;
  readonly type?: string;
  readonly etag?: string | undefined;
  /** In place of a body. */
  readonly stream?: (response: ServerResponse) => void;
}

export interface RouteOf<Params, Query, Body> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With parameters as OpenAPI writes them: `/v1/documents/{kind}/{name}`. */
  readonly path: string;
  readonly summary: string;
  /** The least role that may; without one anybody may. */
  readonly role?: Role;
  /** Served to anybody at a management address that has no accounts at all. */
  readonly open?: true;
  /** However many others ask: who does not hear whether it lives starts it anew. */
  readonly alwaysAnswered?: true;
  /** What a refusal is called in the audit. */
  readonly audited?: AuditAction;
  /** Takes If-Match and If-None-Match. */
  readonly conditional?: true;
  /** Answers without an end. */
  readonly streams?: true;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** Content types of the body beside JSON. */
  readonly bodyTypes?: readonly string[];
  /** JSON, unless it says otherwise in `answerType`. Made when it is asked for: only OpenAPI and tests do. */
  readonly answer: () => z.ZodType;
  readonly answerType?: string;
  readonly handle: (parts: HttpParts, call: Call<Params, Query, Body>) => Answer | Promise<Answer>;
}

export type Route = RouteOf<unknown, unknown, unknown>;

/** With the types of its schemas towards its handler; without them in the table. */
export const route = <Params = unknown, Query = unknown, Body = unknown>(
  definition: RouteOf<Params, Query, Body>,
): Route => definition as unknown as Route;

const NOTHING = z.strictObject({});

/** Throws `BadRequest` with every fault of the path, the query and the body. */
export function judge(
  { params = NOTHING, query = NOTHING, body }: Route,
  given: { readonly params: unknown; readonly query: unknown; readonly body: unknown },
): Pick<Call<unknown, unknown, unknown>, 'params' | 'query' | 'body'> {
  return {
    params: judged('path', params, given.params),
    query: judged('query', query, given.query),
    body: body && judged('body', body, given.body),
  };
}

function judged(where: string, schema: z.ZodType, value: unknown): unknown {
  const { data, error } = schema.safeParse(value);
  if (error) throw new VpcgwError('BadRequest', `${where}: ${z.prettifyError(error)}`);
  return data;
}

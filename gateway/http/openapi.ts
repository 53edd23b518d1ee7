/** OpenAPI 3.1 from the table of routes and the kinds. Pure. */
import * as z from 'zod';
import { type JsonSchema, jsonSchemaOf, toJsonSchema } from '../api/json-schema.js';
import { type Kind, KINDS } from '../api/kinds.js';
import { ERRORS } from '../errors.js';
import { VERSION } from '../version.js';
import { problem } from './answers.js';
import type { Route } from './route.js';

type Json = Record<string, unknown>;

export function openApi(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: { title: 'vpcgw', version: VERSION, description: 'The gateway of a VPC: its documents, and how it is.' },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { certificate: [] }],
    paths,
    components: {
      schemas: { ...kindSchemas(), Problem: plain(toJsonSchema(problem())) },
      responses: { Problem: { description: PROBLEMS, content: { 'application/problem+json': reference('Problem') } } },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        certificate: { type: 'mutualTLS', description: "The certificate's OU is the role." },
      },
    },
  };
}

/** Name and text of the page that `npm run docs` writes. */
export const openApiFile = (routes: readonly Route[]): [string, string] => [
  'openapi.json',
  `${JSON.stringify(openApi(routes), undefined, 2)}\n`,
];

const PROBLEMS = `One of: ${Object.entries(ERRORS)
  .map(([code, { status }]) => `${code} (${status})`)
  .join(', ')}`;

const reference = (name: string): Json => ({ schema: { $ref: `#/components/schemas/${name}` } });

/** In OpenAPI the dialect is given once, for all. */
function plain({ $schema: _, ...schema }: JsonSchema): Json {
  return schema;
}

const kindSchemas = (): Json =>
  Object.fromEntries(
    (Object.keys(KINDS) as Kind[]).map((kind) => [
      kind,
      { description: KINDS[kind].summary, ...plain(jsonSchemaOf(kind)) },
    ]),
  );

function operationOf(route: Route): Json {
  const { method, path, summary, role, audited, query, params, conditional, body, answer, answerType } = route;
  const content = answerType ?? 'application/json';
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^A-Za-z0-9]+(\w)/g, (_, next: string) => next.toUpperCase()).replace(/\W/g, '')}`,
    summary,
    ...(role === undefined ? { security: [] } : { description: `Role: ${role}.${audited ? ' Audited.' : ''}` }),
    parameters: [
      ...parametersOf('path', params),
      ...parametersOf('query', query),
      ...(conditional ? ['If-Match', 'If-None-Match'].map(headerParameter) : []),
    ],
    ...(body === undefined ? {} : { requestBody: requestBodyOf(route) }),
    responses: {
      200: { description: 'Done.', content: { [content]: { schema: plain(outputSchema(answer())) } } },
      ...(path === '/readyz' ? { 503: { description: 'Not ready.' } } : {}),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

const outputSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'output', reused: 'inline', unrepresentable: 'any' });

const headerParameter = (name: string): Json => ({
  name,
  in: 'header',
  required: false,
  description: 'An ETag as an answer gave it, or *.',
  schema: { type: 'string' },
});

function parametersOf(where: 'path' | 'query', schema: z.ZodType | undefined): Json[] {
  const { properties = {}, required = [] } = schema ? toJsonSchema(schema) : {};
  return Object.entries(properties as Record<string, JsonSchema>).map(([name, own]) => ({
    name,
    in: where,
    required: required.includes(name),
    ...(own.description === undefined ? {} : { description: own.description }),
    schema: own,
  }));
}

/** A document stands for all kinds in the path; the kinds themselves are among the components. */
function requestBodyOf({ body, bodyTypes = [] }: Route): Json {
  const document = { oneOf: Object.keys(KINDS).map((kind) => reference(kind)['schema']) };
  const schema = bodyTypes.length > 0 ? document : plain(toJsonSchema(body ?? z.unknown()));
  const { success: optional } = (body ?? z.unknown()).safeParse(undefined);
  return {
    required: !optional,
    content: Object.fromEntries(['application/json', ...bodyTypes].map((type) => [type, { schema }])),
  };
}

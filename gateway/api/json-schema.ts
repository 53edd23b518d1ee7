/** JSON Schema of the documents, from the same zod schemas: editors complete from it, OpenAPI and CRDs follow. */
import * as z from 'zod';
import { documentSchema, type Kind, KINDS } from './kinds.js';

export function jsonSchemaOf(kind: Kind): Record<string, unknown> {
  return z.toJSONSchema(documentSchema(kind), { io: 'input', reused: 'inline', unrepresentable: 'any' });
}

/** Any document of the language. */
export function jsonSchema(): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'vpcgw documents',
    oneOf: (Object.keys(KINDS) as Kind[]).map((kind) => {
      const schema = jsonSchemaOf(kind);
      delete schema['$schema'];
      return { title: kind, description: KINDS[kind].summary, ...schema };
    }),
  };
}

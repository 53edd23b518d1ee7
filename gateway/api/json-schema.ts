/** JSON Schema of the documents, from the same zod schemas: editors complete from it, OpenAPI and CRDs follow. */
import * as z from 'zod';
import { documentSchema, type Kind, KINDS } from './kinds.js';
import { formatDuration } from './scalars.js';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

export const jsonSchemaOf = (kind: Kind): JsonSchema => toJsonSchema(documentSchema(kind));

export const toJsonSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', reused: 'inline', unrepresentable: 'any', override: restore });

/** Of a text that is parsed zod leaves out the example, and the default, which it knows as a parsed value only. */
function restore({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  const { examples } = z.globalRegistry.get(zodSchema) ?? {};
  if (examples !== undefined) jsonSchema.examples ??= examples as unknown[];
  const { def } = zodSchema._zod;
  if (def.type === 'default' && jsonSchema.title === 'duration')
    jsonSchema.default = formatDuration(def.defaultValue as number);
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

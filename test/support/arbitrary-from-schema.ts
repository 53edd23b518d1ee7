import fc from 'fast-check';

// Values after a JSON Schema, as a careless or hostile client would send them: mostly right, with something wrong
// somewhere in a part of them.

type Schema = Readonly<Record<string, unknown>>;

export interface SchemaArbitraries {
  /** Chance in 100 that a value is any other value instead. */
  readonly wrongPercent: number;
  readonly components: Readonly<Record<string, Schema>>;
}

export function arbitraryFrom(schema: Schema, options: SchemaArbitraries): fc.Arbitrary<unknown> {
  const right = rightFrom(schema, options);
  const { wrongPercent } = options;
  return fc.oneof({ weight: 100 - wrongPercent, arbitrary: right }, { weight: wrongPercent, arbitrary: anything });
}

const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>('', ' ', '*', '../../etc/passwd', '\0', '\u202e', 1e308, -1, null, [], {}, 'ElasticIP/web'),
  fc.string({ unit: 'binary', maxLength: 300 }),
);

function rightFrom(schema: Schema, options: SchemaArbitraries): fc.Arbitrary<unknown> {
  const {
    $ref,
    oneOf,
    anyOf,
    const: only,
    enum: words,
    examples,
    type,
  } = schema as {
    $ref?: string;
    oneOf?: Schema[];
    anyOf?: Schema[];
    const?: unknown;
    enum?: unknown[];
    examples?: unknown[];
    type?: string;
  };
  if ($ref !== undefined) return arbitraryFrom(options.components[$ref.replace(/.*\//, '')] ?? {}, options);
  const choices = oneOf ?? anyOf;
  if (choices) return fc.oneof(...choices.map((choice) => arbitraryFrom(choice, options)));
  if (only !== undefined) return fc.constant(only);
  if (words) return fc.constantFrom(...words);
  if (type === 'object') return objectFrom(schema, options);
  if (type === 'array') return fc.array(arbitraryFrom((schema['items'] ?? {}) as Schema, options), { maxLength: 3 });
  if (type === 'boolean') return fc.boolean();
  if (type === 'null') return fc.constant(null);
  if (type === 'integer' || type === 'number')
    return fc.oneof(fc.integer(), fc.integer({ min: 1, max: 5_000 }), fc.constantFrom(0, 65_535, 65_536));
  if (type === 'string') return fc.oneof(fc.constantFrom(...(examples ?? ['x'])), fc.string({ maxLength: 80 }));
  return anything;
}

function objectFrom(schema: Schema, options: SchemaArbitraries): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const required = (schema['required'] ?? []) as string[];
  return fc.record(Object.fromEntries(properties.map(([name, own]) => [name, arbitraryFrom(own, options)])), {
    requiredKeys: required,
  });
}

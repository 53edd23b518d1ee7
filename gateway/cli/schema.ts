import { jsonSchema } from '../api/json-schema.js';

export function printSchema(): void {
  process.stdout.write(`${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
}

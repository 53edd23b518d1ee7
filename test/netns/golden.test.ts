import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Document } from '../support/documents.js';
import { GatewayWorld } from '../support/gateway-world.js';

// The documents whose kernel is written down in test/golden, put into a real one: it takes every line, and shows it as
// it was written.

const folder = fileURLToPath(new URL('../golden/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('a real kernel holds', () => {
  let world: GatewayWorld;
  beforeAll(async () => {
    world = await GatewayWorld.create();
  });
  afterAll(() => world?.destroy());

  it.each(names)('what %s means', async (name) => {
    const documents = parseAllDocuments(readFileSync(`${folder}${name}`, 'utf8')).map(
      (document) => document.toJS() as Document,
    );
    await world.submit(documents);
    await world.verify(documents);
  });
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { referenceFiles } from '../gateway/api/reference.js';
import { openApiFile } from '../gateway/http/openapi.js';
import { ROUTES } from '../gateway/http/routes.js';
import { explainFile } from '../gateway/insight/explain/codes.js';

// npm run docs: writes docs/reference from the schemas in gateway/api and the table of routes in gateway/http and that of
// codes in gateway/insight.

const directory = fileURLToPath(new URL('reference', import.meta.url));
mkdirSync(directory, { recursive: true });
for (const [name, text] of [...referenceFiles(), openApiFile(ROUTES), explainFile()])
  writeFileSync(`${directory}/${name}`, text);

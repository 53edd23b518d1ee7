import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { referenceFiles } from '../gateway/api/reference.js';

// npm run docs: writes docs/reference from the schemas in gateway/api.

const directory = fileURLToPath(new URL('reference', import.meta.url));
mkdirSync(directory, { recursive: true });
for (const [name, text] of referenceFiles()) writeFileSync(`${directory}/${name}`, text);

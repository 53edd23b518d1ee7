import type { GatewayDocument } from '../documents/document.js';
import type { Origin } from './gateway-model.js';
import { remember } from './remember.js';

/** The line of the document's first key: cheap, as it must be for thousands. */
export const originOf = remember((document: GatewayDocument): Origin => {
  const { source } = document;
  const skipped = /^(\s*(#[^\n]*)?\n)*/.exec(source.text)?.[0] ?? '';
  return { id: document.id, file: source.file, line: source.firstLine + skipped.split('\n').length - 1 };
});

/** Settings as a file for `swanctl`, to be read by people. Pure. */
import { isList, type Settings } from './vici.js';

export const settingsText = (settings: Settings): string[] =>
  Object.entries(settings).flatMap(([key, value]) => {
    if (typeof value === 'string') return [`${key} = ${key === 'id' ? `"${value}"` : value}`];
    if (isList(value)) return [`${key} = ${value.join(', ')}`];
    return [`${key} {`, ...settingsText(value).map((line) => `  ${line}`), '}'];
  });

/** Kernel switches of the process's own network namespace: read as files, where a program would cost a hundred times that. */
import { readFileSync } from 'node:fs';

export function readSwitches(names: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const name of names) {
    const value = readSwitch(name);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

/** One that this kernel does not have, or does not show, has no value. */
function readSwitch(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

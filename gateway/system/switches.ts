/**
 * Kernel switches of the process's own network namespace: read and written as files, where a program would cost a hundred
 * times that.
 */
import { readFileSync, writeFileSync } from 'node:fs';

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
    return readFileSync(fileOf(name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function writeSwitches(values: ReadonlyMap<string, string>): Set<string> {
  return new Set([...values].filter(([name, value]) => writeSwitch(name, value)).map(([name]) => name));
}

/** Not where /proc/sys is read-only, or the kernel takes no such value. */
function writeSwitch(name: string, value: string): boolean {
  try {
    writeFileSync(fileOf(name), value, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

const fileOf = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;

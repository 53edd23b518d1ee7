/**
 * Kernel switches of the process's own network namespace: read and written as files, where a program would cost a hundred
 * times that.
 */
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';

export function readSwitches(names: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const name of names) {
    const value = readSwitch(name);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

/** Files stay open: they are read every second, and to open and close them is most of what that costs. */
const held = new Map<string, number>();
/** No switch of ours says more. */
const reading = Buffer.alloc(256);

/** One that this kernel does not have, or does not show, has no value. */
function readSwitch(name: string): string | undefined {
  const value = held.has(name) ? readHeld(name) : undefined;
  // Of a link that is gone; another may have its name by now.
  return value ?? (hold(name) ? readHeld(name) : undefined);
}

function hold(name: string): boolean {
  try {
    held.set(name, openSync(fileOf(name), 'r'));
    return true;
  } catch {
    return false;
  }
}

function readHeld(name: string): string | undefined {
  const file = held.get(name);
  if (file === undefined) return undefined;
  try {
    return reading.toString('latin1', 0, readSync(file, reading, 0, reading.length, 0)).trim();
  } catch {
    closeSync(file);
    held.delete(name);
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

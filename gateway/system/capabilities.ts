/** Rights that this process holds, and so those that it starts. */
import { readFileSync } from 'node:fs';

/** By their numbers in capability.h. */
const NUMBERS = { SETGID: 6n, NET_BIND_SERVICE: 10n, NET_RAW: 13n } as const;

export function holdsCapability(name: keyof typeof NUMBERS): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> NUMBERS[name]) & 1n) === 1n;
}

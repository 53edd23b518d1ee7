import type { Namespace } from '../support/namespace.js';

/** What had passed a class of traffic control at a moment. */
export interface Reading {
  readonly bytes: number;
  readonly ms: number;
}

/** Bytes of Ethernet frames by class, such as `1:10`. */
export async function readClasses(gateway: Namespace, device: string): Promise<Map<string, Reading>> {
  const began = performance.now();
  const { stdout } = await gateway.exec(['tc', '-s', 'class', 'show', 'dev', device]);
  const ms = (began + performance.now()) / 2;
  const found = stdout.matchAll(/^class htb (\S+) .*\n Sent (\d+) bytes/gm);
  return new Map([...found].map(([, id = '', bytes]) => [id, { bytes: Number(bytes), ms }]));
}

export const bitsPerSecond = (from: Reading, to: Reading): number =>
  ((to.bytes - from.bytes) * 8_000) / (to.ms - from.ms);

/** The class that a filter leads the address to. */
export async function classOf(gateway: Namespace, device: string, address: string): Promise<string> {
  const { stdout } = await gateway.exec(['tc', 'filter', 'show', 'dev', device, 'parent', '1:']);
  const hex = address
    .split('.')
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    .join('');
  const id = new RegExp(`flowid (1:[0-9a-f]+)[^\\n]*\\n\\s*match ${hex}/ffffffff`).exec(stdout)?.[1];
  if (id === undefined) throw new Error(`${device} has no filter for ${address}`);
  return id;
}

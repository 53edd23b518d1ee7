/** What the kernel tells of a change, in this network namespace. Formats: event-program.ts. */
import { type Family, ipFromValue } from '../model/ip.js';

export type KernelEvent =
  /** `carries`: not one that is up and has no carrier. */
  | { readonly kind: 'link'; readonly link: string; readonly carries: boolean; readonly gone: boolean }
  /** `address` with its prefix length, as `ip` writes it. */
  | { readonly kind: 'address'; readonly link: string; readonly address: string; readonly gone: boolean }
  | { readonly kind: 'route' | 'rule'; readonly protocol: number }
  | NftEvent;

/** Of a transaction, once for each object: rules by their chain, elements by their set. */
export interface NftEvent {
  readonly kind: 'nft';
  /** Who made the transaction. */
  readonly pid: number;
  readonly family: 'ip' | 'ip6' | 'inet' | 'netdev';
  readonly object: 'table' | 'chain' | 'rule' | 'set' | 'element';
  readonly gone: boolean;
  readonly table: string;
  /** Of the chain or set; empty for a table. */
  readonly name: string;
}

const WORDS = { link: 3, address: 5, route: 1, rule: 1, nft: 6 } as const;

/** `undefined` when it is not such a line, whole: who tells may be killed in the midst of one. */
export function parseKernelEvent(line: string): KernelEvent | undefined {
  const [kind, ...words] = line.split(' ') as [keyof typeof WORDS, ...string[]];
  if (words.length !== WORDS[kind] || words.includes('')) return undefined;
  const [first, second, third, fourth, fifth, sixth] = words as [string, string, string, string, string, string];
  switch (kind) {
    case 'link':
      return { kind, link: first, carries: second === '1', gone: third === '1' };
    case 'address': {
      const { text } = ipFromValue(Number(second) as Family, BigInt(`0x${third}`));
      return { kind, link: first, address: `${text}/${fourth}`, gone: fifth === '1' };
    }
    case 'route':
    case 'rule':
      return { kind, protocol: Number(first) };
    case 'nft': {
      const [family, object] = [second, third] as [NftEvent['family'], NftEvent['object']];
      const name = sixth === '-' ? '' : sixth;
      return { kind, pid: Number(first), family, object, gone: fourth === '1', table: fifth, name };
    }
  }
}

/** The ports that source translation draws from, and how many blocks of them there are. */
export const SNAT_PORTS = { first: 1024, last: 65535 } as const;

/** A port can be used once for each far end. */
export const PORTS_PER_FAR_END = SNAT_PORTS.last - SNAT_PORTS.first + 1;

/** Buckets of sources are 2^bits, and each needs a block: beyond 2^10 a pool's chains would be too many. */
export const MAX_BLOCK_BITS = 10;

export const blocksPerAddress = (portsPerSource: number): number => Math.floor(PORTS_PER_FAR_END / portsPerSource);

/** How many low address bits choose a block; sources that are equal in these share one. */
export function blockBits(portsPerSource: number, addresses: number, sourceBits: number): number {
  return Math.min(MAX_BLOCK_BITS, sourceBits, Math.floor(Math.log2(blocksPerAddress(portsPerSource) * addresses)));
}

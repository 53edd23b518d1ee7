/** Security associations in the kernel that are the gateway's, as `ip xfrm state list nokeys` prints them. Pure. */
import { isXfrmId } from '../model/ownership.js';

export interface KernelSa {
  /** Of its interface. */
  readonly xfrmId: number;
  /** As `ip xfrm state delete` takes it. */
  readonly text: string;
}

export const parseStates = (text: string): KernelSa[] =>
  text.split(/^(?=src )/m).flatMap((block) => {
    const [, source, destination] = /^src (\S+) dst (\S+)/.exec(block) ?? [];
    const spi = /proto esp spi (0x[0-9a-f]+)/.exec(block)?.[1];
    const xfrmId = Number(/if_id (0x[0-9a-f]+)/.exec(block)?.[1] ?? 0);
    if (source === undefined || spi === undefined || !isXfrmId(xfrmId)) return [];
    return [{ xfrmId, text: `src ${source} dst ${destination} proto esp spi ${spi}` }];
  });

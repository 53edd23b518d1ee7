/** Keys and where they are kept. A secret stands in no document: what is written here names a file that holds it. */
import * as z from 'zod';
import { parseIp, unusableReason } from '../model/ip.js';
import { quoted, scalar } from './scalars.js';

/** 32 bytes in base64; the last digit holds four bits. */
export const KEY_TEXT = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export const wireGuardKey = scalar(
  'a public key',
  'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
  'A WireGuard public key: 32 bytes in base64, as `wg pubkey` prints them.',
  (text) =>
    KEY_TEXT.test(text)
      ? text
      : { wrong: `${quoted(text)} is not a public key: 44 characters of base64, as wg pubkey prints them, are wanted` },
);

const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/;

const fileName = z
  .string()
  .max(253)
  .regex(FILE_NAME, {
    error: (issue) =>
      `${quoted(String(issue.input).slice(0, 60))} is not the name of a file below the folder of keys, such as office.key or office/private`,
  });

/** A file below the folder that the supervisor was given for keys; a Secret is mounted there. */
export const keyRef = z
  .strictObject({
    file: fileName.describe('Below the folder of keys (`vpcgw run --keys`); `vpcgw vpn keygen` makes it.'),
  })
  .meta({ description: 'Where a key is kept. The key itself stands in no document.' });

/** One that somebody else makes. */
export const pemRef = z.strictObject({ file: fileName.describe('In the folder of keys (`vpcgw run --keys`).') });

export interface Endpoint {
  readonly address: NonNullable<ReturnType<typeof parseIp>>;
  readonly port: number;
  /** As `wg` prints it. */
  readonly text: string;
}

export const endpoint = scalar(
  'an address with a port',
  '198.51.100.7:51820',
  'An address and a UDP port; of IPv6 the address stands in brackets.',
  (text): Endpoint | { wrong: string } => {
    const [, inBrackets, plain, portText] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    const address = parseIp(inBrackets ?? plain ?? '');
    const port = Number(portText);
    const bracketed = inBrackets !== undefined;
    if (!address || bracketed !== (address.family === 6) || !(port >= 1 && port <= 65_535))
      return {
        wrong: `${quoted(text)} is not an address with a port, such as 198.51.100.7:51820 or [2001:db8::7]:51820`,
      };
    const reason = unusableReason(address);
    if (reason !== undefined) return { wrong: `${address.text} is ${reason}; a host's own address is wanted` };
    return { address, port, text: `${bracketed ? `[${address.text}]` : address.text}:${port}` };
  },
);

/**
 * The member file: which member of the pair this node runs, and where its peer is. It belongs to the node, not to the
 * tenant's documents, which are the same on both.
 */
import * as z from 'zod';
import { interfaceName, ipAddress, objectName } from './scalars.js';

const file = (example: string) =>
  z.string().regex(/^\/.{1,4000}$/, { error: `must be an absolute path such as ${example}` });

/** Of a link-local one the other end would have to know by which interface. */
const memberAddress = ipAddress.refine(({ text }) => !/^fe[89ab]/.test(text), {
  error: 'must not be link-local; give the interface an address of its own for the two members',
});

const path = {
  interface: interfaceName.describe('The interface towards the peer.'),
  address: memberAddress.describe("This member's own address there."),
  peer: memberAddress.describe("The peer's address there."),
};

export const memberFile = z.strictObject({
  name: objectName.describe('Which member this is; the other has another name.'),
  ...path,
  secretFile: file('/etc/vpcgw-secret/pair')
    .optional()
    .describe(
      'A file with a secret of at least 32 characters, the same on both members. By it their supervisors know each other and talk: documents, health, clocks. Without it they do not talk.',
    ),
  encryption: z
    .enum(['WireGuard'])
    .optional()
    .describe(
      'WireGuard: all that members say to each other goes through links of WireGuard, whose keys are made from the secret in `secretFile`. The same on both members. Without it only documents, health and clocks are encrypted.',
    ),
  vote: z
    .strictObject({
      caFile: file('/etc/vpcgw-vote/ca.crt').optional().describe('Who signed the certificates of its servers.'),
      certFile: file('/etc/vpcgw-vote/tls.crt').optional().describe("This member's certificate, of PEM."),
      keyFile: file('/etc/vpcgw-vote/tls.key').optional().describe('Its key.'),
      tokenFile: file('/etc/vpcgw-vote/token').optional().describe('A bearer token.'),
    })
    .default({})
    .describe('With what the third voter of a `Strict` pair is asked. Read at each question.'),
  secondPath: z
    .strictObject(path)
    .optional()
    .describe('Another way to the peer; a member takes over only when it hears nothing on either.'),
});
export type MemberFile = z.output<typeof memberFile>;

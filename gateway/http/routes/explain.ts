/** What is wrong with an object, if anything. */
import * as z from 'zod';
import { type AskedPort, DOCUMENT_KINDS, SUBJECT_KINDS, type SubjectKind } from '../../insight/explain/subject.js';
import { parseIp } from '../../model/ip.js';
import * as answers from '../answers.js';
import { type Route, route } from '../route.js';

const params = z.strictObject({
  kind: z
    .enum([...SUBJECT_KINDS, ...Object.values(DOCUMENT_KINDS)])
    .transform((word) => SUBJECT_KINDS.find((kind) => kind === word || DOCUMENT_KINDS[kind] === word) as SubjectKind),
  name: z.string().min(1).max(253),
});

const PORT = /^(?:([1-9]\d{0,4})\/(tcp|udp)|icmp)$/i;
const HIGHEST = 65_535;

const query = z.strictObject({
  from: z
    .string()
    .max(45)
    .transform((text, context) => {
      const address = parseIp(text);
      if (!address) context.addIssue({ code: 'custom', message: 'must be an IP address, such as 198.51.100.7' });
      return address ?? z.NEVER;
    })
    .optional()
    .describe('Who opens the connection; of a SnatRule a source in the VPC.'),
  port: z
    .string()
    .max(16)
    .transform((text, context): AskedPort => {
      const [whole, number = '0', protocol = 'icmp'] = PORT.exec(text) ?? [];
      if (whole === undefined || Number(number) > HIGHEST)
        context.addIssue({ code: 'custom', message: 'must be such as 443/tcp, 53/udp or icmp' });
      return { protocol: protocol.toLowerCase() as AskedPort['protocol'], number: Number(number) };
    })
    .optional()
    .describe('At the elastic IP, such as 443/tcp, or icmp; of a SnatRule at the far end.'),
});

export const EXPLAIN_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/explain/{kind}/{name}',
    summary:
      'What is wrong with an elastic IP or a rule, if anything; asks on both networks, and answers within some 3 s',
    role: 'viewer',
    params,
    query,
    answer: answers.explanation,
    handle: async ({ explain }, { params: { kind, name }, query: { from, port } }) => ({
      body: await explain.explain(kind, name, { from, port }),
    }),
  }),
];

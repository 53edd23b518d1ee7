/** A closer look: what becomes of a packet, and what the kernel does with one. */
import * as z from 'zod';
import { messageOf } from '../../errors.js';
import * as answers from '../answers.js';
import { type Route, route } from '../route.js';
import { stream, streamLines } from '../stream.js';

const packet = {
  from: z.string().max(64).describe('An address.'),
  to: z.string().max(80).describe('Such as 203.0.113.10:80/tcp, [2001:db8::5]:53/udp or 203.0.113.10/icmp.'),
  enters: z
    .string()
    .max(80)
    .optional()
    .describe(
      '`VPC`, the name of an external network, or an id such as `VpnConnection/office`; judged by the addresses when left out.',
    ),
};

const topQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, { error: 'must be a number from 1 to 99999' })
    .default('100')
    .transform(Number)
    .describe('The busiest so many.'),
});

const captureBody = z.strictObject({
  elasticIP: z.string().max(63),
  filter: z
    .string()
    .regex(/^[\x20-\x7e]{1,500}$/, { error: 'must be 1 to 500 printable characters' })
    .optional()
    .describe("In tcpdump's language; on both sides, with the ports that each has."),
  seconds: z.int().min(1).max(600).default(30),
  maxBytes: z.int().min(1_000).max(100_000_000).default(10_000_000).describe('Of the file.'),
  payload: z.boolean().default(false).describe('What is behind the headers too.'),
});

export const INSIGHT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/trace',
    summary: "A connection's first packet on its walk through the model that is in force",
    role: 'viewer',
    query: z.strictObject(packet),
    answer: answers.walk,
    handle: ({ tracer }, { query }) => ({ body: tracer.walk(query) }),
  }),
  route({
    method: 'GET',
    path: '/v1/top',
    summary: 'Elastic IPs by what passes them; answers after a second of watching',
    role: 'viewer',
    query: topQuery,
    answer: answers.topView,
    handle: async ({ top }, { query: { limit } }) => ({ body: await top.view(limit) }),
  }),
  route({
    method: 'POST',
    path: '/v1/trace/live',
    summary:
      'The same beside what the kernel does with such a packet: a line with {watching}, and one with {walk, live} when one has passed or the time is over',
    role: 'operator',
    audited: 'Trace',
    streams: true,
    body: z.strictObject({ ...packet, seconds: z.int().min(1).max(60).default(10) }),
    answer: () => z.string(),
    answerType: 'application/x-ndjson',
    handle: ({ tracer, auditor }, { body: { seconds, ...request }, caller }) => {
      const walk = tracer.prepareLive(request);
      auditor.looks(caller.author, 'Trace', `${request.from} to ${request.to}`);
      return {
        stream: streamLines(async (send, signal) => {
          send({ watching: { seconds } });
          try {
            send({ walk, live: await tracer.live(request, seconds, signal) });
          } catch (error) {
            send({ problem: messageOf(error) });
          }
        }),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/capture',
    summary: 'What passes an elastic IP on both sides of the gateway, as one pcapng; headers only unless asked',
    role: 'operator',
    audited: 'Capture',
    streams: true,
    body: captureBody,
    answer: () => z.string(),
    answerType: 'application/x-pcapng',
    handle: async ({ capturer, auditor }, { body: { elasticIP, ...request }, caller }) => {
      const write = await capturer.start({ elasticIp: elasticIP, ...request });
      const what = request.payload ? 'with payload' : 'headers';
      auditor.looks(caller.author, 'Capture', `ElasticIP/${elasticIP} (${what}) ${request.filter ?? ''}`.trim());
      return { stream: stream('application/x-pcapng', write) };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/support-bundle',
    summary: 'Status, history, audit, documents, figures and the kernel as one .tar.gz without secrets',
    role: 'operator',
    audited: 'SupportBundle',
    streams: true,
    body: z.strictObject({}),
    answer: () => z.string(),
    answerType: 'application/gzip',
    handle: ({ bundler, auditor }, { caller }) => {
      const write = bundler.start();
      auditor.looks(caller.author, 'SupportBundle', 'all that is known');
      return { stream: stream('application/gzip', write) };
    },
  }),
];

/** Reads the connection table and ends single connections by their tuple, thousands in one process. */
import type { Flow, Tuple } from '../../model/flow.js';
import { type Family, parseIp } from '../../model/ip.js';
import type { CommandRunner } from '../command.js';

const PAIR = /(\w+)=(\S+)/g;

export function parseFlow(line: string): Flow | undefined {
  const words = line.split(/\s+/, 4);
  const family = words[0] === 'ipv4' ? 4 : words[0] === 'ipv6' ? 6 : undefined;
  if (!family) return undefined;
  const protocol = words[2] === 'unknown' ? (words[3] ?? '') : (words[2] ?? '');
  const tuples: Record<string, string>[] = [{}, {}];
  let current = -1;
  const rest: Record<string, string> = {};
  let bytes = 0;
  for (const [, key = '', value = ''] of line.matchAll(PAIR)) {
    if (key === 'src') current++;
    if (key === 'bytes') bytes += Number(value);
    const tuple = tuples[current];
    if (key === 'mark' || key === 'use' || (key === 'id' && !protocol.startsWith('icmp'))) rest[key] = value;
    else if (tuple) tuple[key] ??= value;
  }
  const [original, reply] = tuples;
  if (!original?.['src'] || !reply?.['src']) return undefined;
  const icmp =
    original['type'] === undefined
      ? undefined
      : { type: Number(original['type']), code: Number(original['code']), id: Number(original['id']) };
  return {
    family,
    protocol,
    original: tupleOf(original, family),
    reply: tupleOf(reply, family),
    icmp,
    mark: Number(rest['mark'] ?? 0),
    bytes,
    replyBytes: Number(reply['bytes'] ?? 0),
    ended: / (TIME_WAIT|CLOSE) src=/.test(line),
    unanswered: line.includes('[UNREPLIED]'),
  };
}

const tupleOf = (fields: Record<string, string>, family: Family): Tuple => ({
  source: addressOf(fields['src'], family),
  destination: addressOf(fields['dst'], family),
  sourcePort: Number(fields['sport'] ?? 0),
  destinationPort: Number(fields['dport'] ?? 0),
});

/** The file spells all zeros of IPv6. */
const addressOf = (text = '', family: Family): string => (family === 6 ? (parseIp(text)?.text ?? text) : text);

/** The switches that say how many connections there are and how many there may be. */
export const CONNECTION_COUNT = 'net.netfilter.nf_conntrack_count';
export const CONNECTION_MAX = 'net.netfilter.nf_conntrack_max';

/**
 * Both families. Few are read as a file: for the program the kernel locks each bucket of its table, which costs 10 ms when
 * all are empty, and for the file none.
 */
export async function listFlows(run: CommandRunner): Promise<Flow[]> {
  const count = Number((await run.switches([CONNECTION_COUNT])).get(CONNECTION_COUNT) ?? Infinity);
  if (count === 0) return [];
  const text = (count <= READ_AT_MOST ? await readAtOnce(run) : undefined) ?? (await listed(run));
  const flows: Flow[] = [];
  for (const line of text.split('\n')) {
    const flow = parseFlow(line);
    if (flow) flows.push(flow);
  }
  return flows;
}

/** So many mostly fit into what the kernel gives in one piece. */
const READ_AT_MOST = 16;
const PIECE_BYTES = 4096;

/** Of several pieces the second begins by counting, and may pass over one: `undefined` then. */
async function readAtOnce(run: CommandRunner): Promise<string | undefined> {
  const text = await run.procNet('nf_conntrack');
  return text !== undefined && text.length < PIECE_BYTES ? text : undefined;
}

const listed = async (run: CommandRunner): Promise<string> =>
  (await run.run({ argv: ['conntrack', '-L', '-o', 'extended'], okExitCodes: [0, 1] })).stdout;

export function deletionOf({ family, protocol, original, icmp }: Flow): string {
  const head = `-D -f ipv${family} -p ${protocol} -s ${original.source} -d ${original.destination}`;
  if (icmp)
    return `${head} --icmp${family === 6 ? 'v6' : ''}-type ${icmp.type} --icmp${family === 6 ? 'v6' : ''}-code ${icmp.code} --icmp${family === 6 ? 'v6' : ''}-id ${icmp.id}`;
  return protocol === 'tcp' || protocol === 'udp'
    ? `${head} --sport ${original.sourcePort} --dport ${original.destinationPort}`
    : head;
}

/** What the flows of one translation have in common, the widest first; `undefined` where there is no translation. */
const SHARED: readonly ((flow: Flow) => string | undefined)[] = [
  ({ original, reply }) =>
    original.destination === reply.source ? undefined : `-d ${original.destination} -r ${reply.source}`,
  ({ original, reply }) =>
    original.source === reply.destination ? undefined : `-s ${original.source} -q ${reply.destination}`,
  ({ protocol, original, reply }) =>
    (protocol === 'tcp' || protocol === 'udp') && original.destination !== reply.source
      ? `-p ${protocol} -d ${original.destination} --dport ${original.destinationPort} -r ${reply.source}`
      : undefined,
];

/**
 * A deletion walks the whole table (9 ms, even when that is empty), so that thousands must not be named one by one: they
 * are ended by what they share, unless a flow that stays shares it too.
 */
export function deletionsOf(ending: readonly Flow[], staying: readonly Flow[]): string[] {
  const lines = new Set<string>();
  let left = ending;
  for (const shared of SHARED) {
    const taken = new Set(staying.map(shared));
    left = left.filter((flow) => {
      const what = shared(flow);
      if (what === undefined || taken.has(what)) return true;
      lines.add(`-D -f ipv${flow.family} ${what}`);
      return false;
    });
  }
  return [...lines, ...left.map(deletionOf)];
}

/** A flow that has ended meanwhile is no failure. */
export async function endFlows(run: CommandRunner, ending: readonly Flow[], staying: readonly Flow[]): Promise<void> {
  if (ending.length === 0) return;
  await run.run({
    argv: ['conntrack', '-R', '-'],
    stdin: `${deletionsOf(ending, staying).join('\n')}\n`,
    opensStdin: true,
    okExitCodes: [0, 1],
  });
}

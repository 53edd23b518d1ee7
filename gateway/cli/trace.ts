/** `trace`: a packet's walk as a column of hops, and the kernel's beside it with `--live`. */
import { ERRORS, VpcgwError } from '../errors.js';
import type { Live } from '../insight/trace/tracer.js';
import type { Hop, Outcome } from '../insight/trace/traveller.js';
import type { Walk } from '../insight/trace/walk.js';
import { Client } from './client.js';
import type { Common } from './options.js';
import { bold, dim, green, print, red, verdict, yellow } from './output.js';

export interface TraceOptions extends Common {
  readonly from: string;
  readonly to: string;
  readonly enters: string | undefined;
}

export async function trace({ target, output, from, to, enters }: TraceOptions): Promise<void> {
  const query = new URLSearchParams({ from, to, ...(enters === undefined ? {} : { enters }) });
  const walk = await new Client(target).get<Walk>(`/v1/trace?${query.toString()}`);
  print(output, walk, () => walkText(walk));
}

interface Watched {
  readonly watching?: { readonly seconds: number };
  readonly problem?: string;
  readonly walk?: Walk;
  readonly live?: Live;
}

/** Returns the exit code: 1 when no such packet came, that of a defect when model and kernel differ. */
export async function traceLive(options: TraceOptions & { seconds: number }): Promise<number> {
  const { target, output, from, to, enters, seconds } = options;
  let live: Live | undefined;
  await new Client(target).follow(
    '/v1/trace/live',
    (line) => {
      const watched = JSON.parse(line) as Watched;
      if (watched.problem !== undefined) throw new VpcgwError('CommandFailed', watched.problem);
      if (watched.watching) process.stderr.write(dim(`watching for such a packet, ${seconds} s at most …\n`));
      if (!watched.walk || !watched.live) return;
      live = watched.live;
      const result = { walk: watched.walk, live };
      print(output, result, () => `${walkText(result.walk)}\n${liveText(result.live, seconds)}`);
    },
    { from, to, enters, seconds },
  );
  if (!live) throw new VpcgwError('SupervisorUnreachable', 'the supervisor ended before it had an answer');
  if (live.differences.length > 0) return ERRORS.Invariant.exit;
  return live.seen ? 0 : 1;
}

function walkText({ from, to, protocol, enters, hops, outcome, back }: Walk): string {
  const side = enters === 'VPC' ? 'from the VPC' : `from external network ${enters}`;
  const all = [...hops, ...back];
  const width = Math.max(...all.map(({ at }) => at.length));
  return [
    `${bold(`${from} to ${to}/${protocol}`)}  ${side}\n`,
    ...hops.map((hop) => hopText(hop, width)),
    `\n${ending(outcome)}\n`,
    ...(back.length > 0 ? [`\n${dim('and the answer')}\n`, ...back.map((hop) => hopText(hop, width))] : []),
  ].join('');
}

function hopText({ at, what, verdict: said, by }: Hop, width: number): string {
  const well = said === 'Passes' || said === 'Delivered' || said === 'Answered';
  const source = by ? dim(`  ${by.id} (${by.file}:${by.line})`) : '';
  return `  ${verdict(well, said === 'Passes' ? '│' : well ? '▼' : '✗')} ${at.padEnd(width)}  ${what}${source}\n`;
}

function ending({ kind, reason, source, destination, port, link }: Outcome): string {
  if (kind === 'Delivered') {
    const host = port && destination?.includes(':') ? `[${destination}]` : destination;
    return green(`delivered by ${link} to ${host}${port ? `:${port}` : ''}, which sees ${source}`);
  }
  if (kind === 'Answered') return green('answered by the gateway itself');
  if (kind === 'Unroutable') return red('refused: it has no route');
  return red(`${kind === 'Rejected' ? 'rejected with an answer' : 'dropped without an answer'}: ${reason}`);
}

function liveText({ seen, chains, outcome, differences, limited }: Live, seconds: number): string {
  if (!seen) return yellow(`no such packet opened a connection within ${seconds} s\n`);
  const way = `the kernel asked ${chains.join(', ')}\n`;
  if (limited) return `${way}${yellow('a limit turned it away, which depends on the moment')}\n`;
  if (differences.length === 0) return `${way}${green(`the kernel did the same: ${outcome?.kind.toLowerCase()}`)}\n`;
  return [
    way,
    red('the kernel did otherwise: a defect of vpcgw, or a rule that is not its own. Please report'),
    ...differences.map((difference) => red(`  ${difference}`)),
    '',
  ].join('\n');
}

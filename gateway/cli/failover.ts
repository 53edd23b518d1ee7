/** `switchover`, `maintenance on|off`, `show failover`. */
import type { PairLook, PairStatus } from '../reconcile/pair-status.js';
import { Client } from './client.js';
import { bold, dim, green, print, red, yellow } from './output.js';
import type { Common } from './options.js';

export async function switchover({ target, output }: Common): Promise<void> {
  const status = await new Client(target).post<PairStatus>('/v1/failover/switchover', {});
  print(output, status, () => roleLine(status));
}

export async function maintenance(on: boolean, { target, output }: Common): Promise<void> {
  const status = await new Client(target).post<PairStatus>('/v1/failover/maintenance', { on });
  print(output, status, () => roleLine(status));
}

export async function showFailover(client: Client, { output }: Common): Promise<void> {
  const look = await client.get<PairLook>('/v1/failover');
  print(output, look, () => `${roleLine(look)}${details(look)}`);
}

/** The first thing to know, in one line. */
export function roleLine({ member, peer, role, since, reason, notEligible, other }: PairStatus): string {
  const colour = { Active: green, Standby: bold, Fault: red, Unknown: yellow }[role];
  const when = since === '' ? '' : `  since ${since}`;
  const out = notEligible.length > 0 ? yellow(`  not eligible: ${notEligible.join(', ')}`) : '';
  return `member ${member}  ${colour(role)}${when}${out}\n${dim(`peer ${peer}; ${reason}`)}\n${otherLine(other)}`;
}

function otherLine(other: PairStatus['other']): string {
  if (!other) return '';
  const { name, role, version, documents, notEligible, clockOffsetMs } = other;
  const said = [
    `version ${version}`,
    `${documents === 'Same' ? 'the same' : documents.toLowerCase()} documents`,
    ...(clockOffsetMs === undefined ? [] : [`clock ${clockOffsetMs >= 0 ? '+' : ''}${clockOffsetMs} ms`]),
    ...(notEligible.length > 0 ? [yellow(`not eligible: ${notEligible.join(', ')}`)] : []),
  ];
  return `other ${name}  ${role}  ${dim(said.join(', '))}\n`;
}

function details({ leaseMs, holdsLease, sync, faults, lastGapMs, vote }: PairLook): string {
  const lease = holdsLease ? `held, ${leaseMs} ms from each advert` : 'not held: nothing passes by this member';
  const state =
    sync === undefined
      ? yellow('conntrackd does not answer')
      : `${sync.connections} connections known to send, ${sync.backlog} not confirmed by the peer, ${sync.lost} messages lost`;
  const gap = lastGapMs === undefined ? '' : `gap          at most ${lastGapMs} ms when the role came here\n`;
  const wrong = faults.length === 0 ? '' : `faults       ${yellow(faults.join(', '))}\n`;
  return `lease        ${lease}\n${voteLine(vote)}connections  ${state}\n${gap}${wrong}`;
}

function voteLine(vote: PairLook['vote']): string {
  if (!vote) return '';
  const holder = vote.holder === '' ? 'held by nobody' : `held by ${vote.holder}`;
  const reached = vote.reachable ? holder : yellow('cannot be asked');
  return `vote         ${vote.engine}, ${reached}; the other kernel ${vote.peerAnswers ? 'answers' : 'does not answer'}\n`;
}

/** `status`, `history`, `export`. */
import type { Source } from '../documents/document.js';
import { formatDiagnostic } from '../model/diagnostic.js';
import type { GatewayStatus, ObjectStatus } from '../reconcile/status.js';
import { Client } from './client.js';
import { roleLine } from './failover.js';
import { bold, dim, print, red, table, verdict, yellow } from './output.js';
import type { Common } from './options.js';

const WATCH_MS = 1_000;

export async function status({ target, output, watch }: Common & { watch: boolean }): Promise<void> {
  const client = new Client(target);
  for (;;) {
    const answer = await client.get<GatewayStatus>('/v1/status');
    if (watch && process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[H');
    print(output, answer, () => statusText(answer));
    if (!watch) return;
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  }
}

function statusText(status: GatewayStatus): string {
  const { name, ready, paused, revision, source, pendingConfirm, lastChange, drift } = status;
  const state = paused ? yellow('paused') : verdict(ready, ready ? 'ready' : 'not ready');
  const lines = [
    `${bold(name ?? 'no gateway')}  ${state}  revision ${revision} (${source === 'Folder' ? 'folder' : 'API'})  vpcgw ${status.version}`,
  ];
  if (pendingConfirm)
    lines.push(yellow(`revision ${pendingConfirm.revision} rolls back at ${pendingConfirm.deadline} unless confirmed`));
  if (lastChange)
    lines.push(
      `last change ${lastChange.time}: ${lastChange.durationMs} ms, ${lastChange.cutFlows} connection${lastChange.cutFlows === 1 ? '' : 's'} ended`,
    );
  lines.push(
    `drift repaired ${drift.repairs} times${drift.last ? `, last ${drift.last.time}: ${drift.last.what.slice(0, 3).join('; ')}` : ''}`,
  );
  if (status.failover) lines.push(roleLine(status.failover).trimEnd());
  for (const condition of status.conditions)
    if (condition.status === 'False') lines.push(red(`${condition.type}: ${condition.message}`));
  for (const diagnostic of status.diagnostics.slice(0, 50)) lines.push(red(`  ${formatDiagnostic(diagnostic)}`));
  return `${lines.join('\n')}\n\n${objectTable(status.objects)}`;
}

const MAX_OBJECTS = 200;

function objectTable(objects: readonly ObjectStatus[]): string {
  const ready = (object: ObjectStatus) => object.conditions.find((condition) => condition.type === 'Ready');
  const shown = table(objects.slice(0, MAX_OBJECTS), [
    { title: 'KIND', value: (object) => object.kind },
    { title: 'NAME', value: (object) => object.name },
    { title: 'READY', value: (object) => verdict(ready(object)?.status === 'True', ready(object)?.status ?? '') },
    { title: 'REASON', value: (object) => ready(object)?.reason ?? '' },
    { title: 'SOURCE', value: (object) => object.source },
    { title: 'NOTE', value: (object) => ready(object)?.message || (object.notes[0] ?? '') },
  ]);
  return objects.length > MAX_OBJECTS ? `${shown}${dim(`… and ${objects.length - MAX_OBJECTS} more`)}\n` : shown;
}

interface HistoryRow {
  readonly revision: number;
  readonly time: string;
  readonly by: string;
  readonly put: readonly string[];
  readonly remove: readonly string[];
  readonly state: string;
}

export async function history({ target, output }: Common): Promise<void> {
  const rows = await new Client(target).get<HistoryRow[]>('/v1/history');
  const changes = ({ put, remove }: HistoryRow): string => {
    const all = [...put.map((id) => `±${id}`), ...remove.map((id) => `-${id}`)];
    return all.length > 4 ? `${all.slice(0, 4).join(' ')} … (${all.length})` : all.join(' ');
  };
  print(output, rows, () =>
    table(rows, [
      { title: 'REVISION', value: (row) => String(row.revision), right: true },
      { title: 'TIME', value: (row) => row.time },
      { title: 'BY', value: (row) => row.by },
      { title: 'STATE', value: (row) => row.state },
      { title: 'CHANGES', value: changes },
    ]),
  );
}

export async function exportDocuments({ target, output }: Common): Promise<void> {
  const sources = await new Client(target).get<Source[]>('/v1/documents');
  print(output === 'table' ? 'table' : output, sources, () =>
    sources.map((source) => `---\n${source.text.trim()}\n`).join(''),
  );
}

/** `events` and `audit`: what happens, and who did what. */
import type { AuditLine } from '../reconcile/audit.js';
import { Client } from './client.js';
import type { Common } from './options.js';
import { print, table } from './output.js';

/** Until the supervisor ends, or somebody interrupts. */
export async function events({ target, output }: Common): Promise<void> {
  await new Client(target).follow('/v1/events', (line) => {
    const data = /^data: (.*)$/.exec(line)?.[1];
    if (data === undefined) return;
    if (output === 'json') return void process.stdout.write(`${data}\n`);
    const event = JSON.parse(data) as { time: string; type: string; message: string };
    print(output, [event], () => `${event.time}  ${event.type.padEnd(14)}  ${event.message}\n`);
  });
}

const CHANGE_SIGNS = { Added: '+', Changed: '~', Removed: '-' };

export async function audit({ target, output, limit }: Common & { limit: number }): Promise<void> {
  const lines = await new Client(target).get<AuditLine[]>(`/v1/audit?limit=${limit}`);
  const documents = ({ documents, documentCount, subject }: AuditLine): string => {
    if (subject !== undefined) return subject;
    const named = documents.slice(0, 4).map(({ id, change }) => `${CHANGE_SIGNS[change]}${id}`);
    return documentCount > named.length ? `${named.join(' ')} … (${documentCount})` : named.join(' ');
  };
  print(output, lines, () =>
    table(lines, [
      { title: 'TIME', value: ({ time }) => time },
      { title: 'WHO', value: ({ who }) => `${who.name} (${who.via.toLowerCase()})` },
      { title: 'FROM', value: ({ who }) => who.from ?? '' },
      { title: 'ACTION', value: ({ action }) => action },
      {
        title: 'RESULT',
        value: ({ code, result, revision }) => code ?? `${result}${revision === undefined ? '' : ` ${revision}`}`,
      },
      { title: 'WHAT', value: documents },
    ]),
  );
}

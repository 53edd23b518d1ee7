import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from '../support/namespace.js';
import { currentRun } from '../support/run-name.js';

// What checks are compared with: keepalived's own checkers alone, on the same members. They need a kernel with IPVS.

export interface Checked {
  readonly address: string;
  readonly port: number;
}

const SERVERS_OF_ONE = 50;
/** One statement a line: of several keepalived takes the first. */
const CHECKERS = {
  TCP: 'TCP_CHECK {\nconnect_timeout 1\n}',
  HTTP: 'HTTP_GET {\nurl {\npath /\nstatus_code 200\n}\nconnect_timeout 1\n}',
} as const;
export type Checker = keyof typeof CHECKERS;

/** How many of the members it takes to be up. */
export async function countUp(namespace: Namespace): Promise<number> {
  const { stdout } = await namespace.exec(['ipvsadm', '-Ln']);
  return stdout.split('\n').filter((line) => / Masq +1 /.test(line)).length;
}

/** Returns the process, of which the checker is a child. */
export function startCheckers(namespace: Namespace, type: Checker, members: readonly Checked[]): { pid: number } {
  const directory = mkdtempSync(join(currentRun().directory, 'checkers-'));
  const at = (name: string): string => join(directory, name);
  writeFileSync(at('keepalived.conf'), configOf(type, members));
  const files = ['--use-file', at('keepalived.conf'), '--pid', at('parent'), '--checkers_pid', at('checkers')];
  const argv = ['keepalived', '--dont-fork', '--log-console', '--check', ...files];
  const { pid } = namespace.spawn(argv, { stdio: 'ignore' });
  if (pid === undefined) throw new Error('keepalived did not start');
  return { pid };
}

function configOf(type: Checker, members: readonly Checked[]): string {
  const groups = Array.from({ length: Math.ceil(members.length / SERVERS_OF_ONE) }, (_, i) =>
    members.slice(i * SERVERS_OF_ONE, (i + 1) * SERVERS_OF_ONE),
  );
  const services = groups.map((group, i) => {
    const servers = group.map(
      ({ address, port }) => `  real_server ${address} ${port} {\n    weight 1\n    ${CHECKERS[type]}\n  }`,
    );
    return `virtual_server 203.0.113.${i + 1} 80 {
  delay_loop 2
  lvs_sched rr
  lvs_method NAT
  protocol TCP
${servers.join('\n')}
}`;
  });
  return `${services.join('\n')}\n`;
}

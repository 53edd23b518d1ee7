import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { internet, memberAddresses, vpc } from './addresses.js';
import type { PairLab } from './pair-lab.js';

// A VM of the tenant that forges what only the gateway and its members may say.

const program = fileURLToPath(new URL('./hostile-vm.pl', import.meta.url));
const running = new Map<PairLab, ChildProcess>();

export async function startHostileVm(lab: PairLab): Promise<void> {
  const { namespace, address } = lab.tenant.vm('hostile');
  const { stdout } = await namespace.exec(['ip', '-j', 'link', 'show', 'eth0']);
  const [link] = JSON.parse(stdout) as { ifindex: number; address: string }[];
  const who = [vpc.nextHops[0] ?? '', address, link?.address ?? '', String(link?.ifindex)];
  const whom = [memberAddresses[1], '203.0.113.10', internet.hostAddresses[0] ?? ''];
  running.set(lab, namespace.spawn(['perl', program, ...who, ...whom], { stdio: ['ignore', 'ignore', 'inherit'] }));
}

/** Fails if it ended by itself: then it forged nothing. */
export async function endHostileVm(lab: PairLab): Promise<void> {
  const child = running.get(lab);
  if (child?.exitCode !== null) throw new Error(`the hostile VM ended: ${child?.exitCode}`);
  child.kill('SIGKILL');
  running.delete(lab);
}

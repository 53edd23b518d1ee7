/**
 * Gratuitous ARP for IPv4 addresses that join a link which is up already: neighbours may hold the former owner's MAC.
 * A link that comes up announces its addresses itself, and so does the kernel for every IPv6 address.
 */
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import type { CommandRunner } from '../kernel/command.js';
import type { KernelState } from '../kernel/state.js';
import type { Step } from './plan.js';

const AT_ONCE = 8;

export function announce(
  run: CommandRunner,
  log: Logger,
  before: KernelState | undefined,
  after: KernelState,
  steps: readonly Step[],
): void {
  const rising = new Set(
    steps
      .filter((step) => step.subsystem === 'links')
      .flatMap((step) => step.changes.map((change) => change.key.split(' ')[0])),
  );
  const joined = steps
    .filter((step) => step.subsystem === 'addresses' && step.phase === 'prepare')
    .flatMap((step) => step.changes.map((change) => change.key))
    .filter(
      (key) =>
        !key.includes(':') &&
        after.addresses.has(key) &&
        before?.addresses.get(key) === undefined &&
        !rising.has(key.split(' ')[0] ?? ''),
    );
  // Starting a program holds the event loop: the answer goes out first.
  setImmediate(() => void announceAll(run, log, joined));
}

async function announceAll(run: CommandRunner, log: Logger, keys: readonly string[]): Promise<void> {
  for (let i = 0; i < keys.length; i += AT_ONCE)
    await Promise.all(keys.slice(i, i + AT_ONCE).map((key) => announceOne(run, log, key)));
}

async function announceOne(run: CommandRunner, log: Logger, key: string): Promise<void> {
  const [link = '', address = ''] = key.split(' ');
  try {
    await run.run({
      argv: ['arping', '-q', '-U', '-c', '2', '-w', '2', '-I', link, address.replace(/\/\d+$/, '')],
      okExitCodes: [0, 1],
      timeoutMs: 5_000,
    });
  } catch (error) {
    log.warn({ link, address, error: messageOf(error) }, 'the address could not be announced');
  }
}

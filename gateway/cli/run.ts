/** `vpcgw run`: wires the supervisor and lives until it is told to end. The kernel stays as it is when it ends. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { messageOf, VpcgwError } from '../errors.js';
import { createServer, listenOnSocket } from '../http/server.js';
import type { IptablesVariant } from '../kernel/iptables/subsystem.js';
import { createSubsystems } from '../kernel/registry.js';
import { Metrics } from '../metrics/metrics.js';
import { logs } from '../model/firewall.js';
import { DriftWatch } from '../reconcile/drift-watch.js';
import { PortWatch } from '../reconcile/port-watch.js';
import { Programmer } from '../reconcile/programmer.js';
import { Show } from '../reconcile/show.js';
import { Supervisor } from '../reconcile/supervisor.js';
import { systemClock } from '../system/clock.js';
import { SystemRunner } from '../system/command-runner.js';
import { FolderWatch, readFolder } from '../system/folder-source.js';
import { PacketLog } from '../system/packet-log.js';
import { Journal } from '../system/journal.js';
import { Memory } from '../system/memory.js';
import { chooseVariant, missingOf, probe } from '../system/probe.js';
import { VERSION } from '../version.js';
import type { RunFlags } from './options.js';

export async function run(flags: RunFlags): Promise<void> {
  if (flags.source === 'kubernetes')
    throw new VpcgwError(
      'BadRequest',
      '--source kubernetes needs the operator, which this version does not have; use folder (a ConfigMap mount works) or api',
    );
  Memory.cold();
  const memory = new Memory();
  const log = pino({ level: flags.logLevel, base: undefined, timestamp: pino.stdTimeFunctions.isoTime });
  const runner = new SystemRunner();
  let variant: IptablesVariant = 'nft';
  const subsystems = createSubsystems(() => variant);
  const programmer = new Programmer(runner, subsystems, log);
  const supervisor = new Supervisor({
    source: flags.source === 'folder' ? 'Folder' : 'Api',
    editAt: flags.config,
    version: VERSION,
    programmer,
    journal: new Journal(flags.state),
    clock: systemClock,
    afterChange: () => memory.settle(),
    diagnose: async () => {
      variant = await chooseVariant(runner);
      if (variant === 'legacy') log.warn('this kernel takes no iptables of the nft variant; legacy is used');
      return missingOf(await probe(runner));
    },
    log,
  });
  const model = () => supervisor.current?.model;
  const metrics = new Metrics(
    runner,
    supervisor,
    programmer,
    () => variant,
    () => ports.last,
  );
  const parts = { supervisor, metrics, show: new Show(runner, model, metrics) };
  const local = createServer(parts, 'Local');
  mkdirSync(dirname(flags.socket), { recursive: true });
  await listenOnSocket(local, flags.socket);
  const management = flags.listen === undefined ? undefined : await listenOnAddress(parts, flags.listen);

  const drift = new DriftWatch(
    runner,
    subsystems,
    () => programmer.view.believed,
    (pid) => runner.owns(pid),
    (suspicion) => void supervisor.inspect(suspicion),
    () => void supervisor.inspect('all'),
  );
  const ports = new PortWatch(
    runner,
    model,
    () => programmer.pressure,
    (pressure) =>
      void supervisor
        .setPressure(pressure)
        .catch((error: unknown) => log.error({ error: messageOf(error) }, 'pressure could not be answered')),
  );
  const packets = new PacketLog(dirname(flags.socket), ({ prefix, ...packet }) =>
    log.info({ event: 'Firewall', rule: prefix, ...packet }, 'a connection was judged by a rule that logs'),
  );
  const followLogging = (): void => packets.set(logs(model()?.firewall));
  supervisor.listeners.add(followLogging);
  const folder = new FolderWatch(flags.config, () => void supervisor.loadFolder(() => readFolder(flags.config)));

  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'ending; the kernel stays as it is');
    folder.stop();
    drift.stop();
    ports.stop();
    packets.stop();
    supervisor.stop();
    runner.stop();
    await Promise.race([supervisor.idle(), new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
    await Promise.all([local.close(), management?.close()]);
    process.exitCode = 0;
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));

  log.info({ version: VERSION, source: flags.source, pid: process.pid }, 'starting');
  if (flags.source === 'folder') {
    await supervisor.startWith(() => readFolder(flags.config));
    folder.start();
  } else await supervisor.start();
  followLogging();
  drift.start();
  ports.start();
  Memory.warm();
  runner.keepsSpares = true;
}

async function listenOnAddress(parts: Parameters<typeof createServer>[0], listen: string) {
  const match = /^\[?([^\]]+)\]?:(\d+)$/.exec(listen);
  if (!match)
    throw new VpcgwError(
      'BadRequest',
      `--listen ${listen}: an address and a port such as 10.1.0.5:9100 or [fd00::5]:9100`,
    );
  const app = createServer(parts, 'Management');
  await app.listen({ host: match[1] ?? '', port: Number(match[2]) }).catch((error: unknown) => {
    throw new VpcgwError('BadRequest', `--listen ${listen}: ${messageOf(error)}`);
  });
  return app;
}

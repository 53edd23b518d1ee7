/** `vpcgw run`: wires the supervisor and lives until it is told to end. The kernel stays as it is when it ends. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { messageOf, VpcgwError } from '../errors.js';
import { EventHub } from '../http/event-hub.js';
import { listenOnAddress, listenOnSocket } from '../http/listen.js';
import { Explain } from '../insight/explain/explain.js';
import type { IptablesVariant } from '../kernel/iptables/subsystem.js';
import { createSubsystems } from '../kernel/registry.js';
import { HealthWatch } from '../health/health-watch.js';
import { Metrics } from '../metrics/metrics.js';
import { logs } from '../model/firewall.js';
import { Auditor } from '../reconcile/audit.js';
import { DriftWatch } from '../reconcile/drift-watch.js';
import { PortWatch } from '../reconcile/port-watch.js';
import { Programmer } from '../reconcile/programmer.js';
import { Show } from '../reconcile/show.js';
import { Supervisor } from '../reconcile/supervisor.js';
import { AuditFile } from '../system/audit-file.js';
import { systemClock } from '../system/clock.js';
import { SystemRunner } from '../system/command-runner.js';
import { FolderWatch, readFolder } from '../system/folder-source.js';
import { Journal } from '../system/journal.js';
import { knock } from '../system/knock.js';
import { Memory } from '../system/memory.js';
import { PacketLog } from '../system/packet-log.js';
import { chooseShaper, chooseVariant, missingOf, probe } from '../system/probe.js';
import { VERSION } from '../version.js';
import type { RunFlags } from './options.js';

/** At the end, for answers that are on their way; who does not take them by then goes without. */
const LAST_ANSWERS_MS = 1_000;

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
  const programmer = new Programmer(runner, subsystems, log, () => chooseShaper(runner));
  const auditor = new Auditor(new AuditFile(flags.state), systemClock);
  const supervisor = new Supervisor({
    source: flags.source === 'folder' ? 'Folder' : 'Api',
    editAt: flags.config,
    version: VERSION,
    programmer,
    journal: new Journal(flags.state),
    clock: systemClock,
    auditor,
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
  const events = new EventHub();
  supervisor.listeners.add((event) => events.publish(event));
  const show = new Show(runner, model, metrics);
  const explain = new Explain({ run: runner, supervisor, programmer, bandwidth: () => show.bandwidth(), knock });
  const parts = { supervisor, metrics, show, explain, events, auditor };
  mkdirSync(dirname(flags.socket), { recursive: true });
  const local = await listenOnSocket(parts, flags.socket, log);
  const management = await listenOnAddress(parts, flags, log);

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
  const health = new HealthWatch(
    () => systemClock.nowMs(),
    (down) =>
      void supervisor
        .setPressure({ down })
        .catch((error: unknown) => log.error({ error: messageOf(error) }, 'what members are down could not be heeded')),
  );
  programmer.onInForce = (model) => health.follow(model);
  const packets = new PacketLog(
    dirname(flags.socket),
    ({ prefix, ...packet }) =>
      log.info({ event: 'Firewall', rule: prefix, ...packet }, 'a connection was judged by a rule that logs'),
    (error) => log.error({ error: messageOf(error) }, 'what firewall rules log cannot be read'),
  );
  const followLogging = (): void => packets.set(logs(model()?.firewall));
  supervisor.listeners.add(followLogging);
  const folder = new FolderWatch(flags.config, () => void supervisor.loadFolder(() => readFolder(flags.config)));

  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'ending; the kernel stays as it is');
    folder.stop();
    drift.stop();
    ports.stop();
    health.stop();
    packets.stop();
    supervisor.stop();
    runner.stop();
    await Promise.race([supervisor.idle(), new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
    const servers = [local, ...(management ? [management] : [])];
    setTimeout(() => servers.forEach(({ server }) => server.closeAllConnections()), LAST_ANSWERS_MS).unref();
    await Promise.all(servers.map((server) => server.close()));
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

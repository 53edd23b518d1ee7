/** `vpcgw run`: wires the supervisor and lives until it is told to end. The kernel stays as it is when it ends. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { parseMemberFile } from '../documents/member-file.js';
import { messageOf, VpcgwError } from '../errors.js';
import { isLater } from '../failover/member-message.js';
import { EventHub } from '../http/event-hub.js';
import { listenOnAddress, listenOnSocket } from '../http/listen.js';
import { Explain } from '../insight/explain/explain.js';
import { Bundler } from '../insight/bundle/bundler.js';
import { Capturer } from '../insight/capture/capturer.js';
import { Top } from '../insight/top/top.js';
import { Tracer } from '../insight/trace/tracer.js';
import type { IptablesVariant } from '../kernel/iptables/subsystem.js';
import { createSubsystems } from '../kernel/registry.js';
import { CALL_ALL, CALL_UNANSWERED, callOtherMember } from '../kernel/wireguard/call-again.js';
import { Endpoints } from '../health/endpoints.js';
import { HealthWatch } from '../health/health-watch.js';
import { Metrics } from '../metrics/metrics.js';
import { logs } from '../model/firewall.js';
import type { Flow } from '../model/flow.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { policiesOfSites } from '../model/site-link.js';
import { SettledDocuments } from '../reconcile/member-documents.js';
import { Auditor } from '../reconcile/audit.js';
import { balancerRows } from '../reconcile/balancer-table.js';
import { DriftWatch } from '../reconcile/drift-watch.js';
import { PortWatch } from '../reconcile/port-watch.js';
import { Pair } from '../reconcile/pair.js';
import { Programmer } from '../reconcile/programmer.js';
import { Ipsec } from '../reconcile/ipsec.js';
import { Routing } from '../reconcile/routing.js';
import { Show } from '../reconcile/show.js';
import { Supervisor } from '../reconcile/supervisor.js';
import { TunnelFacts } from '../reconcile/tunnel-facts.js';
import { LineWatch } from '../reconcile/line-watch.js';
import { VpnWatch } from '../reconcile/vpn-watch.js';
import { AuditFile } from '../system/audit-file.js';
import { onBeat } from '../system/beat.js';
import { holdsCapability } from '../system/capabilities.js';
import { systemClock } from '../system/clock.js';
import { SystemRunner } from '../system/command-runner.js';
import { EndpointFile } from '../system/endpoint-file.js';
import { FolderWatch, readFiles, readFolder } from '../system/folder-source.js';
import { Journal } from '../system/journal.js';
import { KeyFolder } from '../system/key-folder.js';
import { knock } from '../system/knock.js';
import { Lookout } from '../system/lookout.js';
import { encrypted } from '../system/member-secret.js';
import { Memory } from '../system/memory.js';
import { readCertificates } from '../system/certificate-files.js';
import { passwordKey, readPassword } from '../system/password-file.js';
import { PacketLog } from '../system/packet-log.js';
import {
  chooseBalancing,
  chooseIpsec,
  chooseShaper,
  chooseTunnels,
  chooseVariant,
  chooseVlans,
  missingOf,
  probe,
} from '../system/probe.js';
import { VERSION } from '../version.js';
import type { RunFlags } from './options.js';

/** At the end, for answers that are on their way; who does not take them by then goes without. */
const LAST_ANSWERS_MS = 1_000;
/** Between two looks at what checks have left behind in memory. */
const SETTLE_MS = 10_000;

/** `exit` is called when it has ended: something that was begun meanwhile must not keep half of it alive. */
export async function run(flags: RunFlags, exit: (code: number) => never): Promise<void> {
  if (flags.source === 'kubernetes')
    throw new VpcgwError(
      'BadRequest',
      '--source kubernetes needs the operator, which this version does not have; use folder (a ConfigMap mount works) or api',
    );
  const given = flags.member === undefined ? undefined : readFiles([flags.member]).map(parseMemberFile)[0];
  Memory.cold();
  const memory = new Memory();
  const log = pino({ level: flags.logLevel, base: undefined, timestamp: pino.stdTimeFunctions.isoTime });
  const runner = new SystemRunner();
  const lookout = new Lookout();
  const member = given && (await encrypted(given, () => chooseTunnels(runner)));
  let variant: IptablesVariant = 'nft';
  const endpointFile = new EndpointFile(flags.state, log);
  const endpoints = new Endpoints(endpointFile.read());
  const subsystems = createSubsystems(() => variant, endpoints.of);
  const keys = new KeyFolder(flags.keys);
  const tunnels = new TunnelFacts(
    { wireGuard: () => chooseTunnels(runner), ipsec: () => chooseIpsec(runner) },
    {
      key: (file, use) => (use === 'password' ? passwordKey(keys.directory, file) : keys.read(file, use)),
      certificates: (files) => readCertificates(keys.directory, files, systemClock.nowMs()),
    },
  );
  const machine = {
    chooseShaper: () => chooseShaper(runner),
    chooseBalancing: () => chooseBalancing(runner),
    chooseVlans: () => chooseVlans(runner),
  };
  const programmer = new Programmer(runner, subsystems, log, machine, member, tunnels);
  const auditor = new Auditor(new AuditFile(flags.state), systemClock);
  const events = new EventHub();
  const journal = new Journal(flags.state);
  const source = flags.source === 'folder' ? 'Folder' : 'Api';
  const settled = new SettledDocuments(journal, source, () => supervisor.settled);
  const tell = (type: string, message: string): void => {
    log.info({ event: type }, message);
    events.publish({ type, message });
  };
  const pair = new Pair({
    version: VERSION,
    documents: {
      version: () => settled.current?.version,
      give: () => settled.give(),
      take: (from, { version, sources }) =>
        supervisor.takeOver(from, version.revision, sources, () => isLater(version, settled.latest?.version)),
    },
    verified: () => supervisor.verified,
    hasLink: (link) => programmer.inForce?.desired.links.has(link) ?? false,
    runDirectory: join(dirname(flags.socket), 'failover'),
    stateDirectory: flags.state,
    member,
    run: runner,
    lookout,
    clock: systemClock,
    log,
    electionStartsPrograms: holdsCapability('SETGID'),
    tell: (type, message) => {
      if (type === 'Role') followRole();
      tell(type, message);
    },
    endpoints: {
      give: () => endpoints.all,
      take: (all) => {
        endpoints.learn(all);
        endpointFile.write(endpoints.kept);
      },
    },
    learnt: { give: () => routing.learnt, take: (all) => routing.take(all) },
    numbers: {
      give: () => programmer.inForce?.allocations.externals,
      take: (externals, isWanted) => supervisor.takeNumbers(externals, isWanted),
      onShared: (areShared) => (programmer.flows.sharesNumbers = areShared),
    },
    onTold: () => supervisor.endStaleFlows(),
    onCallsLost: () => supervisor.callAgain(CALL_UNANSWERED),
    onAlone: () => supervisor.callAgain(CALL_ALL),
    onUnheard: () => supervisor.callAgain(callOtherMember(systemClock.nowMs())),
  });
  const ipsec = new Ipsec({
    directory: join(dirname(flags.socket), 'ipsec'),
    log,
    run: runner,
    inForce: () => programmer.inForce?.compiled.input,
    active: () => pair.isActive,
  });
  /** What does not carry, lines and tunnels, each told of by whoever watches them. */
  const doubtful = {
    lines: new Set<string>() as ReadonlySet<string>,
    tunnels: new Set<string>() as ReadonlySet<string>,
  };
  const onDoubtful =
    (of: keyof typeof doubtful) =>
    (found: ReadonlySet<string>): Promise<void> => {
      doubtful[of] = found;
      return supervisor
        .setPressure({ doubtful: new Set([...doubtful.lines, ...doubtful.tunnels]) })
        .catch((error: unknown) =>
          log.error({ error: messageOf(error) }, 'what does not carry could not be heeded yet'),
        );
    };
  const vpn = new VpnWatch({
    ipsec,
    run: runner,
    clock: systemClock,
    inForce: () => programmer.inForce?.compiled.input,
    isActive: () => programmer.pressure.active,
    endpoints,
    tell,
    onRoamed: () => {
      pair.tellEndpoints();
      endpointFile.write(endpoints.kept);
    },
    onDoubtful: onDoubtful('tunnels'),
  });
  const routing: Routing = new Routing({
    directory: join(dirname(flags.socket), 'routing'),
    log,
    run: runner,
    lookout,
    role: () => pair.status?.role,
    onLearnt: () => pair.tellLearnt(),
    inForce: () => programmer.inForce?.compiled.input,
    readPassword: (file) => readPassword(keys.directory, file),
  });
  const lines = new LineWatch({
    run: runner,
    lookout,
    clock: systemClock,
    inForce: () => programmer.inForce?.compiled.input,
    tell,
    routing,
    onDoubtful: onDoubtful('lines'),
  });
  const supervisor: Supervisor = new Supervisor({
    source,
    editAt: flags.config,
    version: VERSION,
    programmer,
    journal,
    clock: systemClock,
    auditor,
    pair,
    vpn,
    lines,
    afterChange: () => memory.settle(),
    diagnose: async () => {
      variant = await chooseVariant(runner);
      if (variant === 'legacy') log.warn('this kernel takes no iptables of the nft variant; legacy is used');
      return missingOf(await probe(runner));
    },
    log,
  });
  const model = () => supervisor.current?.model;
  const members = (model: GatewayModel, flows: readonly Flow[]) =>
    balancerRows(model, programmer.pressure, health.tallies, flows);
  const metrics = new Metrics(
    runner,
    supervisor,
    programmer,
    () => variant,
    () => ports.last,
    pair,
    vpn,
    lines,
    () => {
      const current = model();
      return current ? members(current, []) : [];
    },
  );
  supervisor.listeners.add((event) => events.publish(event));
  const show = new Show(runner, model, metrics, () => programmer.inForce?.compiled.input, members);
  const tunnel = async (name: string) => {
    await vpn.look();
    return vpn.looks.get(name);
  };
  const explain = new Explain({
    run: runner,
    supervisor,
    programmer,
    pair,
    bandwidth: () => show.bandwidth(),
    tunnel,
    line: async (name: string) => {
      await lines.look();
      return lines.looks.get(name);
    },
    knock,
  });
  const tracer = new Tracer(
    runner,
    () => programmer.inForce,
    () => supervisor.current?.documents,
    () => variant,
  );
  const top = new Top(runner, model, metrics, () => variant);
  const capturer = new Capturer(runner, model);
  const bundler = new Bundler(
    runner,
    {
      'version.json': () => ({ vpcgw: VERSION, node: process.version, source: flags.source, variant }),
      'status.json': () => supervisor.status(),
      'history.json': () => supervisor.history(),
      'audit.json': () => auditor.log.last(1_000),
      'documents.yaml': () =>
        [...(supervisor.current?.documents.values() ?? [])]
          .map(({ source }) => `---\n${source.text.trim()}\n`)
          .join(''),
      'metrics.txt': () => metrics.text(),
      'preflight.json': () => probe(runner),
    },
    () => variant,
  );
  const parts = {
    supervisor,
    metrics,
    show,
    explain,
    events,
    auditor,
    tracer,
    top,
    capturer,
    bundler,
    pair,
    vpn,
    lines,
    routing,
  };
  mkdirSync(dirname(flags.socket), { recursive: true });
  const local = await listenOnSocket(parts, flags.socket, log);
  const management = await listenOnAddress(parts, flags, log);

  const drift = new DriftWatch(
    runner,
    lookout,
    subsystems,
    () => programmer.view.believed,
    (pid) => runner.owns(pid),
    () => supervisor.idle(),
    (suspicion) => void supervisor.inspect(suspicion),
    () => void supervisor.inspect('all'),
  );
  const ports = new PortWatch(
    runner,
    model,
    () => programmer.pressure,
    (exhausted, full) =>
      void supervisor
        .setPressure({ exhausted, full })
        .catch((error: unknown) => log.error({ error: messageOf(error) }, 'pressure could not be answered')),
  );
  const health = new HealthWatch(
    () => systemClock.nowMs(),
    (down) =>
      void supervisor
        .setPressure({ down })
        .catch((error: unknown) => log.error({ error: messageOf(error) }, 'what members are down could not be heeded')),
  );
  /** A member of a pair that is not active is fenced off, and would find all members down. */
  const followRole = (): void => {
    const active = pair.isActive;
    health.rest(pair.status !== undefined && !active);
    lines.rest(pair.status !== undefined && !active);
    // Who becomes active speaks at once: for tunnels of IPsec, and for lines that learn, all else is in the kernel already.
    void ipsec.follow();
    void routing.follow();
    const begins = active && !programmer.pressure.active;
    void supervisor
      .setPressure({ active })
      .then(() => begins && pair.called())
      .catch((error: unknown) => log.error({ error: messageOf(error) }, 'the change of role could not be heeded'));
  };
  programmer.onInForce = (model) => {
    followRole();
    health.follow(model);
    lines.follow(model);
  };
  const packets = new PacketLog(
    dirname(flags.socket),
    ({ prefix, ...packet }) =>
      log.info({ event: 'Firewall', rule: prefix, ...packet }, 'a connection was judged by a rule that logs'),
    (error) => log.error({ error: messageOf(error) }, 'what firewall rules log cannot be read'),
  );
  const followLogging = (): void => {
    const known = model();
    packets.set(known !== undefined && logs(known.firewall, policiesOfSites(known)));
  };
  supervisor.listeners.add(followLogging);
  const followPair = (): void => {
    const inForce = programmer.inForce?.model;
    if (inForce) void pair.follow(inForce).then(followRole);
    pair.changed();
  };
  supervisor.listeners.add(followPair);
  let ending = false;
  // No event tells of these.
  supervisor.onReady = programmer.onLinks = () => {
    if (ending) return;
    followLogging();
    followPair();
  };
  const folder = new FolderWatch(flags.config, () => void supervisor.loadFolder(() => readFolder(flags.config)));

  const stop = async (signal: string): Promise<void> => {
    ending = true;
    log.info({ signal }, 'ending; the kernel stays as it is');
    folder.stop();
    keys.stop();
    lookout.stop();
    drift.stop();
    ports.stop();
    vpn.stop();
    lines.stop();
    routing.leave();
    ipsec.leave();
    health.stop();
    packets.stop();
    pair.leave();
    supervisor.stop();
    runner.stop();
    await Promise.race([supervisor.idle(), new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
    const servers = [local, ...(management ? [management] : [])];
    setTimeout(() => servers.forEach(({ server }) => server.closeAllConnections()), LAST_ANSWERS_MS).unref();
    await Promise.all(servers.map((server) => server.close()));
    exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));

  log.info({ version: VERSION, source: flags.source, pid: process.pid }, 'starting');
  lookout.start();
  programmer.pressure = { ...programmer.pressure, active: pair.isActive };
  if (flags.source === 'folder') {
    await supervisor.startWith(() => readFolder(flags.config));
    if (!ending) folder.start();
  } else await supervisor.start();
  // Told to end during the start: what is begun here would be stopped by nobody.
  if (ending) return;
  followLogging();
  followPair();
  pair.start();
  keys.follow(() => {
    void supervisor.followKeys();
    void routing.follow();
  });
  drift.start();
  ports.start();
  vpn.start();
  Memory.warm();
  // Checks of members leave as much behind as edits do, and after them no answer goes out.
  onBeat(SETTLE_MS, () => void supervisor.idle().then(() => memory.settle()));
  runner.keepsSpares = true;
}

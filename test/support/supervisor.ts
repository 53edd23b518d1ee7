import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { Metrics } from './metrics.js';
import type { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';
import { requestOver } from './unix-http.js';
import type { HttpReply } from './unix-http.js';

// The program under test, as an operator runs it: a real process in the gateway's namespace, a folder of documents, a
// unix socket.

/**
 * As an init system starts it, and not as this shell would: what a machine's shells set for Node changes what is measured.
 * NODE_EXTRA_CA_CERTS alone costs each start 45 ms, whether or not anything asks for a certificate.
 */
const environment = { PATH: process.env['PATH'] };

const builtProgram = fileURLToPath(new URL('../../dist/vpcgw.js', import.meta.url));
const documentsFile = 'documents.yaml';
const defaultTimeoutMs = 30_000;
const pollMs = 10;

/** YAML text, or documents to write as YAML. */
export type Documents = string | readonly object[];

export interface SupervisorOptions {
  /** Written before the start. */
  documents?: Documents;
  source?: 'folder' | 'api';
  /** Further arguments of `vpcgw run`. */
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Put before the command: what it is to run in or under. */
  wrapper?: readonly string[];
  /** Another build, for upgrades. */
  program?: string;
  /** For all that it keeps, if it is to have a disk of its own. */
  directory?: string;
}

/** The part of GET /v1/status that tests wait for. */
export interface GatewayStatus {
  revision: number;
  /** The kernel was verified to hold the latest revision. */
  ready: boolean;
  /** The folder as it was last read: the SHA-256 of its files' texts, one after the other by name. */
  folder?: { digest: string; taken: boolean };
  /** Why the folder was not taken. */
  diagnostics: readonly unknown[];
  /** Of each document. */
  objects: readonly { kind: string; name: string; notes: readonly string[] }[];
}

export class Supervisor {
  readonly configDirectory: string;
  readonly stateDirectory: string;
  readonly socketPath: string;
  private readonly logFile: string;
  private child: ChildProcess | undefined;

  private constructor(
    private readonly namespace: Namespace,
    private readonly options: SupervisorOptions,
  ) {
    const directory = options.directory ?? mkdtempSync(join(currentRun().directory, 'gw-'));
    this.configDirectory = join(directory, 'config');
    this.stateDirectory = join(directory, 'state');
    this.socketPath = join(directory, 'api.sock');
    this.logFile = join(directory, 'log');
    mkdirSync(this.configDirectory);
    mkdirSync(this.stateDirectory);
  }

  /** Ready when it returns: the kernel was verified. */
  static async start(namespace: Namespace, options: SupervisorOptions = {}): Promise<Supervisor> {
    const supervisor = Supervisor.launch(namespace, options);
    await supervisor.ready();
    return supervisor;
  }

  /** Without waiting, for what happens before it is ready. */
  static launch(namespace: Namespace, options: SupervisorOptions = {}): Supervisor {
    const supervisor = new Supervisor(namespace, options);
    if (options.documents !== undefined) supervisor.write(options.documents);
    supervisor.run();
    return supervisor;
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error('the supervisor does not run');
    return pid;
  }

  get running(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  logs(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  async ready(timeoutMs = defaultTimeoutMs): Promise<void> {
    await this.until('readiness', timeoutMs, async () => (await this.get('/readyz')).status === 200 || undefined);
  }

  get(path: string): Promise<HttpReply> {
    return requestOver(this.socketPath, 'GET', path);
  }

  /** A string is sent as YAML, an object as JSON. */
  post(path: string, body?: unknown): Promise<HttpReply> {
    return requestOver(this.socketPath, 'POST', path, body);
  }

  async metrics(): Promise<Metrics> {
    return Metrics.parse((await this.get('/metrics')).text);
  }

  async status(): Promise<GatewayStatus> {
    return JSON.parse((await this.get('/v1/status')).text) as GatewayStatus;
  }

  /** The lines of the log that say this, as JSON. */
  logged(text: string): Readonly<Record<string, unknown>>[] {
    const lines = this.logs()
      .split('\n')
      .filter((line) => line.includes(text));
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  /** What holds of the status, as soon as it does. */
  statusWhen(holds: (status: GatewayStatus) => boolean, timeoutMs = defaultTimeoutMs): Promise<GatewayStatus> {
    return this.until('such a status', timeoutMs, async () => {
      const status = await this.status();
      return holds(status) ? status : undefined;
    });
  }

  /** Writes the folder's one file at one stroke; returns once the kernel was verified to hold it, fails if it is refused. */
  async apply(documents: Documents, timeoutMs?: number): Promise<GatewayStatus> {
    const { status, taken } = await this.judged(documents, timeoutMs);
    if (!taken) throw this.failure(`documents refused: ${JSON.stringify(status.diagnostics)}`);
    return status;
  }

  /** The same for documents that must not be taken. */
  async applyRefused(documents: Documents, timeoutMs?: number): Promise<GatewayStatus> {
    const { status, taken } = await this.judged(documents, timeoutMs);
    if (taken) throw this.failure('documents taken that had to be refused');
    return status;
  }

  /** Returns the digest that status is going to show. */
  write(documents: Documents): string {
    const text = typeof documents === 'string' ? documents : documents.map((each) => stringify(each)).join('---\n');
    const file = join(this.configDirectory, documentsFile);
    writeFileSync(join(this.configDirectory, `.${documentsFile}.unfinished`), text);
    renameSync(join(this.configDirectory, `.${documentsFile}.unfinished`), file);
    return createHash('sha256').update(text).digest('hex');
  }

  /** As a crash would: without a chance to clean up. */
  async kill9(): Promise<void> {
    await this.signal('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.signal('SIGTERM');
  }

  /** The same command again, without waiting until it is ready. */
  relaunch(): void {
    this.run();
  }

  /** The same command again, in whatever state the last one left things. */
  async restart(): Promise<void> {
    if (this.running) await this.stop();
    this.run();
    await this.ready();
  }

  private async judged(documents: Documents, timeoutMs?: number): Promise<{ status: GatewayStatus; taken: boolean }> {
    const digest = this.write(documents);
    const status = await this.statusWhen(
      ({ folder, ready }) => folder?.digest === digest && (ready || !folder.taken),
      timeoutMs,
    );
    return { status, taken: status.folder?.taken === true };
  }

  private run(): void {
    const { source = 'folder', args = [], env = {}, wrapper = [], program = builtProgram } = this.options;
    if (!existsSync(program)) throw new Error(`${program} is missing: npm run build`);
    const folder = source === 'folder' ? ['--config', this.configDirectory] : [];
    const argv = [...wrapper, program, 'run', '--source', source, ...folder];
    argv.push('--state', this.stateDirectory, '--socket', this.socketPath, ...args);
    // Into a file: a supervisor whose reader has died must not block on its log.
    const log = openSync(this.logFile, 'a');
    this.child = this.namespace.spawn(argv, { stdio: ['ignore', log, log], env: { ...environment, ...env } });
    closeSync(log);
  }

  private async signal(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return;
    this.child?.kill(signal);
    const deadline = performance.now() + defaultTimeoutMs;
    while (this.running) {
      if (performance.now() > deadline) throw this.failure(`still running ${defaultTimeoutMs} ms after ${signal}`);
      await sleep(pollMs);
    }
  }

  /** The first answer of the probe that is not undefined; while the socket is not there yet, it has none. */
  private async until<Answer>(
    awaited: string,
    timeoutMs: number,
    probe: () => Promise<Answer | undefined>,
  ): Promise<Answer> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const answer = await probe().catch(whileNobodyListens);
      if (answer !== undefined) return answer;
      if (!this.running) throw this.failure(`ended before ${awaited}`);
      if (performance.now() > deadline) throw this.failure(`no ${awaited} within ${timeoutMs} ms`);
      await sleep(pollMs);
    }
  }

  private failure(reason: string): Error {
    const tail = this.logs().split('\n').slice(-40).join('\n');
    return new Error(`vpcgw in ${this.namespace.label}: ${reason}; its last log lines:\n${tail}`);
  }
}

function whileNobodyListens(error: NodeJS.ErrnoException): undefined {
  if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(error.code ?? '')) throw error;
}

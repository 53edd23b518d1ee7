/** The command line: what each command is called and takes. What it does stands in a file of its own. */
import { Command, Option } from 'commander';
import { duration } from '../api/scalars.js';
import { VpcgwError } from '../errors.js';
import { ROLES } from '../http/route.js';
import { VERSION } from '../version.js';
import { SUBJECT_KINDS, type SubjectKind } from '../insight/explain/subject.js';
import type { Common, Process, RunFlags, ShowWhat, Target } from './options.js';
import type { TopOrder } from './top.js';
import { type Format, useColours } from './output.js';

const DEFAULT_SOCKET = '/run/vpcgw/vpcgw.sock';
const DEFAULT_KEYS = '/etc/vpcgw/keys';
const EXIT_CODES = `
Exit codes:
  0   done                          4   the system failed: a command, the kernel, the disk
  1   a check said no               5   no supervisor answers, or it has too much to do
  2   the documents or options      70  a defect of vpcgw
      are not valid
  3   refused: not the writer, unknown revision, nothing to confirm, no such account or role, changed meanwhile`;

const TOP_ORDERS: readonly TopOrder[] = ['rate', 'connections', 'drops', 'name'];

interface Given {
  readonly socket: string;
  readonly output: Format;
  readonly json?: boolean;
}

interface CaptureGiven {
  readonly write: string;
  readonly filter?: string;
  readonly seconds: number;
  readonly max: number;
  readonly payload?: boolean;
}

interface TraceGiven {
  readonly from: string;
  readonly to: string;
  readonly enters?: string;
  readonly live?: boolean;
  readonly seconds: number;
}

const toRevision = (text: string): number => {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new VpcgwError('BadRequest', `--to ${text}: a revision is a whole number`);
  return Number(text);
};

const toLimit = (text: string): number => {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new VpcgwError('BadRequest', `--limit ${text}: a number from 1 to 99999`);
  return Number(text);
};

const toCaptureSeconds = (text: string): number => {
  if (!/^[1-9]\d{0,2}$/.test(text) || Number(text) > 600)
    throw new VpcgwError('BadRequest', `--seconds ${text}: a number from 1 to 600`);
  return Number(text);
};

const toBytes = (text: string): number => {
  const [, number = '', unit = ''] = /^(\d{1,9})([kM]?)$/.exec(text) ?? [];
  const bytes = Number(number) * { '': 1, k: 1_000, M: 1_000_000 }[unit as '' | 'k' | 'M'];
  if (!(bytes >= 1_000 && bytes <= 100_000_000)) throw new VpcgwError('BadRequest', `--max ${text}: from 1k to 100M`);
  return bytes;
};

const toSeconds = (text: string): number => {
  if (!/^[1-9]\d?$/.test(text) || Number(text) > 60)
    throw new VpcgwError('BadRequest', `--seconds ${text}: a number from 1 to 60`);
  return Number(text);
};

const toMs = (text: string): number => {
  const parsed = duration.safeParse(text);
  if (!parsed.success) throw new VpcgwError('BadRequest', parsed.error.issues[0]?.message ?? text);
  return parsed.data;
};

export function createProgram({ env, exit }: Process): Command {
  const program = new Command('vpcgw')
    .description("The gateway of a tenant's VPC: elastic IPs, SNAT and DNAT from documents, kept true in the kernel.")
    .version(VERSION)
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(vpcgw --help tells more)')
    .exitOverride((error) => exit(error.exitCode === 0 ? 0 : 2))
    .addOption(
      new Option('--server <url>', 'a management address in place of the socket').default(
        env['VPCGW_SERVER'] || undefined,
      ),
    )
    .addOption(
      new Option('--token-file <file>', 'holds the token to show it').default(env['VPCGW_TOKEN_FILE'] || undefined),
    )
    .option('--ca <file>', "who may have signed the server's certificate")
    .option('--cert <file>', 'the certificate to show it')
    .option('--key <file>', 'the key of that');
  useColours(process.stdout.isTTY && env['NO_COLOR'] === undefined);

  const common = (command: Command): Command =>
    command
      .addOption(
        new Option('--socket <path>', "the supervisor's unix socket").default(env['VPCGW_SOCKET'] ?? DEFAULT_SOCKET),
      )
      .addOption(
        new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'),
      );
  const jsonToo = (command: Command): Command => command.option('--json', 'the same as --output json');
  const withFormat = ({ json, socket, output }: Given): Common => ({
    // A socket that was typed is meant, whatever the environment says.
    target: isTyped('socket') ? { socket } : { ...program.opts<Omit<Target, 'socket'>>(), socket },
    output: json ? 'json' : output,
  });
  const isTyped = (option: string): boolean =>
    program.commands
      .flatMap((command) => [command, ...command.commands])
      .some((command) => command.getOptionValueSource(option) === 'cli');

  program
    .command('run')
    .description('programs the kernel of this network namespace from documents, and keeps it true')
    .addOption(
      new Option('--source <source>', 'where documents come from')
        .choices(['folder', 'api', 'kubernetes'])
        .default('folder'),
    )
    .option('--config <directory>', 'the folder of documents', '/etc/vpcgw')
    .option('--state <directory>', 'where revisions are kept', '/var/lib/vpcgw')
    .option('--socket <path>', 'unix socket of the local API', env['VPCGW_SOCKET'] ?? DEFAULT_SOCKET)
    .option('--keys <directory>', 'the folder of keys that documents name', DEFAULT_KEYS)
    .option('--member <file>', 'which member of a pair this is: its name, its own address and its peer')
    .option('--listen <address:port>', 'management address: health and metrics, and the API for those with an account')
    .option('--tokens <file>', 'accounts of the management address; vpcgw token new makes them')
    .option('--tls-cert <file>', 'certificate of the management address')
    .option('--tls-key <file>', 'its key')
    .option('--tls-client-ca <file>', "who signs clients' certificates; their OU is the role")
    .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error']).default('info'))
    .action(async (options: RunFlags) => (await import('./run.js')).run(options, exit));

  jsonToo(common(program.command('validate').argument('[paths...]', 'files or folders', ['/etc/vpcgw'])))
    .description('checks documents and changes nothing')
    .action(async (paths: string[], options: Given) =>
      (await import('./validate.js')).validate(paths, withFormat(options)),
    );

  jsonToo(common(program.command('plan').argument('[paths...]', 'files or folders', ['/etc/vpcgw'])))
    .description('shows what documents would change: objects, kernel, live connections')
    .option('--prune', 'as if documents that the files do not hold were taken away')
    .action(async (paths: string[], options: Given & { prune?: boolean }) =>
      (await import('./edit.js')).plan(paths, { ...withFormat(options), prune: options.prune ?? false }),
    );

  jsonToo(common(program.command('apply').argument('<paths...>', 'files or folders')))
    .description('puts documents into force (supervisor with --source api)')
    .option('--prune', 'take away documents that the files do not hold')
    .option('--confirm-within <duration>', 'roll back by itself unless confirmed, such as 60s', toMs)
    .action(async (paths: string[], options: Given & { prune?: boolean; confirmWithin?: number }) =>
      (await import('./edit.js')).apply(paths, {
        ...withFormat(options),
        prune: options.prune ?? false,
        confirmWithinMs: options.confirmWithin,
        by: env['USER'] ?? 'cli',
      }),
    );

  jsonToo(common(program.command('confirm')))
    .description('keeps a change that was applied with --confirm-within')
    .action(async (options: Given) => (await import('./edit.js')).confirm(withFormat(options)));

  jsonToo(common(program.command('rollback')))
    .description('goes back to an earlier revision')
    .option('--to <revision>', 'which; the one before the last when left out', toRevision)
    .action(async (options: Given & { to?: number }) =>
      (await import('./edit.js')).rollback({ ...withFormat(options), to: options.to }),
    );

  jsonToo(common(program.command('get').argument('[kind]').argument('[name]')))
    .description('lists documents in force, or prints one')
    .action(async (kind: string | undefined, name: string | undefined, options: Given) =>
      (await import('./one-document.js')).get(kind, name, withFormat(options)),
    );

  jsonToo(common(program.command('delete').argument('<kind>').argument('<name>')))
    .description('takes a document away (supervisor with --source api)')
    .option('--dry-run', 'shows what it would change, and changes nothing')
    .action(async (kind: string, name: string, options: Given & { dryRun?: boolean }) =>
      (await import('./one-document.js')).remove(kind, name, {
        ...withFormat(options),
        dryRun: options.dryRun ?? false,
      }),
    );

  jsonToo(common(program.command('status')))
    .description('how the gateway is')
    .option('--watch', 'again and again')
    .action(async (options: Given & { watch?: boolean }) =>
      (await import('./status.js')).status({ ...withFormat(options), watch: options.watch ?? false }),
    );

  jsonToo(common(program.command('history')))
    .description('the revisions that are kept')
    .action(async (options: Given) => (await import('./status.js')).history(withFormat(options)));

  jsonToo(common(program.command('events')))
    .description('what happens, as it happens')
    .action(async (options: Given) => (await import('./events.js')).events(withFormat(options)));

  jsonToo(common(program.command('audit')))
    .description('who changed what, when, and with which result')
    .option('--limit <lines>', 'the newest so many', toLimit, 100)
    .action(async (options: Given & { limit: number }) =>
      (await import('./events.js')).audit({ ...withFormat(options), limit: options.limit }),
    );

  common(program.command('export'))
    .description('prints the documents in force')
    .action(async (options: Given) => (await import('./status.js')).exportDocuments(withFormat(options)));

  jsonToo(common(program.command('show').addArgument(showArgument())))
    .description(
      'nat: rules with their connections; lb: members of load balancers; conntrack: connections; ports: how full elastic IPs are; bandwidth: limits and what passes; failover: this member of a pair; vpn: peers of tunnels; line: dedicated lines; bgp: their sessions; routes: ways to the VPC and to sites',
    )
    .action(async (what: ShowWhat, options: Given) => (await import('./show.js')).show(what, withFormat(options)));

  jsonToo(common(program.command('explain').addArgument(kindArgument()).argument('<name>', 'its name')))
    .description(
      'what is wrong with an elastic IP, a SNAT rule, a DNAT rule, a load balancer, a VPN connection or a dedicated line, and what to do about it',
    )
    .option('--from <address>', 'who opens the connection; of a SNAT rule a VM')
    .option('--port <port>', 'of the elastic IP, such as 443/tcp, 53/udp or icmp; of a SNAT rule of the far end')
    .action(async (kind: SubjectKind, name: string, options: Given & { from?: string; port?: string }) => {
      const { from, port } = options;
      if (!(await (await import('./explain.js')).explain(kind, name, { ...withFormat(options), from, port }))) exit(1);
    });

  jsonToo(common(program.command('trace')))
    .description("a connection's first packet on its walk through the gateway, hop by hop")
    .requiredOption('--from <address>', 'who opens it')
    .requiredOption('--to <address:port/protocol>', 'such as 203.0.113.10:80/tcp or 203.0.113.10/icmp')
    .option(
      '--enters <side>',
      'VPC, an external network, VpnConnection/NAME or DedicatedLine/NAME; judged by the addresses when left out',
    )
    .option('--live', 'watch the kernel take such a packet the same way')
    .option('--seconds <seconds>', 'how long to watch', toSeconds, 10)
    .action(async (options: Given & TraceGiven) => {
      const { trace, traceLive } = await import('./trace.js');
      const { from, to, enters, live, seconds } = options;
      const asked = { ...withFormat(options), from, to, enters };
      if (!live) return trace(asked);
      const code = await traceLive({ ...asked, seconds });
      if (code !== 0) exit(code);
    });

  jsonToo(common(program.command('top')))
    .description('elastic IPs by what passes them, again and again on a terminal')
    .option('--once', 'one look')
    .addOption(new Option('--sort <column>').choices([...TOP_ORDERS]).default('rate'))
    .action(async (options: Given & { once?: boolean; sort: TopOrder }) =>
      (await import('./top.js')).top({ ...withFormat(options), once: options.once ?? false, sort: options.sort }),
    );

  common(program.command('capture').addArgument(capturedArgument()).argument('<name>'))
    .description('what passes an elastic IP on both sides of the gateway, as one pcapng; headers only')
    .requiredOption('-w, --write <file>', 'where to, - for standard output')
    .option('--filter <expression>', "in tcpdump's language, such as 'tcp port 80'")
    .option('--seconds <seconds>', 'how long', toCaptureSeconds, 30)
    .option('--max <size>', 'of the file, such as 10M', toBytes, 10_000_000)
    .option('--payload', 'what is behind the headers too')
    .action(async (_kind: string, name: string, options: Given & CaptureGiven) => {
      const { write: file, filter, seconds, max: maxBytes, payload = false } = options;
      const { target } = withFormat(options);
      await (await import('./capture.js')).capture(name, { target, file, filter, seconds, maxBytes, payload });
    });

  program
    .command('support-bundle')
    .description('all that somebody far away needs to understand this gateway, in one .tar.gz without secrets')
    .addOption(
      new Option('--socket <path>', "the supervisor's unix socket").default(env['VPCGW_SOCKET'] ?? DEFAULT_SOCKET),
    )
    .option('-o, --output <file>', 'where to, - for standard output; a name with the time when left out')
    .action(async ({ socket, output }: { socket: string; output?: string }) => {
      const { target } = withFormat({ socket, output: 'table' });
      await (await import('./support-bundle.js')).supportBundle(target, output);
    });

  jsonToo(common(program.command('switchover')))
    .description('gives the role of the active member to the other one of the pair')
    .action(async (options: Given) => (await import('./failover.js')).switchover(withFormat(options)));

  jsonToo(common(program.command('maintenance').addArgument(onOffArgument())))
    .description('takes this member of a pair out of the election, or back in')
    .action(async (state: 'on' | 'off', options: Given) =>
      (await import('./failover.js')).maintenance(state === 'on', withFormat(options)),
    );

  jsonToo(common(program.command('preflight')))
    .description('checks what this machine gives a gateway, with the fix for what is missing')
    .action(async (options: Given) => {
      if (!(await (await import('./preflight.js')).preflight(withFormat(options)))) exit(1);
    });

  const vpn = program.command('vpn').description('keys and far ends of VPN connections');
  jsonToo(common(vpn.command('keygen').argument('<file>', 'its name in the folder of keys, such as office.key')))
    .description('makes a key that documents may name, and prints what of it is public')
    .option('--psk', 'a preshared key, not a private one')
    .option('--keys <directory>', 'the folder of keys', DEFAULT_KEYS)
    .action(async (file: string, options: Given & { psk?: boolean; keys: string }) =>
      (await import('./vpn.js')).keygen(file, {
        keys: options.keys,
        psk: options.psk ?? false,
        output: withFormat(options).output,
      }),
    );

  jsonToo(common(vpn.command('peer-config').argument('<name>', 'of the VpnConnection')))
    .description('prints what the other end needs, as a file for wg-quick or swanctl; without secrets')
    .option('--peer <name>', 'of this peer alone')
    .action(async (name: string, options: Given & { peer?: string }) =>
      (await import('./vpn.js')).peerConfig(name, { ...withFormat(options), peer: options.peer }),
    );

  const token = program.command('token').description('accounts of the management address');
  jsonToo(common(token.command('new').argument('<name>', 'whose it is')))
    .description('prints a new token, once, and its line for the file of vpcgw run --tokens')
    .addOption(new Option('--role <role>').choices([...ROLES]).default('viewer'))
    .action(async (name: string, options: Given & { role: string }) =>
      (await import('./token.js')).tokenNew(name, { role: options.role, output: withFormat(options).output }),
    );

  program
    .command('schema')
    .description('prints the JSON Schema of the documents; an editor completes from it')
    .action(async () => (await import('./schema.js')).printSchema());

  program
    .command('completion')
    .description('prints the completion script of a shell')
    .addArgument(shellArgument())
    .action(async (shell: string) => (await import('./completion.js')).printCompletion(shell, program));
  return program;
}

const kindArgument = () => new Command().createArgument('<kind>', 'of what').choices([...SUBJECT_KINDS]);
const showArgument = () =>
  new Command()
    .createArgument('<what>', 'what to show')
    .choices(['nat', 'lb', 'conntrack', 'ports', 'bandwidth', 'failover', 'vpn', 'line', 'bgp', 'routes']);
const capturedArgument = () => new Command().createArgument('<kind>', 'what to capture').choices(['eip']);
const onOffArgument = () => new Command().createArgument('<state>', 'on: out of the election').choices(['on', 'off']);
const shellArgument = () => new Command().createArgument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']);

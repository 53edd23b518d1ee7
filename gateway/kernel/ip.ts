/**
 * What `ip -j` says of links, addresses, routes and rules: one program reads what several subsystems need, since within
 * an observation the same command is run once.
 */
import { remember } from '../model/remember.js';
import { ROUTE_PROTOCOL } from '../model/ownership.js';
import type { Command, CommandResult, CommandRunner } from './command.js';

export interface IpLink {
  readonly ifname: string;
  /** `null` where it could have one. */
  readonly link?: string | null;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly ifalias?: string;
  readonly address?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly id?: number; readonly if_id?: string };
  };
}

export interface IpAddresses {
  readonly ifname?: string;
  readonly addr_info?: readonly {
    readonly local?: string;
    readonly prefixlen?: number;
    readonly scope?: string;
    readonly family?: string;
  }[];
}

export interface IpRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly table?: string;
  readonly scope?: string;
  readonly prefsrc?: string;
  readonly metric?: number;
  readonly flags?: readonly string[];
  /** Of one that several links share. */
  readonly nexthops?: readonly {
    readonly gateway?: string;
    readonly dev: string;
    readonly weight: number;
    readonly flags: readonly string[];
  }[];
}

export interface IpRule {
  readonly priority: number;
  readonly src?: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly ipproto?: string;
  readonly goto?: number;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly iif?: string;
  readonly table?: string;
  readonly suppress_prefixlen?: number;
  readonly action?: string;
  readonly protocol?: string | number;
}

export const IP_FAMILIES = ['4', '6'] as const;
export type IpFamily = (typeof IP_FAMILIES)[number];

export const ROUTES = `route show table all proto ${ROUTE_PROTOCOL}`;
export const RULES = 'rule show';

/** Without a family `ip` shows the addresses of both and the rules of IPv4; the routes are named by what holds them. */
const COMMANDS: Readonly<Record<IpFamily, Command>> = {
  '4': { argv: ['ip', '-j', '-d', '-batch', '-'], stdin: `address show\n${ROUTES} root 0.0.0.0/0\n${RULES}\n` },
  '6': { argv: ['ip', '-j', '-d', '-6', '-batch', '-'], stdin: `${ROUTES}\n${RULES}\n` },
};

/** `ip` answers each question with a list on a line of its own. */
export const listsIn = (stdout: string): readonly unknown[] =>
  stdout
    .split('\n')
    .filter((line) => line.startsWith('['))
    .map((line) => JSON.parse(line) as unknown);

const listsOf = remember(({ stdout }: CommandResult) => listsIn(stdout));

const ask = async (run: CommandRunner, family: IpFamily): Promise<readonly unknown[]> =>
  listsOf(await run.run(COMMANDS[family]));

export const readInterfaces = async (run: CommandRunner): Promise<readonly (IpLink & IpAddresses)[]> =>
  (await ask(run, '4'))[0] as readonly (IpLink & IpAddresses)[];

export const readRoutes = async (run: CommandRunner, family: IpFamily): Promise<readonly IpRoute[]> =>
  (await ask(run, family)).at(-2) as readonly IpRoute[];

export const readRules = async (run: CommandRunner, family: IpFamily): Promise<readonly IpRule[]> =>
  (await ask(run, family)).at(-1) as readonly IpRule[];

/** The last list of a batch that began with changes. */
export const lastList = (stdout: string): readonly unknown[] =>
  JSON.parse(stdout.slice(Math.max(0, stdout.lastIndexOf('\n[') + 1)) || '[]') as readonly unknown[];

/** The same command is run once; for readings that belong together. */
export function askedOnce(run: CommandRunner): CommandRunner {
  const asked = new Map<string, Promise<CommandResult>>();
  return {
    run: (command) => {
      const key = JSON.stringify(command);
      const answer = asked.get(key) ?? run.run(command);
      asked.set(key, answer);
      return answer;
    },
    switches: (names) => run.switches(names),
    setSwitches: (values) => run.setSwitches(values),
    procNet: (name) => run.procNet(name),
  };
}

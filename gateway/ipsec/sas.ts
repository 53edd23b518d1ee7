/** What `swanctl --list-sas --raw` says, and what the daemon's log says of a tunnel that did not come about. Pure. */
import { CHILD } from './swanctl.js';

/** Of one connection, as the daemon calls it. */
export interface SaState {
  readonly name: string;
  /** Keys were agreed on, and packets pass. */
  readonly installed: boolean;
  /** It is trying, or asking. */
  readonly busy: boolean;
  readonly remote: string | undefined;
  readonly ageS: number | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

interface Section {
  readonly values: ReadonlyMap<string, string>;
  readonly sections: ReadonlyMap<string, Section>;
}

const TOKEN = /([^\s{}=[\]]+)\s*\{|\}|([^\s{}=[\]]+)=(\[[^\]]*\]|[^\s{}]*)/g;

function parseSections(text: string): Section {
  const root = { values: new Map<string, string>(), sections: new Map<string, Section>() };
  const path = [root];
  for (const [token, opened, key, value] of text.matchAll(TOKEN)) {
    const inner = path.at(-1) ?? root;
    if (opened !== undefined) {
      const section = { values: new Map<string, string>(), sections: new Map<string, Section>() };
      inner.sections.set(opened, section);
      path.push(section);
    } else if (token === '}') {
      if (path.length > 1) path.pop();
    } else if (key !== undefined) inner.values.set(key, value ?? '');
  }
  return root;
}

export const parseSas = (text: string): SaState[] =>
  text.split('\n').flatMap((line) => {
    if (!line.startsWith('list-sa event')) return [];
    const [[name, ike] = []] = [
      ...(parseSections(line.slice('list-sa '.length)).sections.get('event')?.sections ?? []),
    ];
    return name === undefined || !ike ? [] : [stateOf(name, ike)];
  });

function stateOf(name: string, { values, sections }: Section): SaState {
  const children = [...(sections.get('child-sas')?.sections.values() ?? [])].filter(
    (child) => child.values.get('name') === CHILD,
  );
  const passing = children.filter(({ values: of }) => PASSING.includes(of.get('state') ?? ''));
  const sum = (what: string): number =>
    passing.reduce((total, child) => total + Number(child.values.get(what) ?? 0), 0);
  const ages = passing.map((child) => Number(child.values.get('install-time') ?? 0));
  const host = values.get('remote-host');
  return {
    name,
    installed: passing.length > 0,
    busy: values.get('state') !== 'ESTABLISHED' || children.length > passing.length,
    remote: host === undefined ? undefined : `${host.includes(':') ? `[${host}]` : host}:${values.get('remote-port')}`,
    ageS: ages.length > 0 ? Math.min(...ages) : undefined,
    receivedBytes: sum('bytes-in'),
    sentBytes: sum('bytes-out'),
  };
}

/** Packets pass in each of them. */
const PASSING = ['INSTALLED', 'REKEYING', 'REKEYED'];

/** Why there is no tunnel. */
export interface NoTunnel {
  readonly reason: string;
  /** The other end is there, and the two do not come to terms. */
  readonly refuses: boolean;
}

/** By the last line of the log that says so; `undefined` while none does. */
export function whyNot(log: string, name: string): NoTunnel | undefined {
  const said = log.split('\n').filter((line) => line.includes(`<${name}|`));
  for (const line of said.reverse()) {
    if (/CHILD_SA \S+ established/.test(line)) return undefined;
    const found = FAULTS.find(([sign]) => sign.test(line));
    if (found) return { reason: found[1], refuses: found[1] !== SILENT };
  }
  return undefined;
}

const SILENT = 'the other end does not answer';
const FAULTS: readonly (readonly [RegExp, string])[] = [
  [/received AUTHENTICATION_FAILED/, 'the other end refuses the key, or what the gateway calls itself'],
  [/MAC mismatched|N\(AUTH_FAILED\)/, 'the other end has another key, or calls itself otherwise'],
  [/NO_PROPOSAL_CHOSEN|no proposal found/, 'the other end has none of the proposals, or does not know this gateway'],
  [/TS_UNACCEPTABLE/, 'the other end has other networks'],
  [/giving up after|peer not responding/, SILENT],
];

/** What the daemon says of its security associations, and its log of a tunnel that did not come about. Pure. */
import { CHILD } from './connection.js';
import type { Section } from './vici.js';

/** Of one connection, as the daemon calls it. */
export interface SaState {
  readonly name: string;
  /** Keys were agreed on, and packets pass. */
  readonly installed: boolean;
  /** It is trying, or asking. */
  readonly busy: boolean;
  readonly remote: string | undefined;
  readonly ageS: number | undefined;
  /** What passed by each of its keys, which count from nought, by their SPI. */
  readonly children: ReadonlyMap<string, Bytes>;
}

export interface Bytes {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** What passed a tunnel, by whichever keys. */
export interface Passed extends Bytes {
  /** As it was seen last. */
  readonly children: SaState['children'];
}

export const NOTHING_PASSED: Passed = { receivedBytes: 0, sentBytes: 0, children: new Map() };

/** Of one event `list-sa`, which has one connection. */
export const stateIn = (event: Section): SaState[] => [...event.sections].map(([name, ike]) => stateOf(name, ike));

function stateOf(name: string, { values, sections }: Section): SaState {
  const children = [...(sections.get('child-sas')?.sections.values() ?? [])].filter(
    (child) => child.values.get('name') === CHILD,
  );
  const passing = children.filter(({ values: of }) => PASSING.includes(of.get('state') ?? ''));
  const ages = passing.map((child) => Number(child.values.get('install-time') ?? 0));
  const host = values.get('remote-host');
  return {
    name,
    installed: passing.length > 0,
    busy: values.get('state') !== 'ESTABLISHED' || children.length > passing.length,
    remote: host === undefined ? undefined : `${host.includes(':') ? `[${host}]` : host}:${values.get('remote-port')}`,
    ageS: ages.length > 0 ? Math.min(...ages) : undefined,
    children: new Map(passing.map(({ values: of }) => [of.get('spi-in') ?? '', bytesIn(of)])),
  };
}

const bytesIn = (values: Section['values']): Bytes => ({
  receivedBytes: Number(values.get('bytes-in') ?? 0),
  sentBytes: Number(values.get('bytes-out') ?? 0),
});

/** Keys that are gone have taken their figures along, so that what they counted is kept here. */
export function passedBy(before: Passed, states: readonly SaState[]): Passed {
  const children = new Map(states.flatMap((state) => [...state.children]));
  const grown = (of: keyof Bytes): number =>
    [...children].reduce((total, [spi, now]) => total + now[of] - (before.children.get(spi)?.[of] ?? 0), before[of]);
  return { receivedBytes: grown('receivedBytes'), sentBytes: grown('sentBytes'), children };
}

/** Packets pass in each of them. */
const PASSING = ['INSTALLED', 'REKEYING', 'REKEYED'];

/** Why there is no tunnel. */
export interface NoTunnel {
  readonly reason: string;
  /** The other end is there, and the two do not come to terms. */
  readonly refuses: boolean;
}

/** By what the log says of the last attempt that it says anything of; `undefined` while it says nothing. */
export function whyNot(log: string, name: string): NoTunnel | undefined {
  const attempts = new Map<string, string>();
  for (const [, attempt = '', line = ''] of log.matchAll(new RegExp(`<${name}\\|(\\d+)>(.*)`, 'g'))) {
    const before = attempts.get(attempt) ?? '';
    // The last that anything was said of comes last.
    attempts.delete(attempt);
    attempts.set(attempt, `${before}${line}\n`);
  }
  for (const said of [...attempts.values()].reverse()) {
    const [since = '', ...before] = said.split(/CHILD_SA \S+ established/).reverse();
    const found = FAULTS.find(([sign]) => sign.test(since));
    if (found) return { reason: found[1], refuses: found[1] !== SILENT };
    if (before.length > 0) return undefined;
  }
  return undefined;
}

const SILENT = 'the other end does not answer';
/** What says most comes first. */
const FAULTS: readonly (readonly [RegExp, string])[] = [
  [
    /no trusted \S+ public key found|no issuer certificate found/,
    'the other end has a certificate that is not trusted here',
  ],
  [/constraint check failed/, 'the other end has a certificate of another name, or of another authority'],
  [
    /received AUTHENTICATION_FAILED/,
    'the other end refuses the key or the certificate, or what the gateway calls itself',
  ],
  [/MAC mismatched|N\(AUTH_FAILED\)/, 'the other end has another key, or calls itself otherwise'],
  [/NO_PROPOSAL_CHOSEN|no proposal found/, 'the other end has none of the proposals, or does not know this gateway'],
  [/TS_UNACCEPTABLE/, 'the other end has other networks'],
  [/giving up after|peer not responding/, SILENT],
];

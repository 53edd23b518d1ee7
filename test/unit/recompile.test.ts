import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { PatchedMap } from '../../gateway/kernel/patched-map.js';
import { type Facts, type KernelState, NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { type Candidate, candidateAfter, candidateOf } from '../../gateway/reconcile/candidate.js';
import { compile, type Compiled, type CompileInput } from '../../gateway/reconcile/compile.js';
import { recompile } from '../../gateway/reconcile/recompile.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { exampleKeys, examplePublicKey } from '../support/example-keys.js';

// The short way of an edit must lead where the long way leads.

const GATEWAY = `apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: blue}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/16, "fd00:a::1/64"]}
  externals:
    - {name: one, interface: ext0, addresses: [100.64.0.11/24, "2001:db8:ffff::11/64"], gateways: [100.64.0.1]}
    - {name: two, interface: ext1, addresses: [100.65.0.11/24], gateways: [100.65.0.1]}
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: shared}
spec: {address: 198.18.0.1, external: one, bandwidth: {egress: 5M}}
---
apiVersion: vpcgw.io/v1alpha1
kind: BandwidthPackage
metadata: {name: pack}
spec: {bandwidth: {ingress: 10M}, members: [{elasticIP: shared}]}
---
apiVersion: vpcgw.io/v1alpha1
kind: SnatRule
metadata: {name: all}
spec: {sources: [{cidr: 10.0.0.0/16}, {cidr: 10.0.0.5/32}], elasticIPs: [shared]}
`;

interface Binding {
  readonly name: number;
  readonly address: number;
  readonly target: number | undefined;
  readonly routed: boolean;
  readonly second: boolean;
  readonly tier: string | undefined;
  /** Of each direction, in Mbit/s. */
  readonly limits: readonly [number | undefined, number | undefined];
}

const text = ({ name, address, target, routed, second, tier, limits: [ingress, egress] }: Binding): string => `---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: e${name}${tier === undefined ? '' : `, labels: {tier: ${tier}}`}}
spec:
  address: 203.0.${address >> 4}.${(address & 15) * 16}
  external: ${second ? 'two' : 'one'}
  announcement: ${routed ? 'Routed' : 'Neighbor'}
  bandwidth: {${[...limit('ingress', ingress), ...limit('egress', egress)].join(', ')}}
${target === undefined ? '' : `  target: {address: 10.0.${target >> 4}.${(target & 15) + 2}}\n`}`;

const limit = (direction: string, mbit: number | undefined): string[] =>
  mbit === undefined ? [] : [`${direction}: ${mbit}M`];
const megabits = fc.option(fc.constantFrom(1, 7, 50), { nil: undefined });

const binding = fc.record({
  name: fc.nat(30),
  address: fc.nat(60),
  target: fc.option(fc.nat(60), { nil: undefined }),
  routed: fc.boolean(),
  second: fc.boolean(),
  tier: fc.constantFrom(undefined, undefined, 'front', 'back'),
  limits: fc.tuple(megabits, megabits),
});

const sourcesOf = (documents: string) => splitDocuments({ file: 'a.yaml', text: documents });

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Order carries no meaning in a map of the kernel's state. */
function comparable(value: unknown): unknown {
  if (value instanceof Map || value instanceof PatchedMap)
    return Object.fromEntries(
      [...value].map(([key, item]) => [String(key), comparable(item)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'origin')
        .map(([key, item]) => [key, comparable(item)]),
    );
  return value;
}

const inputOf = ({ model }: Candidate, before: CompileInput | undefined, facts: Partial<Facts> = {}): CompileInput => ({
  model,
  facts: before?.facts ?? { mtu: new Map(), ...facts },
  pressure: before?.pressure ?? NO_PRESSURE,
  allocations: allocateAll(before?.allocations ?? NO_ALLOCATIONS, model),
});

const stateOf = (compiled: Compiled): KernelState => compiled.state;

/** Of elastic IPs by their labels, of which none may have one yet. */
const POLICIES = `---
apiVersion: vpcgw.io/v1alpha1
kind: FirewallPolicy
metadata: {name: front}
spec:
  appliesTo: {matchLabels: {tier: front}}
  rules: [{priority: 1, action: Deny, direction: Ingress, peers: [{cidr: 192.0.2.0/24}]}]
---
apiVersion: vpcgw.io/v1alpha1
kind: FirewallPolicy
metadata: {name: back}
spec:
  appliesTo: {matchLabels: {tier: back}}
  rules: [{priority: 1, action: Deny, direction: Egress, peers: [{cidr: 192.0.2.0/24}]}]
`;

const TUNNELS = `${GATEWAY}---
apiVersion: vpcgw.io/v1alpha1
kind: VpnConnection
metadata: {name: a}
spec:
  type: WireGuard
  elasticIP: shared
  localNetworks: [10.0.0.0/16]
  rules: [{priority: 1, action: Allow, direction: Ingress, ports: [{protocol: ICMP}]}]
  wireGuard:
    keyRef: {file: own}
    peers: [{name: inline, publicKey: ${examplePublicKey('inline')}, networks: [192.168.1.0/24]}]
---
apiVersion: vpcgw.io/v1alpha1
kind: VpnConnection
metadata: {name: b}
spec: {type: WireGuard, elasticIP: shared, localNetworks: [10.0.1.0/24], wireGuard: {listenPort: 51821, keyRef: {file: none}}}
`;

/** Of the networks of `a`, or of nobody's. */
const LINE = `---
apiVersion: vpcgw.io/v1alpha1
kind: DedicatedLine
metadata: {name: line}
spec:
  port: {interface: line0}
  localAddresses: [169.254.100.1/30]
  peerAddresses: [169.254.100.2]
  localNetworks: [10.0.0.0/16]
  static: {networks: [192.168.1.0/24, 192.168.7.0/24]}
  backup: a
---
apiVersion: vpcgw.io/v1alpha1
kind: VpnPeer
metadata: {name: p0}
spec: {connection: a, publicKey: ${examplePublicKey('covers')}, networks: [192.168.7.0/24]}
`;

const peer = fc.record({
  name: fc.nat(9),
  connection: fc.constantFrom('a', 'a', 'a', 'b'),
  key: fc.constantFrom(...Array.from({ length: 12 }, (_, i) => `peer-${i}`), 'own', 'inline'),
  networks: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
  six: fc.boolean(),
  psk: fc.constantFrom('', 'psk', 'missing'),
});

const peerText = ({
  name,
  connection,
  key,
  networks,
  six,
  psk,
}: typeof peer extends fc.Arbitrary<infer T> ? T : never): string => `---
apiVersion: vpcgw.io/v1alpha1
kind: VpnPeer
metadata: {name: p${name}}
spec:
  connection: ${connection}
  publicKey: ${examplePublicKey(key)}
  networks: [${networks.map((n) => (six ? `"fd00:${n}::/32"` : `192.168.${n}.0/24`)).join(', ')}]
${psk === '' ? '' : `  presharedKeyRef: {file: ${psk}}\n`}`;

interface Given {
  readonly id: string;
  readonly text: string;
}

/** Edits one after the other, each both ways; how many of them could go the short one. */
function walk(base: string, edits: readonly (readonly Given[])[], facts?: Partial<Facts>): number {
  const cache = new ParseCache();
  let short = 0;
  let current = candidateOf(sourcesOf(base), cache);
  let compiled = compile(inputOf(current, undefined, facts));
  for (const edit of edits) {
    const given = sourcesOf(edit.map(({ text }) => text).join(''));
    const after = attempt(() => candidateAfter(current, given, cache));
    const ids = new Set(edit.map(({ id }) => id));
    const kept = [...current.documents.values()].filter(({ id }) => !ids.has(id)).map(({ source }) => source);
    const whole = attempt(() => candidateOf([...kept, ...given], new ParseCache()));
    expect(after === undefined).toBe(whole === undefined);
    if (!after || !whole) continue;
    expect([...after.documents.keys()].sort()).toEqual([...whole.documents.keys()].sort());
    const input = inputOf(after, compiled.input);
    const edited = recompile(input, compiled);
    if (edited) short++;
    compiled = edited ?? compile(input);
    current = after;
    expect(comparable(stateOf(compiled))).toEqual(comparable(stateOf(compile(inputOf(whole, compiled.input)))));
  }
  return short;
}

const list = <T>(item: fc.Arbitrary<T>) =>
  fc.array(fc.array(item, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 25 });

describe('gives the same model and the same kernel as all documents taken together:', () => {
  it('an edit of elastic IPs', () => {
    let short = 0;
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), list(binding), (ceiling, judged, edits) => {
        const gateway = ceiling ? GATEWAY.replace('spec:\n', 'spec:\n  bandwidth: {ingress: 20M}\n') : GATEWAY;
        short += walk(
          judged ? `${gateway}${POLICIES}` : gateway,
          edits.map((edit) => edit.map((each) => ({ id: `ElasticIP/e${each.name}`, text: text(each) }))),
        );
      }),
      { numRuns: 40 },
    );
    // The short way was really taken.
    expect(short).toBeGreaterThan(50);
  }, 60_000);

  it("an edit of a tunnel's peers", () => {
    const facts: Partial<Facts> = {
      tunnels: { engine: 'wireguard', lacking: undefined, namespace: '' },
      keys: exampleKeys('own', 'psk'),
    };
    let short = 0;
    fc.assert(
      fc.property(list(peer), fc.nat(3), (edits, line) => {
        short += walk(
          line === 0 ? `${TUNNELS}${LINE}` : TUNNELS,
          edits.map((edit) => edit.map((each) => ({ id: `VpnPeer/p${each.name}`, text: peerText(each) }))),
          facts,
        );
      }),
      { numRuns: 80 },
    );
    expect(short).toBeGreaterThan(50);
  }, 60_000);
});

it('a source of everybody is two halves, which a set of networks takes', () => {
  const everybody = GATEWAY.replace('{cidr: 10.0.0.0/16}, ', '{cidr: 0.0.0.0/0}, ');
  const { sets } = stateOf(compile(inputOf(candidateOf(sourcesOf(everybody), new ParseCache()), undefined)));
  expect([...(sets.get('vg-src4')?.elements.keys() ?? [])]).toEqual(['0.0.0.0/1', '128.0.0.0/1', '10.0.0.5']);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { PatchedMap } from '../../gateway/kernel/patched-map.js';
import { type KernelState, NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { type Candidate, candidateAfter, candidateOf } from '../../gateway/reconcile/candidate.js';
import { compile, type Compiled, type CompileInput } from '../../gateway/reconcile/compile.js';
import { recompile } from '../../gateway/reconcile/recompile.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';

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
  /** Of each direction, in Mbit/s. */
  readonly limits: readonly [number | undefined, number | undefined];
}

const text = ({ name, address, target, routed, second, limits: [ingress, egress] }: Binding): string => `---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: e${name}}
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

const inputOf = ({ model }: Candidate, before: CompileInput | undefined): CompileInput => ({
  model,
  facts: before?.facts ?? { mtu: new Map() },
  pressure: before?.pressure ?? NO_PRESSURE,
  allocations: allocateAll(before?.allocations ?? NO_ALLOCATIONS, model),
});

const stateOf = (compiled: Compiled): KernelState => compiled.state;

describe('an edit of elastic IPs', () => {
  it('gives the same model and the same kernel as all documents taken together', () => {
    let short = 0;
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(fc.array(binding, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 25 }),
        (ceiling, edits) => {
          const cache = new ParseCache();
          const gateway = ceiling ? GATEWAY.replace('spec:\n', 'spec:\n  bandwidth: {ingress: 20M}\n') : GATEWAY;
          let current = candidateOf(sourcesOf(gateway), cache);
          let compiled = compile(inputOf(current, undefined));
          for (const edit of edits) {
            const given = sourcesOf(edit.map(text).join(''));
            const after = attempt(() => candidateAfter(current, given, cache));
            const ids = new Set(edit.map(({ name }) => `ElasticIP/e${name}`));
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
        },
      ),
      { numRuns: 40 },
    );
    // The short way was really taken.
    expect(short).toBeGreaterThan(50);
  }, 60_000);
});

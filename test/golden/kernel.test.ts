import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { KINDS } from '../../gateway/api/kinds.js';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { type Facts, type KernelState, NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import { describeLink, describePeer } from '../../gateway/kernel/wireguard/render.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { compile } from '../../gateway/reconcile/compile.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { exampleKeys } from '../support/example-keys.js';
import { exampleMember } from '../support/example-member.js';

// Documents and the kernel that they mean, to be read side by side. A change of the text is a change for every gateway
// that is running: look at it, then `UPDATE_GOLDEN=1 npm run test:unit`.

const folder = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace(/\.yaml$/, ''));
const facts = {
  mtu: new Map([['vpc0', 1400], ['ext0', 1500], ['ext1', 1500], ['line0', 1500], ['line1', 1500]]),
  member: exampleMember,
  tunnels: { engine: 'wireguard', lacking: undefined, namespace: '' } as const,
  keys: exampleKeys('offices.key', 'psk-paris', 'lab.key', 'psk-plant'),
};

const read = (name: string) =>
  candidateOf(splitDocuments({ file: name, text: readFileSync(`${folder}${name}.yaml`, 'utf8') }), new ParseCache());

/** Every machine has rules; what begins with `ipvs` is for a kernel that has that too. */
const factsOf = (name: string): Facts =>
  name.startsWith('ipvs') ? { ...facts, balancing: { engine: 'ipvs', lacking: undefined } } : facts;

function kernelOf(name: string): KernelState {
  const { model } = read(name);
  return compile({ model, facts: factsOf(name), allocations: allocateAll(NO_ALLOCATIONS, model), pressure: NO_PRESSURE }).state;
}

function readable(state: KernelState): string {
  const section = (title: string, lines: readonly string[]): string =>
    `# ${title}\n${lines.length > 0 ? lines.join('\n') : '(none)'}\n`;
  const chains = ({ chains, hooks }: KernelState['iptables4']): string[] => [
    ...[...hooks].flatMap(([key, lines]) => lines.map(({ text }) => `${key}: ${text}`)),
    ...[...chains]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([key, lines]) => [key, ...lines.map(({ text, origin }) => `  ${text}${origin ? `   # ${origin.id}` : ''}`)]),
  ];
  const texts = (map: ReadonlyMap<string, unknown>): string[] => [...map.keys()];
  return [
    section('leak guard', state.guard.split('\n')),
    ...(state.idle === '' ? [] : [section('idle timeouts', state.idle.split('\n'))]),
    ...(state.fence === '' ? [] : [section('fence', [state.fence])]),
    section('sets', [...state.sets].flatMap(([name, { type, elements }]) => [
      `${name} ${type}`,
      ...[...elements].map(([element, { text }]) => `  ${element} ${text}`.trimEnd()),
    ])),
    section('iptables', chains(state.iptables4)),
    section('ip6tables', chains(state.iptables6)),
    ...(state.ipvs.size === 0 ? [] : [section('ipvs', [...state.ipvs].map(([key, { text, origin }]) => `${key}  ${text}${origin ? `   # ${origin.id}` : ''}`))]),
    section('sysctls', [...state.sysctls].map(([key, value]) => `${key} = ${value}`)),
    section('links', [...state.links.values()].map(({ name, kind, parent, up, mac, mtu, vlan, xfrmId }) => `${name} ${{ macvlan: `above ${parent}`, xfrm: `IPsec number 0x${xfrmId?.toString(16)}, of ${mtu} bytes`, vlan: `VLAN ${vlan} of ${parent}`, ifb: 'an IFB', wireguard: `a tunnel of ${mtu} bytes`, 'wireguard-go': '' }[kind]}, ${up ? 'up' : 'down'}${mac === undefined ? '' : `, ${mac}`}`)),
    ...(state.shaping.size === 0 ? [] : [section('traffic control', [...state.shaping].map(([key, { text, origin }]) => `${key}  ${text}${origin ? `   # ${origin.id}` : ''}`))]),
    section('addresses', texts(state.addresses)),
    section('routes', texts(state.routes)),
    section('rules', texts(state.rules)),
    ...(state.wireguard.size === 0 ? [] : [section('WireGuard', [...state.wireguard].flatMap(([name, link]) => [
      `${name} ${describeLink(link)}`,
      ...[...link.peers].map(([key, peer]) => `  ${key} ${describePeer(peer)}`),
    ]))]),
  ].join('\n');
}

describe('the kernel of', () => {
  it.each(names)('%s is what it was', (name) => {
    const file = `${folder}${name}.kernel`;
    const text = readable(kernelOf(name));
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
    if (!existsSync(file)) throw new Error(`${name}.kernel is missing: UPDATE_GOLDEN=1 npm run test:unit writes it`);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  it('every kind is in some example', () => {
    const kinds = new Set(names.flatMap((name) => [...read(name).documents.values()].map(({ kind }) => kind)));
    expect([...kinds].sort()).toEqual(Object.keys(KINDS).sort());
  });

  it('no example is without its documents', () => {
    const kernels = readdirSync(folder).filter((name) => name.endsWith('.kernel'));
    expect(kernels.map((name) => name.replace(/\.kernel$/, '')).sort()).toEqual([...names].sort());
  });
});

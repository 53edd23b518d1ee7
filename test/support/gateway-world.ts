import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { createSubsystems } from '../../gateway/kernel/registry.js';
import { Auditor } from '../../gateway/reconcile/audit.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { compile } from '../../gateway/reconcile/compile.js';
import { KernelView } from '../../gateway/reconcile/converge.js';
import { Programmer } from '../../gateway/reconcile/programmer.js';
import { Supervisor } from '../../gateway/reconcile/supervisor.js';
import { TunnelFacts } from '../../gateway/reconcile/tunnel-facts.js';
import { AuditFile } from '../../gateway/system/audit-file.js';
import { systemClock } from '../../gateway/system/clock.js';
import { SystemRunner } from '../../gateway/system/command-runner.js';
import { Journal } from '../../gateway/system/journal.js';
import { chooseBalancing, chooseShaper, chooseIpsec, chooseTunnels, chooseVlans } from '../../gateway/system/probe.js';
import type { Facts } from '../../gateway/kernel/state.js';
import type { Document } from './documents.js';
import { exampleCertificates, exampleKeyFact } from './example-keys.js';
import { exampleMember } from './example-member.js';
import { FaultyRunner } from './faulty-runner.js';
import { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';
import { type Cidr, containsCidr, parseCidr } from '../../gateway/model/ip.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';

// A real kernel, a real journal, and a supervisor in this process whose commands can be made to fail.

const foundOf = ({ shaper, balancing, vlans, tunnels, ipsec, keys }: Facts) => ({
  ...(shaper && { shaper }),
  ...(balancing && { balancing }),
  ...(vlans && { vlans }),
  ...(tunnels && { tunnels }),
  ...(ipsec && { ipsec }),
  ...(keys && { keys }),
});
const subsystems = () => createSubsystems(() => 'nft');
const filesOf = (documents: readonly Document[]) => [
  { file: 'given.yaml', text: documents.map((each) => stringify(each)).join('---\n') },
];
const BY_TEST = { name: 'test', via: 'Socket' } as const;
let worlds = 0;

export class GatewayWorld {
  private lives: Supervisor[] = [];
  private programmer!: Programmer;
  runner!: FaultyRunner;
  readonly journal = mkdtempSync(join(currentRun().directory, 'journal-'));

  private constructor(readonly namespace: Namespace) {
    this.begin();
  }

  static async create(): Promise<GatewayWorld> {
    const namespace = await Namespace.create(`world${worlds++}`);
    const links = ['vpc0', 'ext0', 'ext1', 'line0', 'line1', 'sync0'].flatMap((name) => [
      `link add ${name} type veth peer name ${name}p`,
      `link set ${name} up`,
      `link set ${name}p up`,
    ]);
    await namespace.ip(['link set lo up', ...links]);
    await namespace.setSysctls({ 'ipv4/ip_forward': 0, 'ipv6/conf/all/forwarding': 0 });
    return new GatewayWorld(namespace);
  }

  get supervisor(): Supervisor {
    return this.lives.at(-1) as Supervisor;
  }

  /** A new process, as far as the kernel and the journal can tell. */
  begin(): void {
    this.lives.at(-1)?.stop();
    this.runner = new FaultyRunner(this.namespace, () => this.guarded());
    const log = pino({ level: 'silent' });
    const tunnels = new TunnelFacts(
      {
        wireGuard: async () => ({ ...(await chooseTunnels(this.runner)), namespace: this.namespace.name }),
        ipsec: () => chooseIpsec(this.runner),
      },
      {
        key: (file, use) =>
          file.startsWith('missing')
            ? { wrong: 'is missing' }
            : exampleKeyFact(file, use === 'private' ? use : 'preshared'),
        certificates: ({ own }) =>
          own.startsWith('missing') ? { wrong: `${own}: is missing` } : { certificates: exampleCertificates(own) },
      },
    );
    const machine = {
      chooseShaper: () => chooseShaper(this.runner),
      chooseBalancing: () => chooseBalancing(this.runner),
      chooseVlans: () => chooseVlans(this.runner),
    };
    this.programmer = new Programmer(this.runner, subsystems(), log, machine, exampleMember, tunnels);
    this.lives.push(
      new Supervisor({
        source: 'Api',
        editAt: '',
        version: 'test',
        programmer: this.programmer,
        journal: new Journal(this.journal),
        clock: systemClock,
        auditor: new Auditor(new AuditFile(this.journal), systemClock),
        afterChange: () => undefined,
        diagnose: () => Promise.resolve(undefined),
        log,
      }),
    );
  }

  async submit(documents: readonly Document[]): Promise<void> {
    await this.supervisor.submit({ files: filesOf(documents), prune: true, author: BY_TEST, action: 'Apply' });
  }

  /** What the kernel holds is what the documents mean, by fresh eyes: nothing remembered, everything read. */
  async verify(documents?: readonly Document[]): Promise<void> {
    const { inForce } = this.programmer;
    if (!inForce) throw new Error('nothing is in force');
    const view = new KernelView(new SystemRunner(this.namespace.inside([])), subsystems());
    const model = documents
      ? candidateOf(filesOf(documents).flatMap(splitDocuments), new ParseCache()).model
      : inForce.model;
    const { state: desired } = compile({
      model,
      allocations: inForce.allocations,
      facts: { ...(await view.facts()), member: exampleMember, ...foundOf(inForce.compiled.input.facts) },
      pressure: NO_PRESSURE,
    });
    expect(await view.plan(desired)).toEqual([]);
    expect(inForce.model).toBe(this.supervisor.current?.model);
  }

  /** Once anything is forwarded, the leak guard stands. */
  private async guarded(): Promise<void> {
    const { stdout } = await this.namespace.exec(['sh', '-c', GUARDED]);
    const [four, six, ...rest] = stdout.split('\n');
    if (four !== '1' && six !== '1') return;
    const [guard = '', sets = ''] = rest.join('\n').split('SETS\n');
    expect(guard, 'forwarding without the leak guard').toMatch(/saddr .*@outside( rt ipsec missing)? counter drop/);
    // Of whom it is still believed to be inside, the guard looks at what leaves.
    const guarded = [...guard.matchAll(CIDRS)].flatMap(([text]) => cidrOf(text));
    const inside = [...sets.matchAll(/^add vg-vpc[46] (\S+)/gm)].flatMap(([, text = '']) => cidrOf(text));
    const bare = inside.filter((cidr) => !guarded.some((outer) => containsCidr(outer, cidr)));
    expect(
      bare.map(({ text }) => text),
      'of the VPC, and not guarded',
    ).toEqual([]);
  }

  destroy(): void {
    this.supervisor.stop();
    this.namespace.delete();
  }
}

const GUARDED =
  'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding; nft -s list table inet vpcgw_guard 2>&1; echo SETS; ipset save 2>&1; true';
const CIDRS = /[0-9a-f.:]*[.:][0-9a-f.:]*(\/\d+)?/g;
const cidrOf = (text: string): readonly Cidr[] => {
  const cidr = parseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  return cidr ? [cidr] : [];
};

import type { Namespace } from '../support/namespace.js';

/** The bare tool beside the supervisor: leaf chains of a copy of its NAT table, replaced one by one. */
export class LeafReload {
  private constructor(
    private readonly namespace: Namespace,
    private readonly inputs: readonly string[],
  ) {}

  static async copy(from: Namespace, to: Namespace): Promise<LeafReload> {
    const { stdout } = await from.exec(['iptables-save', '-t', 'nat']);
    await to.exec(['iptables-restore'], { stdin: stdout });
    const chains = new Map<string, string[]>();
    for (const rule of stdout.split('\n')) {
      const [, chain] = /^-A (\S+) .*-j DNAT /.exec(rule) ?? [];
      if (chain !== undefined) chains.set(chain, [...(chains.get(chain) ?? []), rule]);
    }
    const inputs = [...chains].map(([chain, rules]) => ['*nat', `:${chain} -`, ...rules, 'COMMIT\n'].join('\n'));
    return new LeafReload(to, inputs);
  }

  /** In ms; entering the namespace included, which is below one. */
  async once(index: number): Promise<number> {
    const began = performance.now();
    const stdin = this.inputs[(index * 37) % this.inputs.length] ?? '';
    await this.namespace.exec(['iptables-restore', '--noflush'], { stdin });
    return performance.now() - began;
  }
}

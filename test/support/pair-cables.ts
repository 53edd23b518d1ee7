import type { Namespace } from './namespace.js';

// The cables of a pair's members, and what can be done to them at the switch. `pull` is seen by both ends: the carrier
// goes. `silence` is told to nobody: frames vanish and carriers stay, as behind a dead node, a broken switch or a filter;
// all that one call names ends in the same moment.

export type Direction = 'fromMember' | 'toMember';
const BOTH_WAYS: readonly Direction[] = ['fromMember', 'toMember'];

export const CABLES: readonly string[] = ['sync0', 'ext0', 'vpc0'];

interface Link {
  ifname: string;
  ifindex: number;
  /** Of the other end, in its namespace. */
  link_index?: number;
}

export class Cables {
  private constructor(
    private readonly place: Namespace,
    private readonly table: string,
    /** Ports of the switch, by member and by the name at the other end. */
    private readonly ports: ReadonlyMap<Namespace, ReadonlyMap<string, string>>,
  ) {}

  static async of(label: string, members: readonly Namespace[], place: Namespace): Promise<Cables> {
    const there = await linksOf(place);
    const found = members.map(async (member) => [member, portsAt(there, await linksOf(member))] as const);
    const cables = new Cables(place, `netdev cuts_${label}`, new Map(await Promise.all(found)));
    const all = members.flatMap((member) => cables.portsOf(member, CABLES));
    const hook = (direction: string, priority = 0): string =>
      `type filter hook ${direction} devices = { ${all.join(', ')} } priority ${priority};`;
    await cables.nft([
      `table ${cables.table} {`,
      ...BOTH_WAYS.map((direction) => `set ${direction} { type ifname; }`),
      `chain ingress { ${hook('ingress')} iifname @fromMember drop; }`,
      `chain egress { ${hook('egress')} oifname @toMember drop; }`,
      '}',
    ]);
    return cables;
  }

  async pull(member: Namespace, names: readonly string[], state: 'up' | 'down'): Promise<void> {
    await this.place.ip(this.portsOf(member, names).map((port) => `link set ${port} ${state}`));
  }

  silence(members: Namespace | readonly Namespace[], names = CABLES, directions = BOTH_WAYS): Promise<void> {
    return this.change('add', this.portsOfAll(members, names), directions);
  }

  /** Ends what was silenced that way. */
  unsilence(members: Namespace | readonly Namespace[], names = CABLES, directions = BOTH_WAYS): Promise<void> {
    return this.change('delete', this.portsOfAll(members, names), directions);
  }

  portsOf(member: Namespace, names: readonly string[]): string[] {
    return names.map((name) => this.ports.get(member)?.get(name) ?? '');
  }

  private portsOfAll(members: Namespace | readonly Namespace[], names: readonly string[]): string[] {
    return [members].flat().flatMap((member) => this.portsOf(member, names));
  }

  private change(verb: 'add' | 'delete', ports: readonly string[], directions: readonly Direction[]): Promise<void> {
    return this.nft(directions.map((set) => `${verb} element ${this.table} ${set} { ${ports.join(', ')} }`));
  }

  private async nft(lines: readonly string[]): Promise<void> {
    await this.place.exec(['nft', '-f', '-'], { stdin: `${lines.join('\n')}\n` });
  }
}

async function linksOf(namespace: Namespace): Promise<Link[]> {
  return JSON.parse((await namespace.exec(['ip', '-j', 'link'])).stdout) as Link[];
}

const portsAt = (there: readonly Link[], own: readonly Link[]): ReadonlyMap<string, string> =>
  new Map(
    own
      .filter(({ ifname }) => CABLES.includes(ifname))
      .map(({ ifname, link_index: other }) => [ifname, there.find(({ ifindex }) => ifindex === other)?.ifname ?? '']),
  );

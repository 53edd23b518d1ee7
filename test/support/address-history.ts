import { internet, vpc } from './addresses.js';
import { Capture, type Packet } from './capture.js';
import type { PairLab } from './pair-lab.js';

// Who held which address when, as seen on the wires outside and in the VPC: from each frame that a member's links sent.
// Members with virtual MAC addresses look alike there, so of them nothing can be told.

export interface Span {
  readonly address: string;
  readonly member: string;
  readonly fromMs: number;
  toMs: number;
}

/** Who says nothing for so long may have fallen silent. */
const PAUSE_MS = 50;

export class AddressHistory {
  private constructor(
    private readonly captures: readonly Capture[],
    private readonly members: ReadonlyMap<string, string>,
  ) {}

  /** `watcher` is a VM to which the members' frames come. */
  static async start({ members, topology, tenant }: PairLab, watcher = 'web'): Promise<AddressHistory> {
    const links = await Promise.all(
      members.map(async ({ name, namespace }) => {
        const { stdout } = await namespace.exec(['ip', '-j', 'link', 'show']);
        const found = JSON.parse(stdout) as { ifname: string; address: string }[];
        return found.filter(({ ifname }) => ROLE_LINKS.includes(ifname)).map(({ address }) => [address, name] as const);
      }),
    );
    const macs = new Map(links.flat());
    // Of what is sent in great numbers it needs none.
    const from = [...macs.keys()].map((mac) => `ether src ${mac}`).join(' or ');
    const filter = `( ${from} ) and ( arp or ( udp and not dst port ${DISCARD} ) )`;
    const vm = tenant.vm(watcher).namespace;
    const captures = await Promise.all([
      Capture.start(topology.inet.namespace, { interface: 'ext', filter, amidTraffic: true }),
      Capture.start(vm, { interface: 'eth0', filter, amidTraffic: true }),
    ]);
    return new AddressHistory(captures, macs);
  }

  async stop(): Promise<Span[]> {
    const [outside = [], inside = []] = await Promise.all(this.captures.map((capture) => capture.stop()));
    // Into the VPC everybody's packets come; what a member holds there is the next hop.
    return [...this.#spans(outside, ({ src }) => src), ...this.#spans(inside, () => vpc.nextHops[0] ?? '')];
  }

  #spans(packets: readonly Packet[], addressOf: (packet: Packet) => string): Span[] {
    const spans: Span[] = [];
    const last = new Map<string, Span>();
    for (const packet of packets) {
      const address = addressOf(packet);
      const member = this.members.get(packet.sourceMac) ?? '';
      if (!isHeld(address)) continue;
      const key = `${address} ${member}`;
      const span = last.get(key);
      if (span && packet.at - span.toMs < PAUSE_MS) span.toMs = packet.at;
      else {
        const begun = { address, member, fromMs: packet.at, toMs: packet.at };
        last.set(key, begun);
        spans.push(begun);
      }
    }
    return spans;
  }
}

const DISCARD = 9;
const ROLE_LINKS = ['vg-ext0', 'vg-vpc0'];
/** Links have addresses of their own too, by which they solicit. */
const isHeld = (address: string): boolean =>
  address !== '' &&
  address !== '0.0.0.0' &&
  !address.startsWith('fe80:') &&
  address !== '::' &&
  !internet.hostAddresses.includes(address);

/** For how long two members both held one address, the longest of all addresses, ms. */
export function overlapMs(spans: readonly Span[]): number {
  const addresses = new Set(spans.map(({ address }) => address));
  return Math.max(0, ...[...addresses].map((address) => overlapOf(spans.filter((span) => span.address === address))));
}

function overlapOf(spans: readonly Span[]): number {
  let sum = 0;
  for (const [index, one] of spans.entries())
    for (const other of spans.slice(index + 1))
      if (one.member !== other.member)
        sum += Math.max(0, Math.min(one.toMs, other.toMs) - Math.max(one.fromMs, other.fromMs));
  return sum;
}

/** A line for each address: who held it, and when, from the first moment on. */
export function told(spans: readonly Span[]): string {
  const first = Math.min(...spans.map(({ fromMs }) => fromMs));
  const lines = [...new Set(spans.map(({ address }) => address))].map((address) => {
    const held = spans.filter((span) => span.address === address).sort((a, b) => a.fromMs - b.fromMs);
    const parts = held.map(
      ({ member, fromMs, toMs }) => `${member} ${Math.round(fromMs - first)}-${Math.round(toMs - first)}`,
    );
    return `${address}: ${parts.join(', ')}`;
  });
  return lines.join('\n');
}

/**
 * Listeners that lead to an end (a member's address and port) which another listener leads to already. IPVS tells answers
 * apart by client and end alone: a client that uses one port of its own towards both would get one's answers for the
 * other's. Rules translate the client's port then. Pure.
 */
import type { Listener, LoadBalancer, Member } from './balancer.js';
import type { PortRange } from './gateway-model.js';
import { remember } from './remember.js';

class Ends {
  readonly #ports = new Set<string>();
  readonly #ranges = new Map<string, PortRange[]>();

  has(where: string, { first, last }: PortRange): boolean {
    const ranges = this.#ranges.get(where) ?? [];
    if (ranges.some((range) => range.first <= last && range.last >= first)) return true;
    for (let port = first; port <= last; port++) if (this.#ports.has(`${where} ${port}`)) return true;
    return false;
  }

  add(where: string, ports: PortRange): void {
    if (ports.last === ports.first) this.#ports.add(`${where} ${ports.first}`);
    else this.#ranges.set(where, [...(this.#ranges.get(where) ?? []), ports]);
  }
}

/** The first listener of an end, in the order of names, keeps it to itself. */
export const sharingEnds = remember((balancers: readonly LoadBalancer[]): ReadonlySet<Listener> => {
  const taken = new Ends();
  const sharing = new Set<Listener>();
  for (const { listeners } of [...balancers].sort((a, b) => (a.name < b.name ? -1 : 1)))
    for (const listener of listeners) {
      const ends = endsOf(listener);
      if (ends.some(([where, ports]) => taken.has(where, ports))) sharing.add(listener);
      else for (const [where, ports] of ends) taken.add(where, ports);
    }
  return sharing;
});

const endsOf = remember((listener: Listener) => listener.pool.members.map((member) => endOf(listener, member)));

const endOf = ({ protocol, ports }: Listener, { address, port }: Member): [where: string, ports: PortRange] => [
  `${address.text} ${protocol}`,
  port === undefined ? ports : { first: port, last: port },
];

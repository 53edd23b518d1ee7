/**
 * Listeners that lead to an end (a member's address and port) which another listener leads to already. IPVS tells answers
 * apart by client and end alone: a client that uses one port of its own towards both would get one's answers for the
 * other's. Rules translate the client's port then. Pure.
 */
import type { Listener, LoadBalancer, Member } from './balancer.js';
import type { PortRange } from './gateway-model.js';
import { remember } from './remember.js';

interface End extends PortRange {
  /** Address and protocol. */
  readonly where: string;
  /** With its first port. */
  readonly name: string;
}

class Ends {
  readonly #single = new Set<string>();
  readonly #ranges = new Map<string, PortRange[]>();

  has({ where, name, first, last }: End): boolean {
    if (this.#ranges.get(where)?.some((range) => range.first <= last && range.last >= first)) return true;
    if (first === last) return this.#single.has(name);
    for (let port = first; port <= last; port++) if (this.#single.has(`${where} ${port}`)) return true;
    return false;
  }

  add(end: End): void {
    if (end.last === end.first) this.#single.add(end.name);
    else this.#ranges.set(end.where, [...(this.#ranges.get(end.where) ?? []), end]);
  }
}

/** The first listener of an end, in the order of names, keeps it to itself. */
export const sharingEnds = remember((balancers: readonly LoadBalancer[]): ReadonlySet<Listener> => {
  const taken = new Ends();
  const sharing = new Set<Listener>();
  for (const { listeners } of [...balancers].sort((a, b) => (a.name < b.name ? -1 : 1)))
    for (const listener of listeners) {
      const ends = endsOf(listener);
      if (ends.some((end) => taken.has(end))) sharing.add(listener);
      else for (const end of ends) taken.add(end);
    }
  return sharing;
});

const endsOf = remember((listener: Listener) => listener.pool.members.map((member) => endOf(listener, member)));

function endOf({ protocol, ports }: Listener, { address, port }: Member): End {
  const { first, last } = port === undefined ? ports : { first: port, last: port };
  const where = `${address.text} ${protocol}`;
  return { where, name: `${where} ${first}`, first, last };
}

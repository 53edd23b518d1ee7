/** Who of a load balancer's members serves, by its checks and by a knock at the door. Pure. */
import { addressesOf, type Member, memberId, type Placed, type Pool, servingOf } from '../../../model/balancer.js';
import type { IpAddress } from '../../../model/ip.js';
import { type About, ASKED_AT_MOST, type Check, check, fault, known, pass, skipped, some } from '../check.js';
import type { Knock } from '../eyes.js';
import { listenersAsked } from './asked.js';

const servingAt = ({ balancer, listener: { pool } }: Placed, { standing }: About): Member[] => {
  const families = new Set(addressesOf(balancer).map(({ family }) => family));
  return [...families].flatMap((family) => servingOf(pool, family, standing.pressure.down));
};

const nameOf = ({ address, port }: Member): string => `${address.text}${port === undefined ? '' : ` port ${port}`}`;

export const serving: Check = known('Serving', ['Programmed'], (about) => {
  const { down } = about.standing.pressure;
  const pools = new Map<Pool, Member[]>(
    listenersAsked(about).map((placed) => [placed.listener.pool, servingAt(placed, about)]),
  );
  const isDown = (pool: Pool, member: Member): boolean => down.has(memberId(pool, member));
  const reasons = [...pools.keys()].flatMap((pool) =>
    pool.members
      .filter((member) => isDown(pool, member))
      .map((member) => `${nameOf(member)} of ${pool.name}: ${down.get(memberId(pool, member))}`),
  );
  const named = (of: readonly [Pool, Member[]][]): string[] => of.map(([{ name }]) => `pool ${name}`);
  const empty = [...pools].filter(([, members]) => members.length === 0);
  if (empty.length > 0) return fault('NobodyServes', some([...named(empty), ...reasons]));
  const open = [...pools].filter(([pool, members]) => members.some((member) => isDown(pool, member)));
  if (open.length > 0) return fault('FailsOpen', some([...named(open), ...reasons]));
  if (reasons.length > 0) return fault('MembersDown', some(reasons));
  return pass(...some([...pools].map(([{ name }, { length }]) => `pool ${name}: ${length} serve`)));
});

interface Knocked {
  readonly where: string;
  readonly answer: Knock;
}

export const members: Check = check<readonly Knocked[]>({
  name: 'Members',
  after: ['Links', 'Programmed', 'Active', 'Serving'],
  look: (eyes, about) =>
    Promise.all(
      doorsOf(about).map(async ([where, { address, port, own }]) => ({
        where,
        answer: own ? await eyes.knock(address, port, own) : 'Silent',
      })),
    ),
  judge(_about, seen) {
    if (seen.length === 0) return skipped('only TCP can be asked whether somebody listens');
    const closed = seen.filter(({ answer }) => answer !== 'Open');
    if (closed.length === 0) return pass(...some(seen.map(({ where }) => `${where} accepts connections`)));
    return fault(
      'MembersClosed',
      some(
        closed.map(
          ({ where, answer }) => `${where} ${answer === 'Refused' ? 'refuses a connection' : 'answers nothing'}`,
        ),
      ),
    );
  },
});

interface Door {
  readonly address: IpAddress;
  readonly port: number;
  /** The gateway's own address in that family. */
  readonly own: IpAddress | undefined;
}

/** Of a range the port that was asked for, or its first. */
function doorsOf(about: About): (readonly [where: string, Door])[] {
  const { model, question } = about;
  const doors = new Map<string, Door>();
  for (const placed of listenersAsked(about).filter(({ listener }) => listener.protocol === 'TCP'))
    for (const { address, port: given } of servingAt(placed, about)) {
      const port = given ?? question.port?.number ?? placed.listener.ports.first;
      const own = model.internal.addresses.find((each) => each.address.family === address.family)?.address;
      doors.set(`${address.family === 6 ? `[${address.text}]` : address.text}:${port}`, { address, port, own });
    }
  return [...doors].slice(0, ASKED_AT_MOST);
}

/** What the VPC says: whether the VM is there, listens, and answers by this gateway. Pure. */
import type { IpAddress } from '../../../model/ip.js';
import { contains } from '../../../model/ip.js';
import { MARK, roleLink } from '../../../model/ownership.js';
import { type About, ASKED_AT_MOST, type Check, check, fault, pass, skipped, some } from '../check.js';
import type { Eyes, Knock } from '../eyes.js';
import { entriesAsked } from './asked.js';

interface Spot {
  readonly target: IpAddress;
  /** The gateway's own address in that family. */
  readonly own: IpAddress | undefined;
  /** Who is asked on the VPC's network: the target, or the router that it is behind. */
  readonly neighbour: IpAddress;
}

function spotOf({ model }: About, target: IpAddress): Spot {
  const { internal } = model;
  const own = internal.addresses.find(({ address }) => address.family === target.family)?.address;
  const direct = internal.addresses.some(({ network }) => contains(network, target));
  const [via] = internal.routed
    .filter(({ cidr }) => contains(cidr, target))
    .sort((a, b) => b.cidr.length - a.cidr.length);
  return { target, own, neighbour: direct || !via ? target : via.via };
}

const targetsOf = (about: About): IpAddress[] =>
  [...new Map(entriesAsked(about).map(({ target }) => [target.text, target])).values()].slice(0, ASKED_AT_MOST);

interface Found {
  readonly spot: Spot;
  readonly mac: string | undefined;
}

export const target: Check = check<readonly Found[]>({
  name: 'Target',
  after: ['Links', 'Programmed', 'Active', 'Led'],
  look: (eyes, about) =>
    Promise.all(
      targetsOf(about).map(async (address) => {
        const spot = spotOf(about, address);
        const { own, neighbour } = spot;
        const link = roleLink(about.model.internal.interface);
        return { spot, mac: own && (await eyes.neighbour(link, neighbour, own)) };
      }),
    ),
  judge(_about, seen) {
    if (seen.length === 0) return skipped('nothing is led to a VM');
    const silent = seen.filter(({ mac }) => mac === undefined);
    const [first] = silent;
    if (!first) return pass(...some(seen.map(({ spot, mac }) => `${spot.neighbour.text} is ${mac}`)));
    const behind = first.spot.neighbour !== first.spot.target;
    return fault(
      behind ? 'RouterSilent' : 'TargetSilent',
      some(
        silent.map(({ spot: { target: vm, neighbour } }) =>
          neighbour === vm ? `${vm.text} does not answer` : `${neighbour.text}, the way to ${vm.text}, does not answer`,
        ),
      ),
    );
  },
});

interface Knocked {
  readonly where: string;
  readonly answer: Knock;
}

const FAULT_OF = { Refused: 'PortClosed', Silent: 'ServiceSilent' } as const;

export const service: Check = check<readonly Knocked[]>({
  name: 'Service',
  after: ['Links', 'Programmed', 'Active', 'Led', 'Target'],
  look: (eyes, about) => Promise.all(doorsOf(about).map((door) => knockAt(eyes, about, door))),
  judge(about, seen) {
    if (seen.length === 0)
      return skipped(
        about.question.port
          ? 'only TCP can be asked whether somebody listens'
          : 'no single TCP port is known; --port 80/tcp asks at one',
      );
    const closed = seen.find(({ answer }) => answer !== 'Open');
    if (!closed || closed.answer === 'Open')
      return pass(...some(seen.map(({ where }) => `${where} accepts connections`)));
    const words = closed.answer === 'Refused' ? 'refuses a connection' : 'answers nothing';
    return fault(FAULT_OF[closed.answer], [`${closed.where} ${words}`]);
  },
});

interface Door {
  readonly target: IpAddress;
  readonly port: number;
}

/** What was asked for, or the ports of rules that have one. */
function doorsOf(about: About): Door[] {
  const { judge, question } = about;
  const doors = entriesAsked(about).flatMap(({ elasticIp, rule, target: vm }): Door[] => {
    const single = rule?.protocol === 'TCP' && rule.ports?.first === rule.ports?.last ? rule.ports?.first : undefined;
    const port = question.port?.protocol === 'tcp' ? question.port.number : question.port ? undefined : single;
    if (port === undefined) return [];
    return [{ target: vm, port: judge.destinationOf(elasticIp.address.text, 'tcp', port)?.port ?? port }];
  });
  return doors.slice(0, ASKED_AT_MOST);
}

async function knockAt(eyes: Eyes, about: About, { target: vm, port }: Door): Promise<Knocked> {
  const { own } = spotOf(about, vm);
  const where = `${vm.family === 6 ? `[${vm.text}]` : vm.text}:${port}`;
  return { where, answer: own ? await eyes.knock(vm, port, own) : 'Silent' };
}

interface Returned {
  readonly spot: Spot;
  readonly outside: IpAddress | undefined;
  readonly toInside: boolean;
  readonly toOutside: boolean;
  /** Connections from outside that stand. */
  readonly answered: number;
  readonly unanswered: number;
}

/** A VM is asked with a source on its own network and with one beyond it: only its route back differs. */
export const replies: Check = check<readonly Returned[]>({
  name: 'Replies',
  after: ['Links', 'Programmed', 'Kernel', 'Led', 'Ingress', 'Target', 'Service', 'Conflict', 'NextHop', 'Upstream'],
  look: (eyes, about) => Promise.all(targetsOf(about).map((address) => lookBack(eyes, about, address))),
  judge(_about, seen) {
    if (seen.length === 0) return skipped('nothing is led to a VM');
    const elsewhere = seen.filter(({ toInside, toOutside, answered }) => toInside && !toOutside && answered === 0);
    if (elsewhere.length > 0)
      return fault(
        'AnswersElsewhere',
        some(
          elsewhere.map(
            ({ spot: { target: vm, own }, outside, unanswered }) =>
              `${vm.text} answers ${own?.text} and not ${outside?.text}${unanswered > 0 ? `; connections from outside that stand unanswered: ${unanswered}` : ''}`,
          ),
        ),
        `make ${elsewhere[0]?.spot.own?.text} the default route of the VM`,
      );
    const back = seen.filter(({ toOutside, answered }) => toOutside || answered > 0);
    if (back.length === 0) return skipped('no VM answers a ping, and no connection from outside stands');
    return pass(
      ...some(
        back.map(({ spot, answered }) =>
          answered > 0
            ? `connections to ${spot.target.text} that are answered: ${answered}`
            : `${spot.target.text} answers a ping from outside`,
        ),
      ),
    );
  },
});

async function lookBack(eyes: Eyes, about: About, vm: IpAddress): Promise<Returned> {
  const spot = spotOf(about, vm);
  const outside = outsideOf(about, vm);
  const ask = (from: IpAddress | undefined): Promise<boolean> =>
    from ? eyes.echo({ to: vm, from, mark: MARK.gateway }) : Promise.resolve(false);
  const [toInside, toOutside, flows] = await Promise.all([ask(spot.own), ask(outside), eyes.flows()]);
  const addresses = new Set(about.subject.elasticIps.map(({ address }) => address.text));
  const own = flows.filter(({ original, reply }) => addresses.has(original.destination) && reply.source === vm.text);
  const answered = own.filter(({ unanswered }) => unanswered !== true).length;
  return { spot, outside, toInside, toOutside, answered, unanswered: own.length - answered };
}

/** The gateway's own address on the external network: the VM has it no nearer than by its default route. */
const outsideOf = ({ model, subject }: About, { family }: IpAddress): IpAddress | undefined => {
  const [eip] = subject.elasticIps;
  const external = model.externals.find(({ name }) => name === eip?.external);
  return external?.addresses.find(({ address }) => address.family === family)?.address;
};

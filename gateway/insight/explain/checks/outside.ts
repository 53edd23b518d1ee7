/** What the external network says: who has the address, whether the next hop is there, and finds the address here. Pure. */
import type { ElasticIp, ExternalNetwork } from '../../../model/gateway-model.js';
import type { IpAddress } from '../../../model/ip.js';
import { roleLink } from '../../../model/ownership.js';
import { type About, ASKED_AT_MOST, type Check, check, fault, pass, skipped, some } from '../check.js';
import type { Eyes } from '../eyes.js';

/** An elastic IP, the network it is on, and the gateway's place there. */
interface Place {
  readonly eip: ElasticIp;
  readonly link: string;
  readonly own: IpAddress | undefined;
  readonly nextHop: IpAddress | undefined;
}

function placesOf({ subject, model }: About): Place[] {
  const externals = new Map(model.externals.map((external) => [external.name, external]));
  return subject.elasticIps.slice(0, ASKED_AT_MOST).flatMap((eip) => {
    const external = externals.get(eip.external);
    return external ? [placeOn(external, eip)] : [];
  });
}

function placeOn(external: ExternalNetwork, eip: ElasticIp): Place {
  const { family } = eip.address;
  return {
    eip,
    link: roleLink(external.interface),
    own: external.addresses.find(({ address }) => address.family === family)?.address,
    nextHop: external.gateways.find((address) => address.family === family),
  };
}

type Answered = readonly { readonly place: Place; readonly mac: string | undefined }[];

const askEach = (places: readonly Place[], ask: (place: Place) => Promise<string | undefined>): Promise<Answered> =>
  Promise.all(places.map(async (place) => ({ place, mac: await ask(place) })));

export const conflict: Check = check<Answered>({
  name: 'Conflict',
  after: ['Links', 'Active'],
  look: (eyes, about) =>
    askEach(
      placesOf(about).filter(({ eip }) => eip.announced),
      ({ link, eip }) => eyes.duplicate(link, eip.address),
    ),
  judge(_about, seen) {
    if (seen.length === 0) return skipped('nobody asks for it on the external network');
    const taken = seen.flatMap(({ place, mac }) =>
      mac === undefined ? [] : [`${mac} answers for ${place.eip.address.text} on ${place.link}`],
    );
    return taken.length > 0 ? fault('AddressConflict', taken) : pass('nobody else answers');
  },
});

export const nextHop: Check = check<Answered>({
  name: 'NextHop',
  after: ['Links', 'Active'],
  look: (eyes, about) =>
    askEach(distinct(placesOf(about)), ({ link, own, nextHop: hop }) =>
      own && hop ? eyes.neighbour(link, hop, own) : Promise.resolve(undefined),
    ),
  judge(_about, seen) {
    const there = seen.filter(({ place }) => place.own && place.nextHop);
    if (there.length === 0) return skipped('the external network has no next hop of this family');
    const name = ({ place }: Answered[number]): string => `${place.nextHop?.text} on ${place.link}`;
    const silent = there.filter(({ mac }) => mac === undefined);
    if (silent.length > 0)
      return fault(
        'NextHopSilent',
        silent.map((hop) => `${name(hop)} does not answer`),
      );
    return pass(...there.map((hop) => `${name(hop)} is ${hop.mac}`));
  },
});

/** One of each next hop. */
const distinct = (places: readonly Place[]): Place[] => [
  ...new Map(places.map((place) => [`${place.link} ${place.nextHop?.text}`, place])).values(),
];

interface Heard {
  readonly place: Place;
  readonly own: boolean;
  readonly elastic: boolean;
}

/** The next hop is asked with the gateway's own source, and with the elastic IP's: only the source differs. */
export const upstream: Check = check<readonly Heard[]>({
  name: 'Upstream',
  after: ['Links', 'Programmed', 'Active', 'Announced', 'Kernel', 'Conflict', 'NextHop'],
  look: (eyes, about) => Promise.all(placesOf(about).map((place) => hear(eyes, about, place))),
  judge(_about, seen) {
    const unfound = seen.filter(({ own, elastic }) => own && !elastic);
    const [first] = unfound;
    if (first)
      return fault(
        first.place.eip.announced ? 'NotFoundUpstream' : 'NotRoutedHere',
        some(
          unfound.map(
            ({ place: { eip, own, nextHop: hop } }) =>
              `${hop?.text} answers a ping from ${own?.text}, and none from ${eip.address.text}`,
          ),
        ),
        routeFor(first.place),
      );
    const found = seen.filter(({ elastic }) => elastic);
    if (found.length === 0) return skipped('the next hop answers no ping');
    return pass(
      ...some(found.map(({ place }) => `a ping from ${place.eip.address.text} is answered by ${place.nextHop?.text}`)),
    );
  },
});

const routeFor = ({ eip, own }: Place): string | undefined =>
  eip.announced || !own ? undefined : `give the router a route for ${eip.address.text} by way of ${own.text}`;

async function hear(eyes: Eyes, { markOf }: About, place: Place): Promise<Heard> {
  const { eip, own, nextHop: to } = place;
  if (!own || !to) return { place, own: false, elastic: false };
  const mark = markOf(eip.external);
  const [ofOwn, elastic] = await Promise.all([
    eyes.echo({ to, from: own, mark }),
    eyes.echo({ to, from: eip.address, mark }),
  ]);
  return { place, own: ofOwn, elastic };
}

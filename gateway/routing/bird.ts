/**
 * BIRD's configuration: the sessions of dedicated lines. Pure. What holds of the routes that BIRD puts into the VPC's table,
 * which carry its own protocol number and so are nobody else's to mend:
 * 1. Only what a line's document accepts is taken, which is never the VPC's or an external network's. A default route that
 *    it accepts stands there too, where those alone look who have no way out of their own.
 * 2. Each has the metric of its line, so that it stands beside those of static lines and of tunnels.
 * 3. Only what a line's document advertises is told.
 */
import { linkOfLine } from '../features/sites.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { fnv1a64 } from '../model/hash.js';
import { bitsOf, type Cidr, type Family } from '../model/ip.js';
import { type BgpTerms, type DedicatedLine, peerOf } from '../model/line.js';
import { TABLE_VPC } from '../model/ownership.js';

/** A line that learns its networks, and can. */
export interface LearningLine {
  readonly line: DedicatedLine;
  readonly bgp: BgpTerms;
  readonly number: number;
  /** Where one is asked for. */
  readonly password: string | undefined;
}

/** Of a line's session. */
export const sessionName = (number: number, family: Family): string => `line${number}_${family}`;

export function birdConfig(model: Pick<GatewayModel, 'internal'>, lines: readonly LearningLine[]): string {
  const families = ([4, 6] as const).filter((family) => lines.some(({ line }) => peerOf(line, family)));
  return [
    'log stderr all;',
    // BIRD wants one, and a session whose number changes begins anew: each has that of its own line.
    'router id 10.0.0.1;',
    // Other ends without graceful restart notice within a keepalive's time that theirs is gone. For sessions that are not
    // back by then nothing waits: a line may be lost for good.
    `graceful restart wait ${2 * KEEPALIVE_S};`,
    'protocol device { scan time 10; }',
    ...bfdProtocol(lines),
    ...families.flatMap((family) => tableOf(family, model, lines)),
    ...lines.flatMap((each) => families.flatMap((family) => sessionOf(each, family))),
    '',
  ].join('\n');
}

/** A number that only has to be the gateway's own among its neighbours. */
function routerId({ addresses: own }: DedicatedLine): string {
  const four = own.find(({ address }) => address.family === 4);
  if (four) return four.address.text;
  // Of the whole address: its end is often the same as the other side's.
  const low = parseInt(fnv1a64(own[0]?.address.text ?? '').slice(-6), 16);
  return [10, low >> 16, (low >> 8) & 0xff, low & 0xff].join('.');
}

function bfdProtocol(lines: readonly LearningLine[]): string[] {
  const interfaces = lines.flatMap(({ line, bgp: { bfd } }) =>
    bfd ? [`  interface "${linkOfLine(line)}" { interval ${bfd.intervalMs} ms; multiplier ${bfd.multiplier}; };`] : [],
  );
  return interfaces.length > 0 ? ['protocol bfd {', ...interfaces, '}'] : [];
}

/** What is told, and where what is learnt goes. */
function tableOf(
  family: Family,
  { internal }: Pick<GatewayModel, 'internal'>,
  lines: readonly LearningLine[],
): string[] {
  const told = new Set(lines.flatMap(({ bgp }) => ofFamily(bgp.advertise, family).map(({ text }) => text)));
  const own = internal.addresses.find(({ address }) => address.family === family)?.address.text;
  return [
    `protocol static told${family} {`,
    `  ipv${family};`,
    ...[...told].map((network) => `  route ${network} unreachable;`),
    '}',
    `protocol kernel kernel${family} {`,
    `  kernel table ${TABLE_VPC};`,
    // Said for each route by its session.
    '  metric 0;',
    '  merge paths on;',
    '  graceful restart;',
    '  scan time 10;',
    `  ipv${family} { import none; export filter {`,
    '    if source != RTS_BGP then reject;',
    ...(own === undefined ? [] : [`    krt_prefsrc = ${own};`]),
    '    accept;',
    '  }; };',
    '}',
  ];
}

/** As a network. */
export const everything = (family: Family): string => (family === 4 ? '0.0.0.0/0' : '::/0');

const MOST_PREFERRED = 1_000;
/** By which a session without BFD is known to be lost after three, and one that the other end has forgotten after one. */
const KEEPALIVE_S = 10;

function sessionOf({ line, bgp, number, password }: LearningLine, family: Family): string[] {
  const peer = peerOf(line, family);
  const own = line.addresses.find(({ address }) => address.family === family)?.address;
  if (!peer || !own) return [];
  const name = sessionName(number, family);
  const priority = line.site.metric;
  const accepted = bgp.accept
    .filter(({ cidr }) => cidr.family === family)
    .map(({ cidr, upTo }) => `${cidr.text}{${cidr.length},${Math.min(upTo, bitsOf(family))}}`)
    .concat(line.site.elsewhere.includes(family) ? [`${everything(family)}{0,0}`] : []);
  const told = ofFamily(bgp.advertise, family).map(({ text }) => text);
  return [
    `filter takes_${name} {`,
    ...(accepted.length > 0
      ? [
          `  if net ~ [ ${accepted.join(', ')} ] then {`,
          `    bgp_local_pref = ${MOST_PREFERRED - priority};`,
          `    krt_metric = ${priority};`,
          '    accept;',
          '  }',
        ]
      : []),
    '  reject;',
    '}',
    `filter tells_${name} {`,
    ...(told.length > 0
      ? [
          `  if source = RTS_STATIC && net ~ [ ${told.join(', ')} ] then {`,
          ...bgp.communities.map((community) => `    bgp_community.add((${community.replace(':', ',')}));`),
          ...(bgp.med === undefined ? [] : [`    bgp_med = ${bgp.med};`]),
          '    accept;',
          '  }',
        ]
      : []),
    '  reject;',
    '}',
    `protocol bgp ${name} {`,
    `  router id ${routerId(line)};`,
    `  local ${own.text} as ${bgp.localAsn};`,
    `  neighbor ${peer.text} as ${bgp.peerAsn};`,
    `  interface "${linkOfLine(line)}";`,
    '  direct;',
    `  bfd ${bgp.bfd ? 'on' : 'off'};`,
    `  graceful restart ${bgp.gracefulRestart ? 'on' : 'off'};`,
    `  hold time ${3 * KEEPALIVE_S}; keepalive time ${KEEPALIVE_S};`,
    '  connect delay time 1;',
    '  connect retry time 5;',
    '  error wait time 1, 10;',
    ...(password === undefined ? [] : [`  password "${password}";`]),
    `  ipv${family} {`,
    `    import filter takes_${name};`,
    `    export filter tells_${name};`,
    // So that what is passed over counts too.
    '    import keep filtered on;',
    `    receive limit ${bgp.maxPrefixes} action restart;`,
    '    next hop self;',
    '  };',
    '}',
  ];
}

const ofFamily = (cidrs: readonly Cidr[], family: Family): Cidr[] => cidrs.filter((cidr) => cidr.family === family);

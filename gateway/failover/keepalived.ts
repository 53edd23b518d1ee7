/**
 * keepalived's configuration: an election and nothing else. It holds no address that anybody uses; the fence opens by its
 * adverts, and what it starts at a change of role is one program with one prepared file. Pure.
 */
import type { GatewayModel } from '../model/gateway-model.js';
import { isPair, type Member, type MemberPath, sidesWithMac, unheardAdverts } from '../model/high-availability.js';
import { announcerAddress, roleAddress, roleLink, witness } from '../model/ownership.js';

/** Where the parts of a pair's member stand, absolute. */
export interface PairFiles {
  readonly announcement: string;
  readonly closing: string;
  /** A pipe that keepalived writes each change of role to. */
  readonly notices: string;
  /** 0: this member may be active. */
  readonly standingDown: string;
}

/** Near the top, where VRRP's skew is least; who has which is settled by the addresses. */
const PRIORITIES = { higher: 254, lower: 253 } as const;
const GROUP = 'pair';
const NEXT_DOOR = 255;

/** `startsPrograms`: not where it may not, since it would complain of each. */
export function keepalivedConfig(
  model: GatewayModel,
  member: Member,
  files: PairFiles,
  startsPrograms = true,
  /** Numbers of the kernel's of links that we made for it. */
  madeLinks: readonly number[] = [],
): string {
  if (!isPair(model)) return '';
  const notified = startsPrograms ? notifications(files) : [];
  const parents = [model.internal, ...model.externals].map((side) => side.interface);
  const several = member.paths.length > 1;
  return [
    // One that was made anew has another, and keepalived listens there only after a reload.
    ...madeLinks.map((number) => `# link ${number}`),
    ...block('global_defs', [
      `router_id ${model.name}-${member.name}`,
      // Before the pipe: else at a reload it looks for another user, finds none, and does without pipe and programs.
      'script_user root',
      'enable_script_security',
      `vrrp_notify_fifo ${files.notices}`,
      'vrrp_version 3',
    ]),
    ...block('track_file standing_down', [`file ${files.standingDown}`, 'weight 0']),
    ...(several
      ? block(`vrrp_sync_group ${GROUP}`, [
          ...block(
            'group',
            member.paths.map((_, index) => instanceName(index)),
          ),
          ...notified,
        ])
      : []),
    ...member.paths.flatMap((path, index) =>
      block(`vrrp_instance ${instanceName(index)}`, [
        ...election(path, index, model, member),
        ...block('track_interface', parents),
        ...block('track_file', ['standing_down']),
        ...(several ? [] : notified),
      ]),
    ),
    '',
  ].join('\n');
}

/** By what the other member and the fences of both know an advert, and where it goes, of a configuration. */
export const advertsOf = (config: string): string =>
  config
    .split('\n')
    .filter((line) => /^\s*(# link|virtual_router_id|advert_int|down_timer_adverts) /.test(line))
    .join('\n');

const instanceName = (index: number): string => (index === 0 ? 'members' : `path_${index + 1}`);

/** Of which of its notices keepalived's lines count: those of the group, where there is one. */
export const noticeOf = ({ paths }: Member): string => (paths.length > 1 ? `GROUP "${GROUP}"` : 'INSTANCE "members"');

function election(path: MemberPath, index: number, model: GatewayModel, { paths }: Member): string[] {
  const { highAvailability } = model;
  const [first] = paths;
  const priority = first.address.value > first.peer.value ? PRIORITIES.higher : PRIORITIES.lower;
  return [
    'state BACKUP',
    'nopreempt',
    // Of two the one that gives way is heard first: else the other does not know that it was not alone, and announces nothing.
    'higher_prio_send_advert true',
    `interface ${path.interface}`,
    // A path that is down says nothing about who of the two is at fault. A link of WireGuard is up for as long as it is there.
    ...(path.under ? [] : ['dont_track_primary']),
    `virtual_router_id ${highAvailability.virtualRouterId}`,
    `priority ${priority}`,
    `advert_int ${highAvailability.advertIntervalMs / 1000}`,
    ...(highAvailability.vote ? [`down_timer_adverts ${unheardAdverts(highAvailability)}`] : []),
    `unicast_src_ip ${path.address.text}`,
    // From next door, and so that it shows: of its own it sends IPv6 with the host's usual limit.
    `unicast_ttl ${NEXT_DOOR}`,
    // First who renews the lease, without which the fence lets nothing go to the other.
    ...block('unicast_peer', [witness(path.peer.family), path.peer.text]),
    ...block('virtual_ipaddress', [
      `${roleAddress(path.address.family, index)} dev lo${path.address.family === 4 ? ' scope host' : ''}`,
    ]),
    ...(index === 0 ? announcers(model) : []),
  ];
}

/**
 * The place of a virtual MAC address is told by keepalived itself at a takeover, sooner than a program could be started:
 * the network learns it from any frame.
 */
function announcers(model: GatewayModel): string[] {
  const virtual = sidesWithMac(model).filter(({ macMode }) => macMode === 'Virtual');
  if (virtual.length === 0) return [];
  return block(
    'virtual_ipaddress_excluded',
    virtual.map(({ parent }, index) => `${announcerAddress(index)} dev ${roleLink(parent)} scope host`),
  );
}

function notifications({ announcement, closing }: PairFiles): string[] {
  const announce = `"/usr/sbin/ip -batch ${announcement}"`;
  const close = `"/usr/sbin/nft -f ${closing}"`;
  return [`notify_master ${announce}`, `notify_backup ${close}`, `notify_fault ${close}`, `notify_stop ${close}`];
}

const block = (name: string, lines: readonly string[]): string[] => [
  `${name} {`,
  ...lines.map((line) => `  ${line}`),
  '}',
];

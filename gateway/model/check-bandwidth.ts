/** What must hold between limits of bandwidth. A promise that cannot be kept is refused; a ceiling above another is told. */
import { type BandwidthPackage, type Direction, DIRECTIONS, formatRate, promisedBy } from './bandwidth.js';
import type { Complaints } from './complaints.js';
import type { GatewayModel } from './gateway-model.js';

export function checkBandwidth(model: GatewayModel, complaints: Complaints): void {
  checkMembers(model.packages, complaints);
  for (const pack of model.packages)
    for (const direction of DIRECTIONS) checkPackage(pack, direction, model, complaints);
  for (const { name } of model.externals)
    for (const direction of DIRECTIONS) checkGuarantees(name, direction, model, complaints);
}

/** Each elastic IP in one package, and a package on one external network. */
function checkMembers(packages: readonly BandwidthPackage[], complaints: Complaints): void {
  const owners = new Map<string, BandwidthPackage>();
  for (const pack of packages)
    pack.members.forEach(({ elasticIp: { name, external } }, i) => {
      const at = (message: string): void => complaints.of(pack.origin.id, ['spec', 'members', i, 'elasticIP'], message);
      const owner = owners.get(name);
      owners.set(name, pack);
      if (owner)
        at(
          owner === pack ? `${name} stands twice in it` : `${name} is a member of ${complaints.where(owner.origin.id)}`,
        );
      else if (external !== pack.external)
        at(
          `${name} is on external network ${external}, the members before it on ${pack.external}; a package is on one`,
        );
    });
}

function checkPackage(pack: BandwidthPackage, direction: Direction, model: GatewayModel, complaints: Complaints): void {
  const { bandwidth, members, origin } = pack;
  const at = (path: readonly PropertyKey[], message: string, severity?: 'Warning'): void =>
    complaints.of(origin.id, ['spec', ...path, direction], message, severity);
  const ceiling = bandwidth[direction];
  const outer = model.bandwidth[direction];
  if (ceiling !== undefined && outer !== undefined && ceiling > outer)
    at(
      ['bandwidth'],
      `${formatRate(ceiling)} is more than the gateway's ${formatRate(outer)}, which is all it gets`,
      'Warning',
    );
  members.forEach((member, i) => {
    const { guaranteed, max } = { guaranteed: member.guaranteed[direction], max: member.max[direction] };
    if (max !== undefined && ceiling !== undefined && max > ceiling)
      at(
        ['members', i, 'max'],
        `${formatRate(max)} is more than the ceiling of ${formatRate(ceiling)}, which is all it gets`,
        'Warning',
      );
    if (guaranteed === undefined) return;
    if (ceiling === undefined)
      return at(
        ['members', i, 'guaranteed'],
        `the package has no ceiling for ${direction} of which a part could be guaranteed`,
      );
    const least = Math.min(max ?? Infinity, member.elasticIp.bandwidth[direction] ?? Infinity);
    if (guaranteed > least)
      at(
        ['members', i, 'guaranteed'],
        `${formatRate(guaranteed)} is guaranteed, yet ${member.elasticIp.name} gets ${formatRate(least)} at most`,
      );
  });
  const promised = promisedBy(pack)[direction];
  if (ceiling !== undefined && promised > ceiling)
    at(
      ['bandwidth'],
      `${formatRate(promised)} are guaranteed to the members together, more than the ceiling of ${formatRate(ceiling)}`,
    );
}

/** All packages of one external network beside each other. */
function checkGuarantees(external: string, direction: Direction, model: GatewayModel, complaints: Complaints): void {
  const ceiling = model.bandwidth[direction];
  if (ceiling === undefined) return;
  let promised = 0;
  for (const pack of model.packages) {
    if (pack.external !== external) continue;
    promised += promisedBy(pack)[direction];
    if (promised > ceiling)
      return complaints.of(
        pack.origin.id,
        ['spec', 'members'],
        `the packages on ${external} guarantee ${formatRate(promised)} of ${direction} together, more than the gateway's ${formatRate(ceiling)}`,
      );
  }
}

/** What is asked of each kind of object, in the order in which it is told: from the documents to the VM. */
import type { Check } from './check.js';
import { egress, ingress } from './checks/firewall.js';
import { farEnds } from './checks/far-ends.js';
import { active, announced, documents, kernel, links, machine, programmed } from './checks/gateway.js';
import { replies, service, target } from './checks/inside.js';
import { led } from './checks/led.js';
import { bandwidth, connections, ports, table } from './checks/limits.js';
import { members, serving } from './checks/members.js';
import { conflict, nextHop, upstream } from './checks/outside.js';
import { line } from './checks/line.js';
import { tunnel } from './checks/tunnel.js';
import type { SubjectKind } from './subject.js';

const OF_THE_GATEWAY: readonly Check[] = [documents, machine, links, programmed, active];
const OF_THE_ADDRESS: readonly Check[] = [announced, kernel, conflict, nextHop, upstream];
const OF_A_WAY_IN: readonly Check[] = [target, service, replies];

export const CHECKS_OF: Readonly<Record<SubjectKind, readonly Check[]>> = {
  eip: [
    ...OF_THE_GATEWAY,
    ...OF_THE_ADDRESS,
    led,
    ingress,
    egress,
    connections,
    ports,
    table,
    bandwidth,
    ...OF_A_WAY_IN,
    farEnds,
  ],
  dnat: [...OF_THE_GATEWAY, ...OF_THE_ADDRESS, led, ingress, connections, table, bandwidth, ...OF_A_WAY_IN],
  line: [...OF_THE_GATEWAY, kernel, table, line],
  lb: [...OF_THE_GATEWAY, ...OF_THE_ADDRESS, led, ingress, connections, table, bandwidth, serving, members],
  vpn: [...OF_THE_GATEWAY, ...OF_THE_ADDRESS, ingress, table, tunnel],
  snat: [...OF_THE_GATEWAY, ...OF_THE_ADDRESS, led, egress, connections, ports, table, bandwidth, farEnds],
};

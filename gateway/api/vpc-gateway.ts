import * as z from 'zod';
import { highAvailability, macMode } from './high-availability.js';
import {
  bandwidth,
  cidr,
  duration,
  interfaceAddress,
  interfaceName,
  ipAddress,
  newConnectionsPerSecond,
  objectName,
} from './scalars.js';

const internal = z.strictObject({
  interface: interfaceName.describe('The interface in the VPC.'),
  addresses: z
    .array(interfaceAddress)
    .min(1)
    .max(8)
    .describe("The VPC's next hop, one address per family, with the subnet's prefix length."),
  prefixes: z
    .array(
      z.strictObject({
        cidr: cidr.describe('A prefix of the VPC.'),
        via: ipAddress.describe("The VPC router's address in the gateway's own subnet."),
      }),
    )
    .max(1000)
    .default([])
    .describe('Further prefixes of the VPC, behind the VPC router.'),
  macMode,
});

const external = z.strictObject({
  name: objectName.describe('How elastic IPs name this network.'),
  interface: interfaceName.describe('The interface on the external network.'),
  addresses: z
    .array(interfaceAddress)
    .min(1)
    .max(8)
    .describe("The gateway's own address there, at most one per family; may be private or link-local."),
  gateways: z.array(ipAddress).min(1).max(2).describe('The next hop to the internet, at most one per family.'),
  macMode,
});

const timeouts = z.strictObject({
  tcpEstablished: duration.default(15 * 60_000).describe('An idle TCP connection is forgotten after this.'),
  tcpSynSent: duration.optional().describe('A TCP connection attempt that nobody answers.'),
  tcpFinWait: duration.optional().describe('A TCP connection that one side has closed.'),
  tcpTimeWait: duration.optional().describe('A TCP connection that both sides have closed.'),
  tcpClose: duration.optional().describe('A TCP connection that was reset.'),
  udp: duration.default(30_000).describe('A UDP flow without an answer.'),
  udpStream: duration.default(120_000).describe('A UDP flow answered at least twice.'),
  icmp: duration.optional().describe('A ping that nobody answers, of either family.'),
  generic: duration.optional().describe('Any other protocol.'),
});

export const vpcGatewaySpec = z.strictObject({
  internal: internal.describe('The side of the VPC.'),
  externals: z.array(external).min(1).max(16).describe('The external networks.'),
  management: z
    .strictObject({ interface: interfaceName })
    .optional()
    .describe('The interface of the management network, so that neither side can be given it by mistake.'),
  highAvailability: highAvailability.prefault({}).describe('Two members for one gateway, and how they share it.'),
  timeouts: timeouts
    .prefault({})
    .describe('When idle connections are forgotten; what is left out stays as the kernel has it.'),
  conntrack: z
    .strictObject({ size: z.int().min(1024).max(16_777_216).describe('How many connections the table holds.') })
    .optional()
    .describe(
      "The connection table; without it the kernel's own size stays. A network namespace may only read it: set it on the machine, or the condition `SysctlsSet` is `False`.",
    ),
  limits: z
    .strictObject({
      connectionsPerSource: z.int().min(1).max(1_000_000).optional().describe('Connections one VM may hold open.'),
      newConnectionsPerSecondPerSource: newConnectionsPerSecond.describe('Connections one VM may open in a second.'),
      connections: z
        .int()
        .min(1)
        .max(16_777_216)
        .optional()
        .describe('Connections of the gateway in all, counted every second; above it no new one is let through.'),
      newConnectionsPerSecond: newConnectionsPerSecond.describe(
        'Connections opened in a second, from both sides; IPv4 and IPv6 count each for itself.',
      ),
    })
    .prefault({})
    .describe('Limits on connections.'),
  defaultIngress: z
    .enum(['Allow', 'Deny'])
    .default('Allow')
    .describe(
      'What may be opened towards a bound elastic IP that no `FirewallPolicy` judges; ports of a `DnatRule` are open.',
    ),
  bandwidth: bandwidth
    .optional()
    .describe('What the gateway carries at most, in each direction, on each external network by itself.'),
  paused: z.boolean().default(false).describe('Freezes every write to the kernel; drift is reported and left.'),
});

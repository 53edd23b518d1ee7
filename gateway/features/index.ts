/** The features, each a line. The order carries no meaning: what two could both want is merged by rank. */
import { bandwidth } from './bandwidth.js';
import { connectionLimit } from './connection-limit.js';
import { dnatRule } from './dnat-rule.js';
import { elasticIp } from './elastic-ip.js';
import type { Feature } from './feature.js';
import { firewall } from './firewall.js';
import { highAvailability } from './high-availability.js';
import { ipsec } from './ipsec.js';
import { ipv6Prefix } from './ipv6-prefix.js';
import { dedicatedLine } from './line.js';
import { loadBalancer } from './load-balancer.js';
import { network } from './network.js';
import { siteLink } from './site-link.js';
import { snatRule } from './snat-rule.js';
import { wireGuard } from './wireguard.js';

export const FEATURES: readonly Feature[] = [
  network,
  elasticIp,
  snatRule,
  dnatRule,
  loadBalancer,
  ipv6Prefix,
  siteLink,
  wireGuard,
  ipsec,
  dedicatedLine,
  firewall,
  connectionLimit,
  bandwidth,
  highAvailability,
];

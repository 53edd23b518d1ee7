import { bandwidth } from './bandwidth.js';
import { crash } from './crash.js';
import { dnat } from './dnat.js';
import { drift } from './drift.js';
import { edit } from './edit.js';
import { elasticIp } from './elastic-ip.js';
import { hairpin } from './hairpin.js';
import { isolation } from './isolation.js';
import { line } from './line.js';
import { loadBalancer } from './load-balancer.js';
import { nodeDeath } from './node-death.js';
import { nothingLeaked } from './nothing-leaked.js';
import { refusal } from './refusal.js';
import type { Scene } from './scene.js';
import { snat } from './snat.js';
import { vpn } from './vpn.js';
import { vpnIpsec } from './vpn-ipsec.js';

/** In this order; each leaves the stage as it found it. */
export const scenes: readonly Scene[] = [
  elasticIp,
  snat,
  dnat,
  hairpin,
  isolation,
  edit,
  bandwidth,
  loadBalancer,
  vpn,
  vpnIpsec,
  line,
  drift,
  crash,
  nodeDeath,
  refusal,
  nothingLeaked,
];

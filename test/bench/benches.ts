import { applyOne, applyOneFull } from './apply-one.js';
import { connectionSetup } from './connection-setup.js';
import { bandwidth } from './bandwidth.js';
import { density } from './density.js';
import { failover, failoverBlackhole, failoverDefault } from './failover.js';
import { failoverOvn } from './failover-ovn.js';
import { failoverIpsec, failoverVpn } from './failover-vpn.js';
import { falseFailover } from './false-failover.js';
import { fence } from './fence.js';
import { idle } from './idle.js';
import { lbApply, lbConnect } from './lb-apply.js';
import { lbChecks, lbDetect } from './lb-checks.js';
import { lineFailover, lineFailoverProbe } from './line.js';
import { resync, resyncFull } from './resync.js';
import type { Bench } from './row.js';
import { scrape } from './scrape.js';
import { startup } from './startup.js';
import { switchover } from './switchover.js';
import { syncCost } from './sync-cost.js';
import { synFlood } from './syn-flood.js';
import { throughput } from './throughput.js';
import { throughputShaped } from './throughput-shaped.js';
import { vpnPeers, vpnThroughput } from './vpn.js';

/** One line for each; `npm run -s bench -- NAME` takes the name here, or that of one of its rows. */
export const benches: Readonly<Record<string, Bench>> = {
  'apply-one': applyOne,
  'apply-one-full': applyOneFull,
  resync,
  'resync-full': resyncFull,
  'connection-setup': connectionSetup,
  throughput,
  'throughput-shaped': throughputShaped,
  bandwidth,
  scrape,
  'syn-flood': synFlood,
  startup,
  idle,
  failover,
  'failover-default': failoverDefault,
  'failover-blackhole': failoverBlackhole,
  switchover,
  fence,
  'failover-ovn': failoverOvn,
  'failover-vpn': failoverVpn,
  'failover-ipsec': failoverIpsec,
  'false-failover': falseFailover,
  density,
  'sync-cost': syncCost,
  'vpn-throughput': vpnThroughput,
  'vpn-peers': vpnPeers,
  'line-failover': lineFailover,
  'line-failover-probe': lineFailoverProbe,
  'lb-apply': lbApply,
  'lb-connect': lbConnect,
  'lb-checks': lbChecks,
  'lb-detect': lbDetect,
};

/** The kernel switches that a gateway's namespace needs, each with its reason. */
import type { GatewayModel } from '../model/gateway-model.js';

/** Needed for forwarding to be right; a read-only /proc/sys must bring them from the pod's spec or the CNI. */
const FORWARDING: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  'net.ipv6.conf.all.forwarding': '1',
  // Replies of the kernel itself (ICMP errors) follow the packet's own side, not the main table.
  'net.ipv4.fwmark_reflect': '1',
  'net.ipv6.fwmark_reflect': '1',
  // Routing by mark makes the path asymmetric to a reverse-path check; spoofing is refused by rule.
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  // The kernel else looks up the source of every packet, to refuse its own; the rules ask when a connection is opened.
  'net.ipv4.conf.all.accept_local': '1',
  // The kernel else asks of every packet whether a socket of its own waits for it; what a router passes on has none.
  'net.ipv4.ip_early_demux': '0',
  // An address is answered only on the link that holds it: the parent must not answer for a role link.
  'net.ipv4.conf.all.arp_ignore': '1',
  // A link that comes up announces all its addresses by itself.
  'net.ipv4.conf.all.arp_notify': '1',
  'net.ipv6.conf.all.ndisc_notify': '1',
  // An edit of the gateway's own address brings the new one first, which must stay when the former one goes.
  'net.ipv4.conf.all.promote_secondaries': '1',
  // Hairpin traffic leaves by the link it came in on; a redirect would send the VM past the gateway.
  'net.ipv4.conf.all.send_redirects': '0',
  'net.ipv4.conf.default.send_redirects': '0',
  'net.ipv4.conf.all.accept_redirects': '0',
  'net.ipv6.conf.all.accept_redirects': '0',
  'net.ipv6.conf.default.accept_redirects': '0',
  // Routes come from the documents; addresses stay when a link goes down, and are usable at once.
  'net.ipv6.conf.all.accept_ra': '0',
  'net.ipv6.conf.default.accept_ra': '0',
  'net.ipv6.conf.all.accept_dad': '0',
  'net.ipv6.conf.default.accept_dad': '0',
  'net.ipv6.conf.all.keep_addr_on_down': '1',
  'net.ipv6.conf.default.keep_addr_on_down': '1',
  // A translated connection is not cut because one of its packets was seen late.
  'net.netfilter.nf_conntrack_tcp_be_liberal': '1',
  // Byte and packet figures of connections, for `show conntrack`.
  'net.netfilter.nf_conntrack_acct': '1',
};

/** With dedicated lines: without a carrier the kernel takes the next way by itself, at once. */
export const LINE_SYSCTLS: Readonly<Record<string, string>> = {
  'net.ipv4.conf.all.ignore_routes_with_linkdown': '1',
  'net.ipv6.conf.all.ignore_routes_with_linkdown': '1',
  'net.ipv6.conf.default.ignore_routes_with_linkdown': '1',
};

/**
 * Of a pair: the kernel else says nothing, to its end, of a connection that was opened while nobody listened, and the other
 * member keeps it.
 */
export const PAIR_SYSCTLS: Readonly<Record<string, string>> = { 'net.netfilter.nf_conntrack_events': '1' };

/** With load balancers by IPVS. They are there where the kernel has it, and nowhere else. */
export const IPVS_SYSCTLS: Readonly<Record<string, string>> = {
  // Its connections are known to the firewall, limits and counters.
  'net.ipv4.vs.conntrack': '1',
  // Connections of a member that is gone end, and clients that keep to one that takes no more move on.
  'net.ipv4.vs.expire_nodest_conn': '1',
  'net.ipv4.vs.expire_quiescent_template': '1',
  // A connection that another gateway has begun goes on: by hash to the same member.
  'net.ipv4.vs.sloppy_tcp': '1',
  // Answers are routed by their mark already.
  'net.ipv4.vs.snat_reroute': '0',
};

const seconds = (ms: number): string => String(Math.max(1, Math.round(ms / 1000)));

export function networkSysctls({
  timeouts,
  conntrackSize,
}: Pick<GatewayModel, 'timeouts'> & Partial<GatewayModel>): Record<string, string> {
  const optional: Record<string, string> = {};
  const set = (key: string, ms: number | undefined): void => {
    if (ms !== undefined) optional[`net.netfilter.nf_conntrack_${key}`] = seconds(ms);
  };
  set('tcp_timeout_established', timeouts.tcpEstablished);
  set('tcp_timeout_syn_sent', timeouts.tcpSynSent);
  set('tcp_timeout_fin_wait', timeouts.tcpFinWait);
  set('tcp_timeout_time_wait', timeouts.tcpTimeWait);
  set('tcp_timeout_close', timeouts.tcpClose);
  set('udp_timeout', timeouts.udp);
  set('udp_timeout_stream', timeouts.udpStream);
  set('icmp_timeout', timeouts.icmp);
  set('icmpv6_timeout', timeouts.icmp);
  set('generic_timeout', timeouts.generic);
  if (conntrackSize !== undefined) optional['net.netfilter.nf_conntrack_max'] = String(conntrackSize);
  return { ...FORWARDING, ...optional };
}

# The gateway's image: one bundled file, Node, and the programs it drives. It runs with a read-only root; what it writes
# is /var/lib/vpcgw (a volume: the last good documents and the history) and /run (a tmpfs: the API's socket).
# It needs NET_ADMIN and NET_RAW and no other right; NET_BIND_SERVICE too where a dedicated line speaks BGP (TCP port 179) or a
# VPN connection is of type IPsec (UDP port 500).
#
# /proc/sys is read-only in a container, so the gateway's network namespace must be given these settings from outside;
# `vpcgw preflight` tells what is missing. Without the first three lines no gateway forwards right:
#   net.ipv4.ip_forward=1              net.ipv6.conf.all.forwarding=1      net.ipv4.fwmark_reflect=1
#   net.ipv6.fwmark_reflect=1          net.ipv4.conf.all.arp_ignore=1      net.ipv4.conf.all.rp_filter=0
#   net.ipv4.conf.default.rp_filter=0  net.ipv4.conf.all.send_redirects=0  net.ipv4.conf.default.send_redirects=0
# and without these it is slower to be found, trusts its neighbours more, or forgets connections at other times:
#   net.ipv4.conf.all.arp_notify=1            net.ipv6.conf.all.ndisc_notify=1
#   net.ipv4.conf.all.accept_redirects=0      net.ipv4.conf.all.accept_local=1
#   net.ipv6.conf.all.accept_redirects=0      net.ipv6.conf.default.accept_redirects=0
#   net.ipv6.conf.all.accept_ra=0             net.ipv6.conf.default.accept_ra=0
#   net.ipv6.conf.all.accept_dad=0            net.ipv6.conf.default.accept_dad=0
#   net.ipv6.conf.all.keep_addr_on_down=1     net.ipv6.conf.default.keep_addr_on_down=1
#   net.ipv4.ip_early_demux=0                 net.ipv4.conf.all.promote_secondaries=1
#   net.ipv4.conf.all.ignore_routes_with_linkdown=1
#   net.ipv6.conf.all.ignore_routes_with_linkdown=1
#   net.ipv6.conf.default.ignore_routes_with_linkdown=1
#   net.netfilter.nf_conntrack_acct=1         net.netfilter.nf_conntrack_tcp_be_liberal=1
#   net.netfilter.nf_conntrack_events=1
#   net.netfilter.nf_conntrack_tcp_timeout_established=900, or what a VpcGateway's timeouts say; so too the other timeouts
# Where the kernel has ip_vs, by which load balancers work then, these are there too, and without them it treats connections
# otherwise than its firewall, limits and edits ask for:
#   net.ipv4.vs.conntrack=1            net.ipv4.vs.expire_nodest_conn=1    net.ipv4.vs.expire_quiescent_template=1
#   net.ipv4.vs.sloppy_tcp=1           net.ipv4.vs.snat_reroute=0
# They are none for a pod that may come to a node without ip_vs, where it could not start.
# In Kubernetes there are two ways to set them:
#   - the pod's spec.securityContext.sysctls; the node's kubelet must allow them, since it counts them as unsafe:
#     --allowed-unsafe-sysctls='net.ipv4.ip_forward,net.ipv4.fwmark_reflect,net.ipv4.ip_early_demux,net.ipv4.conf.*,net.ipv6.*,net.netfilter.*'
#   - the CNI plugin `tuning`, chained behind the plugin that makes the gateway's interface: its "sysctl" map takes them.
# Elsewhere: `podman run --sysctl NAME=VALUE ...` or `docker run --sysctl NAME=VALUE ...`.

FROM node:20-bookworm-slim AS build
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends binutils >/dev/null
# Node without its symbol table, which only debuggers read.
RUN strip -o /node "$(command -v node)"
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY images/bundle.mjs images/compile.mjs images/never-called.mjs images/
COPY manifests/examples/blue.yaml manifests/examples/
COPY gateway gateway
RUN node images/bundle.mjs

FROM debian:bookworm-slim
# Of what the packages bring, the gateway reads neither documents nor translations.
RUN apt-get -qq update \
  && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    bird2 charon-systemd conntrack conntrackd iproute2 ipset iptables ipvsadm iputils-arping iputils-ping keepalived libstdc++6 libstrongswan-standard-plugins ndisc6 nftables perl-base procps strongswan-swanctl tcpdump ulogd2 ulogd2-json wireguard-go wireguard-tools >/dev/null \
  && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man /usr/share/locale \
  && mkdir -p /etc/vpcgw /var/lib/vpcgw
COPY --from=build /node /usr/local/bin/node
COPY --from=build /src/dist /opt/vpcgw/
RUN ln -s /opt/vpcgw/vpcgw.js /usr/local/bin/vpcgw
ENV NODE_ENV=production
VOLUME /var/lib/vpcgw
ENTRYPOINT ["vpcgw"]
CMD ["run", "--source", "folder", "--config", "/etc/vpcgw", "--state", "/var/lib/vpcgw", "--socket", "/run/vpcgw/vpcgw.sock"]

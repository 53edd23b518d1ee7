# The gateway's image: one bundled file, Node, and the programs it drives. It runs with a read-only root; what it writes
# is /var/lib/vpcgw (a volume: the last good documents and the history) and /run (a tmpfs: the API's socket).
# It needs NET_ADMIN and NET_RAW and no other right.
#
# /proc/sys is read-only in a container, so the gateway's network namespace must be given these settings from outside:
#   net.ipv4.ip_forward=1                  net.ipv6.conf.all.forwarding=1
#   net.ipv4.fwmark_reflect=1              net.ipv6.fwmark_reflect=1
#   net.ipv4.conf.all.arp_ignore=1         net.ipv4.conf.all.rp_filter=0
#   net.ipv4.conf.all.send_redirects=0
# In Kubernetes there are two ways to:
#   - the pod's spec.securityContext.sysctls; the node's kubelet must allow them, since it counts them as unsafe:
#     --allowed-unsafe-sysctls='net.ipv4.ip_forward,net.ipv4.fwmark_reflect,net.ipv4.conf.*,net.ipv6.*'
#   - the CNI plugin `tuning`, chained behind the plugin that makes the gateway's interface: its "sysctl" map takes them.
# Elsewhere: `podman run --sysctl NAME=VALUE ...` or `docker run --sysctl NAME=VALUE ...`.

FROM node:20-bookworm-slim AS build
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends binutils >/dev/null
# Node without its symbol table, which only debuggers read.
RUN strip -o /node "$(command -v node)"
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY images/bundle.mjs images/
COPY gateway gateway
RUN node images/bundle.mjs

FROM debian:bookworm-slim
# Of what the packages bring, the gateway reads neither documents nor translations.
RUN apt-get -qq update \
  && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    conntrack iproute2 ipset iptables iputils-arping libstdc++6 nftables >/dev/null \
  && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man /usr/share/locale \
  && mkdir -p /etc/vpcgw /var/lib/vpcgw
COPY --from=build /node /usr/local/bin/node
COPY --from=build /src/dist/vpcgw.js /opt/vpcgw/vpcgw.js
RUN ln -s /opt/vpcgw/vpcgw.js /usr/local/bin/vpcgw
ENV NODE_ENV=production
VOLUME /var/lib/vpcgw
ENTRYPOINT ["vpcgw"]
CMD ["run", "--source", "folder", "--config", "/etc/vpcgw", "--state", "/var/lib/vpcgw", "--socket", "/run/vpcgw/vpcgw.sock"]

/**
 * What each kind's reference page says beside its fields, and shows. All examples together are the documents of one
 * gateway, and a test holds them to that.
 */
import type { Kind } from './kinds.js';

interface Example {
  /** Markdown. */
  readonly about: string;
  readonly yaml: string;
}

export const EXAMPLES: Readonly<Record<Kind, Example>> = {
  VpcGateway: {
    about: `The gateway between its networks. A gateway has exactly one document of this kind, and all others belong to it.

The interfaces are those that the platform put into the gateway's network namespace. They stay without addresses: the
gateway makes a link of its own above each (\`vg-\` and the interface's name) and puts the addresses there. VMs use the
internal address as their default route. The addresses on an external network may be private or link-local: no public
address is spent but elastic IPs.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: blue}
spec:
  internal:
    interface: vpc0
    addresses: [10.0.0.1/24, "2001:db8:a::1/64"]    # the VMs' default route
    prefixes:                                       # more of the VPC, behind its router
      - {cidr: 10.0.1.0/24, via: 10.0.0.254}
      - {cidr: "fd00:b::/64", via: "2001:db8:a::fe"}
  externals:
    - name: internet
      interface: ext0
      addresses: [100.64.0.11/24, "2001:db8:ffff::11/64"]
      gateways: [100.64.0.1, "2001:db8:ffff::1"]
  timeouts: {tcpEstablished: 1h}
  limits: {connectionsPerSource: 10000}
  bandwidth: {ingress: 10G, egress: 1G}             # on each external network by itself
`,
  },
  ElasticIP: {
    about: `A public address, of either family. What it does depends on what names it:

| Its \`Ready\` reason | When | What it does |
|---|---|---|
| \`Bound\` | it has a \`target\` | 1:1: all that is sent to it reaches the target, and the target leaves by it |
| \`Shared\` | a \`SnatRule\`, a \`DnatRule\`, a \`LoadBalancer\` or a \`VpnConnection\` names it | what those say |
| \`Held\` | neither | nothing; it is kept, and other hosts cannot take it |

\`DnatRule\`s may take single ports of a bound address too: they come first, the 1:1 target gets the rest. A \`SnatRule\`
cannot use a bound address.

Attach, detach and rebind are edits of \`target\`. Connections through the former target are ended at once, or after
\`drainTimeout\`; new ones go to the new target at once.

The gateway itself never answers at an elastic IP, not even a ping: what no target or rule takes is dropped.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: web}
spec:
  address: 203.0.113.10
  target: {address: 10.0.0.5}
  drainTimeout: 30s
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: shared-a}
spec: {address: 203.0.113.20}
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: shared-b}
spec: {address: 198.51.100.77, announcement: Routed}
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: mail}
spec:
  address: 203.0.113.30
  target: {address: 10.0.0.8}
  bandwidth: {ingress: 100M, egress: 20M}
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: shop}
spec: {address: 203.0.113.40}
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: vpn}
spec: {address: 203.0.113.60}
`,
  },
  SnatRule: {
    about: `The way out for VMs that have no elastic IP of their own.

- Of all rules the most specific source wins. A VM with a 1:1 elastic IP always leaves by that.
- A pool may mix addresses that are not adjacent, and both families: each source uses those of its own family. All of
  one rule belong to one external network.
- Of several addresses a client keeps one, chosen by the low bits of its own address. When an address joins or leaves
  the pool, about 1/N of the clients change theirs; connections that are still allowed go on as they are.
- Ports are chosen at random. When 90 % of an address's ports towards one far end are in use, its clients' new
  connections leave by another address of the pool, until it is below 70 %.
- \`portsPerSource\` gives each client a block of that many ports for TCP and UDP, so that none can use up an address.
  An address has 64,512 ports. Blocks go to clients by the low bits of their address; their number is a power of two, at
  most 1,024. Clients whose low bits are the same share a block. In the example there are 256 blocks, so 10.0.0.5 and
  10.0.1.5 share one, and two VMs of one /24 never do. A full block is full: the client's next connection to that far end
  does not leave.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: SnatRule
metadata: {name: everyone}
spec:
  sources: [{cidr: 10.0.0.0/24}, {cidr: 10.0.1.0/24}]
  elasticIPs: [shared-a, shared-b]
  portsPerSource: 256
`,
  },
  DnatRule: {
    about: `Ports of an elastic IP that lead to a VM. The VM sees the client's own address.

- Rules of one elastic IP must not overlap in protocol and port; the gateway names both sides when they do.
- \`protocol: Any\` takes the whole address, and so excludes a 1:1 target and SNAT by others on it. It does not change
  how the target leaves; for both directions use the elastic IP's own \`target\`.
- A range keeps its order: with \`port: 6000\`, \`endPort: 6009\` and \`targetPort: 5000\`, port 6003 leads to 5003.
- A rule that is added also ends the connections that its ports had before.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: DnatRule
metadata: {name: app}
spec:
  elasticIP: shared-a
  protocol: TCP
  port: 8080
  target: {address: 10.0.0.6}
  targetPort: 80
---
apiVersion: vpcgw.io/v1alpha1
kind: DnatRule
metadata: {name: media}
spec:
  elasticIP: shared-a
  protocol: UDP
  port: 6000
  endPort: 6009
  target: {address: 10.0.0.7}
  targetPort: 5000
`,
  },
  Ipv6Prefix: {
    about: `Public IPv6 that the upstream router routes to the gateway.

Without \`translate\` the VMs carry addresses of the prefix themselves, and it has to be one of the VPC's. With
\`translate\` the VPC uses another prefix inside (NAT66): the prefix is exchanged, the rest of each address stays.
\`EgressOnly\` lets in only what belongs to connections that the VPC opened.

IPv6 without a prefix of this kind and without an elastic IP does not leave: the gateway never sends a VPC source
untranslated.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: Ipv6Prefix
metadata: {name: public}
spec: {prefix: "2001:db8:a::/64"}
---
apiVersion: vpcgw.io/v1alpha1
kind: Ipv6Prefix
metadata: {name: inner}
spec:
  prefix: 2001:db8:b::/64
  mode: EgressOnly
  translate: {internal: "fd00:b::/64"}
`,
  },
  FirewallPolicy: {
    about: `Who may open connections to elastic IPs, and where the VPC may go. What belongs to a connection that was allowed
passes, its ICMP errors too.

**Ingress** is judged once, on the public address and port, whatever leads on from there: a 1:1 target, a \`DnatRule\`, a
public prefix. A VM of the VPC that goes to an elastic IP is judged like everybody else, with its private address as the
peer. **Egress** is judged on the tenant's own source and the far end's address and port; what stays in the VPC is not.

Asked in this order; the first rule that matches decides:

1. every \`FirewallBaseline\`,
2. the policies of the elastic IP, all together by priority (of equal ones \`Deny\` first),
3. the policies of the gateway (\`appliesTo: {gateway: true}\`).

Where one of 2 or 3 has rules of the direction, what none matches is denied. End with an \`Allow\` rule without peers and
ports to open the rest. Where none has, the port of a \`DnatRule\` is open, a bound elastic IP follows the gateway's
\`defaultIngress\`, and everything may leave.

For egress, a policy of an elastic IP concerns its 1:1 target, or all sources of the \`SnatRule\`s that have it in their
pool. Which address of a pool a source gets is known only after it was judged, so the policies of all of them count.

An edit that denies what was allowed ends the established connections it concerns, unless \`onEdit\` is \`Keep\`.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: FirewallPolicy
metadata: {name: web-in}
spec:
  appliesTo: {elasticIPs: [web]}
  rules:
    - {priority: 100, action: Allow, direction: Ingress, ports: [{protocol: TCP, port: 443}, {protocol: ICMP}]}
    - {priority: 200, action: Allow, direction: Ingress, peers: [{addressGroup: office}], ports: [{protocol: TCP, port: 22}]}
    - {priority: 900, action: Reject, direction: Ingress, log: true}
---
apiVersion: vpcgw.io/v1alpha1
kind: FirewallPolicy
metadata: {name: no-mail}
spec:
  appliesTo: {gateway: true}
  rules:
    - {priority: 100, action: Deny, direction: Egress, ports: [{protocol: TCP, port: 25}]}
    - {priority: 900, action: Allow, direction: Egress}
`,
  },
  FirewallBaseline: {
    about: `The operator's rules. They are asked before every policy and are final, whatever they say: a tenant can neither open
what they deny nor close what they allow. What none of them matches goes on to the policies.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: FirewallBaseline
metadata: {name: platform}
spec:
  rules:
    - {priority: 10, action: Allow, direction: Ingress, peers: [{cidr: 192.0.2.0/28}], ports: [{protocol: ICMP}]}
    - {priority: 20, action: Deny, direction: Ingress, ports: [{protocol: UDP, port: 1900}]}
`,
  },
  AddressGroup: {
    about: `Prefixes under one name, of both families, that any number of rules use. An edit of the group changes a set in the
kernel, and no rule.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: AddressGroup
metadata: {name: office}
spec: {cidrs: [198.51.100.0/24, 192.0.2.7/32, "2001:db8:77::/48"]}
`,
  },
  LoadBalancer: {
    about: `Ports of an elastic IP, of an address inside the VPC, or of both, that lead to several VMs. Members see the client's own
address; inside the VPC the gateway takes the client's place, since the answer has to pass it.

A listener comes before \`DnatRule\`s and before the 1:1 target of its elastic IP, which keep all other ports. It is open to
everybody whom the firewall lets through and \`allowedSources\` names.

| | |
|---|---|
| new connections | go to members with a weight that are not in \`maintenance\`; to \`backup\` members while there is no other |
| a member that is taken out | removed, weight 0 or \`maintenance\`: TCP connections may end by themselves for \`drainTimeout\`; UDP goes elsewhere at once |
| a member that its pool's \`healthCheck\` finds down | gets no new connections; those there are are left, but for UDP, which goes elsewhere at once |
| nobody serves | a TCP reset or an ICMP error at once (\`allDown: Reject\`) |

Checks are made from the gateway's address in the VPC. A member's first check counts at once, later ones by the thresholds.

A TCP connection that was forgotten for its \`idleTimeout\` is reset when its client goes on. A flow of UDP begins anew; where
the kernel's IPVS balances, it comes to the same member for as long as the longest timeout of all listeners. Of a pair, the
member that takes over goes by the gateway's \`timeouts\` for the connections that it takes over.

Without IPVS connections are spread by iptables: \`RoundRobin\` and \`LeastConnections\` choose by chance, each member by its weight.
\`SourceHash\`, \`Maglev\` and \`affinity\` choose by a hash of the client's address, in 64 parts: a client comes back to its
member for as long as that serves, so that \`affinity.timeout\` has no end, and members in excess of 64 get nobody.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: LoadBalancer
metadata: {name: shop}
spec:
  elasticIP: shop
  address: 10.0.0.100                    # the same for the VPC's own VMs
  pools:
    - name: web
      members:
        - {address: 10.0.0.21, port: 8080, weight: 2}
        - {address: 10.0.0.22, port: 8080}
        - {address: 10.0.0.23, port: 8080, backup: true}
      drainTimeout: 5m
      healthCheck: {type: HTTP, path: /healthz, interval: 2s, timeout: 1s}
    - name: dns
      members: [{address: 10.0.0.21}, {address: 10.0.0.22}]
  listeners:
    - {protocol: TCP, port: 80, pool: web}
    - protocol: TCP
      port: 8443
      pool: web
      affinity: {timeout: 1h}
      idleTimeout: 1h
      maxConnections: 10000
      allowedSources: [192.0.2.0/24, 10.0.0.0/24]
    - {protocol: UDP, port: 53, pool: dns, algorithm: SourceHash}
`,
  },
  BandwidthPackage: {
    about: `A bandwidth that several elastic IPs share: what one does not use, the others may. Limits nest: the gateway's
\`bandwidth\`, then the package's, then the elastic IP's own.

- \`guaranteed\` is what a member gets however busy the others are. All of a direction fit into the package's ceiling, and
  those of all packages of an external network into the gateway's.
- What is left of the ceiling goes in equal turns to the members that want more.
- A member gets at most the smallest of its \`max\`, its elastic IP's own \`bandwidth\`, the package's ceiling and the
  gateway's. A number above a ceiling around it is taken for that ceiling; a warning or a note in
  the elastic IP's status says so.
- All members are of one external network; each elastic IP is in one package at most.

What counts is the size of the Ethernet frames. What does not count: ARP and neighbour discovery, the traffic of the
gateway's own addresses, and traffic between VMs by way of an elastic IP, which never reaches the external network. An
elastic IP without any limit shares what the gateway's ceiling leaves; where there is no such ceiling, it is not shaped.

A limit is changed in place: no packet is lost by it and the counters go on. What does not fit is queued for about 100 ms,
then dropped; \`vpcgw show bandwidth\` tells both.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: BandwidthPackage
metadata: {name: office}
spec:
  bandwidth: {ingress: 1G, egress: 200M}
  members:
    - elasticIP: web
      guaranteed: {egress: 100M}
    - elasticIP: shared-a
      max: {egress: 50M}
`,
  },
  VpnConnection: {
    about: `A tunnel between the VPC and one or more sites: offices, data centres, another VPC. Its packets arrive at and leave from
an elastic IP, of which it takes one UDP port; the elastic IP keeps all others for whatever else uses it.

- Between \`localNetworks\` and the peers' \`networks\` nothing is translated, whatever SNAT rules say, but for \`translate\`.
  What is meant for a peer's network goes through the tunnel or nowhere: while there is no tunnel it is refused, and never
  sent to the internet.
- A peer may send only from its own \`networks\`, and only to \`localNetworks\`. Of the gateway itself it reaches a ping of
  the next hop.
- MTU and the segment size of TCP follow from the external interface.
- Several peers share the link. A peer may be a site or a single machine; without \`endpoint\` it may call from anywhere.
- Keys are files in the folder that \`vpcgw run --keys\` names (a mounted Secret, on Kubernetes). A key that is missing or
  malformed leaves its connection down, says so in its status, and touches nothing else; a key that changes is taken up
  at once.

Both sides with the same network: each shows its own to the other as something else. In the example the site sees the VPC's
10.0.1.0/24 as 100.64.7.0/24.

Where the kernel has no WireGuard, \`wireguard-go\` does its work, more slowly; the status says so.

With \`type: IPsec\` the tunnel is one between the elastic IP and one \`peer\`, by IKEv2, which strongSwan negotiates; it takes
UDP ports 500 and 4500 and the protocol ESP of the elastic IP, which all such connections of it share. All of the above
holds for it too. Where the kernel has no ESP, \`Ready\` is \`False\` with the reason \`NoIpsec\`; nothing stands in for it.

- The ends know each other by a preshared key, a file of printable characters that \`vpcgw vpn keygen --psk\` makes, or by
  certificates. The other end's has to give the name that \`peerId\` says.
- A certificate or key that is missing, out of its time, or not of the other leaves the connection down: \`Ready\` is \`False\`
  with the reason \`CertificateUnusable\`, which names the file. A renewed one is taken up at once: new keys are agreed on
  beside the former ones. Exchange both files at one stroke, as a Secret does, or keep both in one file, which
  \`ownRef\` and \`keyRef\` both name. Lists of revoked certificates are not asked for.
- 30 days before the first of its certificates expires, trusted ones included, \`CertificateLasting\` becomes \`False\` with
  the reason \`ExpiresSoon\`, and says which and when; an event says so, too.
- Without \`peer\` the other end calls, from any address and through any NAT.

Two tunnels to one site, by two elastic IPs: two connections with the same \`networks\` and a \`priority\` each. The lower one
is taken while it carries; equal ones share the connections. Give both a \`probe\`: keys alone take some seconds to tell
that the other end is gone. One that was down is taken again when it has been steady for 10 s.

\`\`\`yaml
apiVersion: vpcgw.io/v1alpha1
kind: VpnConnection
metadata: {name: plant}
spec:
  type: IPsec
  elasticIP: vpn
  localNetworks: [10.0.0.0/24]
  ipsec:
    peer: 198.51.100.9
    networks: [192.168.90.0/24]
    presharedKeyRef: {file: plant.psk}
    proposals: [{encryption: aes256gcm16, hash: sha384, group: ecp384}]
---
apiVersion: vpcgw.io/v1alpha1
kind: VpnConnection
metadata: {name: van}
spec:
  type: IPsec
  elasticIP: vpn
  localNetworks: [10.0.0.0/24]
  ipsec:
    peerId: van.example.com
    networks: [192.168.91.0/24]
    certificates: {ownRef: {file: gw.crt}, keyRef: {file: gw.key}, trustedRef: {file: ca.crt}}
\`\`\``,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: VpnConnection
metadata: {name: offices}
spec:
  type: WireGuard
  elasticIP: vpn
  localNetworks: [10.0.0.0/24, 10.0.1.0/24, "2001:db8:a::/64"]
  translate:
    - {network: 10.0.1.0/24, as: 100.64.7.0/24}
  bandwidth: {ingress: 200M, egress: 200M}
  rules:
    - {priority: 100, action: Allow, direction: Ingress, ports: [{protocol: TCP, port: 443}, {protocol: ICMP}]}
    - {priority: 900, action: Reject, direction: Ingress}
  wireGuard:
    listenPort: 51820
    keyRef: {file: offices.key}
    peers:
      - name: paris
        publicKey: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
        presharedKeyRef: {file: paris.psk}
        endpoint: 198.51.100.7:51820
        networks: [192.168.77.0/24, "2001:db8:77::/64"]
        keepalive: 25s
      - name: laptop                               # roams
        publicKey: TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=
        networks: [192.168.78.5/32]
`,
  },
  VpnPeer: {
    about: `A peer of a \`VpnConnection\` in a document of its own, with the same meaning as one of its \`wireGuard.peers\`. Where there
are many peers this is the better way: each is added, changed and taken away by itself, by whom and when you like, and an
edit costs the same whether there are ten or a thousand. Within a connection names and public keys are unique, wherever
they stand.

A preshared key that is missing or malformed leaves out its peer alone, and says so in the status of its document:
\`Ready\` is \`False\` with the reason \`KeyUnusable\`. \`Connected\` says how it stands: \`Up\`, \`Degraded\`, \`Down\` or \`Idle\`.
Where a gateway has dedicated lines, an edit of a peer takes longer, since what a line and its backup carry is looked at anew.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: VpnPeer
metadata: {name: branch}
spec:
  connection: offices
  publicKey: 84x2TIqgC2V49CVKTcbZtQ+I+pJuJw6nhZvRtwfNhmI=
  presharedKeyRef: {file: branch.psk}
  networks: [172.31.9.0/24]
  keepalive: 25s
`,
  },
  DedicatedLine: {
    about: `A leased line between the VPC and a site, which ends at an interface of the gateway's machine or at a VLAN of one. The
gateway has an address of its own on it; at the other end is the site's router.

- Between \`localNetworks\` and the line's networks nothing is translated, whatever SNAT rules say, but for \`translate\`.
  What is meant for such a network goes by the line or nowhere: without the line it is refused, and never sent to the
  internet.
- The site may send only from its own networks, and only to \`localNetworks\`. Of the gateway itself it reaches a ping of the
  next hop and of the line's own address.
- Several lines may lead to the same networks: those of the lowest \`priority\` carry them, and share the connections
  between them; when the last of these is gone, the next ones do.
- The networks are those of \`static\`, or what the other end tells of by \`bgp\`. Of that only what \`accept\` names is taken,
  which may be neither the VPC's nor an external network's.
- With \`acceptDefaultRoute\` a default route is taken too. It leads out whoever of \`localNetworks\` has no way of their own, as they
  are; an elastic IP, a SNAT rule or an IPv6 prefix goes before it, whichever external network is down. Without it they are refused,
  as they were before. Nobody behind it can open a connection but from the networks that \`accept\` names; \`rules\` judge those that
  the VPC opens.
- A line whose carrier is lost is taken out by the kernel itself, at once. One that is up and carries nothing is taken out
  by BFD, or by a \`probe\` of static networks. \`backup\` names a VPN connection that carries the same networks meanwhile;
  established connections go on, either way.
- Passwords of sessions are files in the folder that \`vpcgw run --keys\` names.
- Of a pair the active member alone speaks with the other end. The other one knows what was learnt, and leads there as soon as it
  takes over; the site's router keeps what it was told by graceful restart. With BFD it has to be told to keep it over that too
  (such as \`bfd graceful\` in BIRD).
- A port that is missing leaves its line down, says so in its status, and touches nothing else; it is taken up as soon as it
  is there.`,
    yaml: `apiVersion: vpcgw.io/v1alpha1
kind: DedicatedLine
metadata: {name: paris}
spec:
  port: {interface: line0, vlan: 100}
  localAddresses: [169.254.100.1/30, "fd00:100::1/126"]
  peerAddresses: [169.254.100.2, "fd00:100::2"]
  localNetworks: [10.0.0.0/24, "2001:db8:a::/64"]
  static: {networks: [172.20.0.0/16, "fd00:20::/48"]}
  bandwidth: {ingress: 500M, egress: 500M}
---
apiVersion: vpcgw.io/v1alpha1
kind: DedicatedLine
metadata: {name: paris-2}
spec:
  port: {interface: line1}
  localAddresses: [169.254.101.1/30]
  peerAddresses: [169.254.101.2]
  localNetworks: [10.0.0.0/24]
  static: {networks: [172.20.0.0/16]}
  priority: 110                                    # taken while paris is down
  probe: {address: 172.20.0.1, interval: 200ms}
---
apiVersion: vpcgw.io/v1alpha1
kind: DedicatedLine
metadata: {name: rome}
spec:
  port: {interface: line0, vlan: 101}
  localAddresses: [169.254.102.1/30]
  peerAddresses: [169.254.102.2]
  localNetworks: [10.0.0.0/24]
  bgp:
    localASN: 65001
    peerASN: 65010
    authKeyRef: {file: rome.password}
    accept: [{cidr: 172.24.0.0/16, upTo: 24}]
    maxPrefixes: 100
    bfd: {interval: 50ms}
`,
  },
};

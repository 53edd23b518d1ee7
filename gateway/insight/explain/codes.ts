/**
 * The one table of what `vpcgw explain` can say. A check that finds nothing answers with its own name as the code; a
 * fault has a code of its own, which stays the same for as long as it means the same. Pure.
 */

/** Every check, and the question it answers. */
export const CHECKS = {
  Documents: 'Were the documents that were given last taken?',
  Machine: 'Does this machine give what a gateway needs?',
  Links: 'Are the interfaces there, up and connected?',
  Programmed: 'Does the kernel hold the documents?',
  Active: 'Is it this gateway that carries the traffic?',
  Announced: 'Does the gateway answer for the address?',
  Kernel: 'Is everything in the kernel as it should be?',
  Conflict: 'Does nobody else answer for the address?',
  NextHop: 'Does the next hop to the internet answer?',
  Upstream: 'Does the network beyond the next hop find the address here?',
  Led: 'Does something lead the traffic?',
  Ingress: 'Does the firewall let somebody open a connection?',
  Egress: 'Does the firewall let the VPC open a connection to outside?',
  Connections: 'Is no limit of connections reached?',
  Ports: 'Are there ports left for new connections to outside?',
  Table: 'Has the connection table room?',
  Bandwidth: 'Is there bandwidth left?',
  Target: 'Does the VM answer on its network?',
  Service: 'Does somebody listen at the port of the VM?',
  Replies: 'Does the VM answer by this gateway?',
  FarEnds: 'Do far ends answer what leaves?',
  Serving: 'Does some member of each pool serve, and are all up?',
  Members: 'Do the members that serve take connections?',
  Tunnel: 'Is there a tunnel, and do its peers answer?',
  Line: 'Is there a line, and does it carry?',
} as const;

export type CheckName = keyof typeof CHECKS;

export interface Fault {
  readonly check: CheckName;
  /** `Warn`: it works, but less well than the documents let expect, or not for long. */
  readonly verdict: 'Fail' | 'Warn';
  readonly meaning: string;
  readonly fix: string;
}

export const FAULTS = {
  DocumentsRefused: {
    check: 'Documents',
    verdict: 'Fail',
    meaning: 'The documents that were given last have mistakes; those before them are in force.',
    fix: 'mend the lines that are named; vpcgw validate checks them',
  },
  MachineLacking: {
    check: 'Machine',
    verdict: 'Fail',
    meaning: 'A program, a right or a kernel feature is missing, so that nothing could be put into force.',
    fix: 'vpcgw preflight says how to get it',
  },
  SwitchesUnset: {
    check: 'Machine',
    verdict: 'Warn',
    meaning: 'Kernel switches are not as they have to be, and cannot be set from here.',
    fix: 'vpcgw preflight says how to set them from outside',
  },
  InterfaceMissing: {
    check: 'Links',
    verdict: 'Fail',
    meaning: 'An interface that the documents name does not exist here.',
    fix: 'have the platform attach it, or name the right one in the VpcGateway',
  },
  LinkDown: {
    check: 'Links',
    verdict: 'Fail',
    meaning: 'An interface is down, or has no carrier.',
    fix: 'set it up, or look at its other end',
  },
  Paused: {
    check: 'Programmed',
    verdict: 'Fail',
    meaning: 'The gateway is paused, and what the documents say now is not in the kernel.',
    fix: 'take spec.paused away from the VpcGateway',
  },
  PausedUnchanged: {
    check: 'Programmed',
    verdict: 'Warn',
    meaning: 'The gateway is paused; the kernel holds what the documents say, but nothing is repaired.',
    fix: 'take spec.paused away from the VpcGateway when you are done',
  },
  NotProgrammed: {
    check: 'Programmed',
    verdict: 'Fail',
    meaning: 'The latest documents could not be put into the kernel.',
    fix: 'mend what the reason names; it is tried again every 1 to 30 s',
  },
  NotActive: {
    check: 'Active',
    verdict: 'Fail',
    meaning: 'This member of the pair does not carry the traffic, and nothing can be asked on the wire from here.',
    fix: 'ask the other member; vpcgw show failover says why this one is not active',
  },
  NotAnnounced: {
    check: 'Announced',
    verdict: 'Fail',
    meaning: 'The address does not stand on its link, so nobody on the external network finds it.',
    fix: 'find out who took it away; unless it is paused, the gateway puts it back by itself',
  },
  RouteWithdrawn: {
    check: 'Announced',
    verdict: 'Fail',
    meaning: 'The local route of a routed address is gone, so its packets do not end here.',
    fix: 'find out who took it away; unless it is paused, the gateway puts it back by itself',
  },
  Drifted: {
    check: 'Kernel',
    verdict: 'Fail',
    meaning: 'Somebody else changed what the gateway had put into the kernel.',
    fix: 'find out who; unless it is paused, the gateway repairs it by itself within seconds',
  },
  AddressConflict: {
    check: 'Conflict',
    verdict: 'Fail',
    meaning: 'Another machine on the external network answers for the address.',
    fix: 'take the address away from the machine with that MAC',
  },
  NextHopSilent: {
    check: 'NextHop',
    verdict: 'Fail',
    meaning: 'The next hop to the internet does not answer ARP or neighbour discovery.',
    fix: 'look at the router, and at the external network between it and this gateway',
  },
  NotFoundUpstream: {
    check: 'Upstream',
    verdict: 'Fail',
    meaning: "The next hop answers the gateway's own address, but not the elastic IP: its answers go elsewhere.",
    fix: 'the router needs the range of the address on this network; clear what it remembers of a former owner',
  },
  NotRoutedHere: {
    check: 'Upstream',
    verdict: 'Fail',
    meaning: 'The upstream router does not send the packets of a routed elastic IP to this gateway.',
    fix: "give the router a route for the address by way of the gateway's own external address",
  },
  Held: {
    check: 'Led',
    verdict: 'Fail',
    meaning: 'The elastic IP is kept and leads nowhere.',
    fix: 'give it a target, or name it in a DnatRule, SnatRule, LoadBalancer or VpnConnection',
  },
  NotLed: {
    check: 'Led',
    verdict: 'Fail',
    meaning: 'Nothing takes that protocol and port of the elastic IP.',
    fix: 'add a DnatRule for the port, or ask for another one',
  },
  SnatShadowed: {
    check: 'Led',
    verdict: 'Fail',
    meaning: 'No source leaves by the rule: other rules with more specific sources, or elastic IPs, take them all.',
    fix: 'take away the more specific sources, or this rule',
  },
  LeavesByAnother: {
    check: 'Led',
    verdict: 'Fail',
    meaning: 'The source leaves by something else: its own elastic IP, or a rule with a more specific source.',
    fix: 'look at what is named, or change the sources of the rule',
  },
  FirewallDenies: {
    check: 'Ingress',
    verdict: 'Fail',
    meaning: 'A policy lets nobody open the connection.',
    fix: 'add an Allow rule before the one that denies',
  },
  FirewallShadowed: {
    check: 'Ingress',
    verdict: 'Fail',
    meaning: 'A rule would allow the connection, but one that is asked before it denies it.',
    fix: 'give the rule that allows a lower priority than the one that denies',
  },
  BaselineDenies: {
    check: 'Ingress',
    verdict: 'Fail',
    meaning: "The operator's baseline denies the connection; no policy can allow it.",
    fix: 'ask the operator of the gateway',
  },
  DefaultIngressDenies: {
    check: 'Ingress',
    verdict: 'Fail',
    meaning: "No policy judges the elastic IP, and the gateway's defaultIngress is Deny.",
    fix: 'attach a FirewallPolicy that allows what is to be reached',
  },
  SourceNotAllowed: {
    check: 'Ingress',
    verdict: 'Fail',
    meaning: 'The listener of a LoadBalancer takes no connection from there; no policy can allow it.',
    fix: 'add the source to the allowedSources of the listener',
  },
  EgressDenied: {
    check: 'Egress',
    verdict: 'Fail',
    meaning: 'A policy lets the sources open no connection to outside.',
    fix: 'add an Allow rule of direction Egress before the one that denies',
  },
  NothingMayLeave: {
    check: 'Egress',
    verdict: 'Warn',
    meaning: 'The VM answers by the elastic IP, but may open no connection to outside.',
    fix: 'if it should, add an Allow rule of direction Egress before the one that denies',
  },
  ElasticIpLimitReached: {
    check: 'Connections',
    verdict: 'Fail',
    meaning: 'As many connections stand to the elastic IP as its limits.connections allows.',
    fix: 'raise the limit, or find who holds them: vpcgw show conntrack',
  },
  GatewayLimitReached: {
    check: 'Connections',
    verdict: 'Fail',
    meaning: "The gateway holds as many connections as the VpcGateway's limits.connections allows.",
    fix: 'raise the limit, or find who holds them: vpcgw show conntrack',
  },
  SourceLimitReached: {
    check: 'Connections',
    verdict: 'Fail',
    meaning: 'A VM holds as many connections as limits.connectionsPerSource allows.',
    fix: 'raise the limit, or look at what that VM does: vpcgw show conntrack',
  },
  PortsExhausted: {
    check: 'Ports',
    verdict: 'Fail',
    meaning: 'Nearly all ports of every elastic IP of the pool are in use towards one far end.',
    fix: 'add an elastic IP to the pool',
  },
  PortsLow: {
    check: 'Ports',
    verdict: 'Warn',
    meaning: 'Nearly all ports of an elastic IP are in use towards one far end; new connections leave by the next one.',
    fix: 'add an elastic IP to the pool',
  },
  SourcePortsExhausted: {
    check: 'Ports',
    verdict: 'Fail',
    meaning: 'A VM has used up its block of ports towards one far end.',
    fix: 'raise portsPerSource of the SnatRule, or look at what that VM does: vpcgw show conntrack',
  },
  ConntrackFull: {
    check: 'Table',
    verdict: 'Fail',
    meaning: 'The connection table is full: new connections are dropped.',
    fix: 'raise net.netfilter.nf_conntrack_max on the machine, or find who opens them: vpcgw show conntrack',
  },
  ConntrackNearlyFull: {
    check: 'Table',
    verdict: 'Warn',
    meaning: 'The connection table is filled to nine tenths.',
    fix: 'raise net.netfilter.nf_conntrack_max on the machine, or find who opens them: vpcgw show conntrack',
  },
  BandwidthSaturated: {
    check: 'Bandwidth',
    verdict: 'Warn',
    meaning: 'As much passes as the limit of bandwidth allows, so connections are slowed down.',
    fix: 'raise the limit of the elastic IP or of its package, or find out what passes',
  },
  BandwidthNotEnforced: {
    check: 'Bandwidth',
    verdict: 'Warn',
    meaning: 'The kernel cannot hold limits of bandwidth: everything passes without one.',
    fix: 'vpcgw preflight says what is missing',
  },
  TargetSilent: {
    check: 'Target',
    verdict: 'Fail',
    meaning: 'The VM does not answer ARP or neighbour discovery.',
    fix: 'is the VM running, has it this address, and is it in this VPC?',
  },
  RouterSilent: {
    check: 'Target',
    verdict: 'Fail',
    meaning: 'The router in the VPC that the VM is behind does not answer ARP or neighbour discovery.',
    fix: 'look at that router, or mend its address in internal.prefixes of the VpcGateway',
  },
  PortClosed: {
    check: 'Service',
    verdict: 'Fail',
    meaning: 'The VM refuses connections to the port: nothing listens there.',
    fix: 'start the service, or mend target and targetPort of the DnatRule',
  },
  ServiceSilent: {
    check: 'Service',
    verdict: 'Fail',
    meaning: 'The VM is there, but answers nothing at the port: its own firewall drops.',
    fix: "let the port in at the VM's own firewall or security group",
  },
  AnswersElsewhere: {
    check: 'Replies',
    verdict: 'Fail',
    meaning: 'The VM answers its own network, but its answers to outside do not come by this gateway.',
    fix: "make the gateway's internal address the default route of the VM",
  },
  NothingAnswers: {
    check: 'FarEnds',
    verdict: 'Warn',
    meaning: 'Connections stand to several far ends, and none of them has answered.',
    fix: 'are the far ends alive, and does the provider let the address through?',
  },
  NobodyServes: {
    check: 'Serving',
    verdict: 'Fail',
    meaning: 'No member of a pool serves: connections are refused.',
    fix: 'mend the members, or their healthCheck; vpcgw show lb says how each stands',
  },
  FailsOpen: {
    check: 'Serving',
    verdict: 'Warn',
    meaning: 'All members of a pool are down by their checks, and go on as if they were up, as allDown says.',
    fix: 'mend the members, or their healthCheck; vpcgw show lb says how each stands',
  },
  MembersDown: {
    check: 'Serving',
    verdict: 'Warn',
    meaning: 'Some members are down by their checks, and get no new connections.',
    fix: 'mend what the reason names; a member serves again when healthyThreshold checks in a row succeed',
  },
  MembersClosed: {
    check: 'Members',
    verdict: 'Warn',
    meaning: 'A member that is taken to be up takes no connection.',
    fix: 'start the service, or mend the port; a healthCheck would have taken the member out',
  },
  NoWireGuard: {
    check: 'Tunnel',
    verdict: 'Fail',
    meaning: 'This machine has nothing to make a tunnel with.',
    fix: 'vpcgw preflight says how to get it',
  },
  NoIpsec: {
    check: 'Tunnel',
    verdict: 'Fail',
    meaning: 'This machine has nothing to make a tunnel of IPsec with: a program is missing, or the kernel has no ESP.',
    fix: 'vpcgw preflight says how to get it; a connection of type WireGuard needs no kernel for it',
  },
  PeerRefuses: {
    check: 'Tunnel',
    verdict: 'Fail',
    meaning: 'The two ends of a tunnel of IPsec do not come to terms, as the reason says.',
    fix: 'compare the key and what vpcgw vpn peer-config prints with what the other end has; it is tried again by itself',
  },
  KeyUnusable: {
    check: 'Tunnel',
    verdict: 'Fail',
    meaning: 'A key that the connection names is missing, malformed, or that of a peer.',
    fix: 'vpcgw vpn keygen makes a key; the folder of keys is watched, so nothing needs to be restarted',
  },
  CertificateUnusable: {
    check: 'Tunnel',
    verdict: 'Fail',
    meaning:
      'A certificate that the connection names, or its key, is missing, malformed, out of its time, or not of the other.',
    fix: 'mend the file that the reason names; the folder of keys is watched, so nothing needs to be restarted',
  },
  PortTaken: {
    check: 'Tunnel',
    verdict: 'Fail',
    meaning: 'The members of the pair talk to each other at the port of the connection.',
    fix: 'choose another wireGuard.listenPort',
  },
  PeersSilent: {
    check: 'Tunnel',
    verdict: 'Fail',
    meaning: 'No peer answers.',
    fix: 'has the other end the public key, the endpoint and the preshared key that vpcgw vpn peer-config prints, and does UDP reach it?',
  },
  PeersDegraded: {
    check: 'Tunnel',
    verdict: 'Warn',
    meaning: 'Some peers do not answer, or lose packets.',
    fix: 'vpcgw show vpn says which',
  },
  PortMissing: {
    check: 'Line',
    verdict: 'Fail',
    meaning: 'The interface that the line ends at is not there, or carries less than its MTU.',
    fix: 'attach the interface to this gateway; the line is taken up by itself then',
  },
  NoVlan: {
    check: 'Line',
    verdict: 'Fail',
    meaning: 'The line ends at a VLAN, and this kernel has none.',
    fix: 'vpcgw preflight says how to get them; else give the line an interface of its own',
  },
  NoBird: {
    check: 'Line',
    verdict: 'Fail',
    meaning: 'The line learns its networks, and the program for that is missing.',
    fix: 'install the package bird2',
  },
  AuthKeyUnusable: {
    check: 'Line',
    verdict: 'Fail',
    meaning: 'The password of the session is missing, or holds more than a password.',
    fix: 'write it alone into the file below the folder of keys, which is watched; nothing needs to be restarted',
  },
  PeerAsMismatch: {
    check: 'Line',
    verdict: 'Fail',
    meaning: 'The two ends do not agree on their AS numbers.',
    fix: 'compare localASN and peerASN with what the other end has',
  },
  TooManyPrefixes: {
    check: 'Line',
    verdict: 'Fail',
    meaning: 'The other end told of more networks than maxPrefixes, and the session was closed.',
    fix: 'let the other end tell of fewer, or raise maxPrefixes; the session is tried again by itself',
  },
  LineDegraded: {
    check: 'Line',
    verdict: 'Warn',
    meaning: 'The session of one family of addresses is established, that of the other is not.',
    fix: 'vpcgw show bgp says why',
  },
  LineDown: {
    check: 'Line',
    verdict: 'Fail',
    meaning: 'The line has no carrier, or what is asked through it does not answer.',
    fix: 'is the other end alive, and does it forward? vpcgw show routes says what carries its networks now',
  },
} as const satisfies Record<string, Fault>;

export type FaultCode = keyof typeof FAULTS;
export type Code = CheckName | FaultCode;

/** Name and text of the page that `npm run docs` writes. */
export const explainFile = (): [string, string] => ['explain.md', explainPage()];

function explainPage(): string {
  const rows = Object.entries(FAULTS).map(
    ([code, { check, verdict, meaning, fix }]) => `| \`${code}\` | ${check} | ${verdict} | ${meaning} | ${fix} |`,
  );
  const questions = Object.entries(CHECKS).map(([name, question]) => `| \`${name}\` | ${question} |`);
  return [
    '<!-- Made by `npm run docs` from gateway/insight/explain/codes.ts. Edits are lost. -->',
    '# What `vpcgw explain` says',
    'A check that finds nothing has its own name as its code.',
    ['| Check | Question |', '|---|---|', ...questions].join('\n'),
    'What is wrong has a code of its own. `Warn` is no reason for exit code 1.',
    ['| Code | Check | Verdict | What it means | What to do |', '|---|---|---|---|---|', ...rows].join('\n'),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

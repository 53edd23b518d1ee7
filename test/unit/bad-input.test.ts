import { describe, expect, it } from 'vitest';
import { complaintsAbout, spec } from '../support/complaints.js';

// Every bad document: where it stands, what is wrong, what would be right. The expected text is what a user reads.

const GATEWAY = `apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: blue}
spec:
  internal:
    interface: vpc0
    addresses: [10.0.0.1/24, "fd00:a::1/64"]
    prefixes: [{cidr: 10.0.1.0/24, via: 10.0.0.254}]
  externals:
    - name: internet
      interface: ext0
      addresses: [100.64.0.11/24, "2001:db8:ffff::11/64"]
      gateways: [100.64.0.1, "2001:db8:ffff::1"]
`;
const eip = (name: string, address: string, more = ''): string =>
  spec('ElasticIP', name, `  address: ${address}\n${more}`);
const target = (address: string): string => `  target: {address: ${address}}\n`;
const snat = (name: string, source: string, ...pool: string[]): string =>
  spec('SnatRule', name, `  sources: [{cidr: ${source}}]\n  elasticIPs: [${pool.join(', ')}]\n`);
const dnat = (name: string, eip: string, protocol: string, rest: string): string =>
  spec('DnatRule', name, `  elasticIP: ${eip}\n  protocol: ${protocol}\n${rest}`);

/** What is said about one bad document beside a good gateway. */
const bad = (text: string): string => complaintsAbout({ 'gateway.yaml': GATEWAY, 'bad.yaml': text });
/** What is said about a gateway with one line of it exchanged. */
const badGateway = (line: string | RegExp, by: string): string => {
  const text = GATEWAY.replace(line, by);
  if (text === GATEWAY) throw new Error('nothing exchanged: the test tests nothing');
  return complaintsAbout({ 'bad.yaml': text });
};

describe('a pair', () => {
  const pair = (more: string) => badGateway(/$/, `  highAvailability: {mode: AcrossNodes, ${more}}\n`);

  it('Strict without a third voter, and a third voter that nobody asks', () => {
    const vote = 'vote: {engine: Etcd, servers: ["https://192.0.2.1:2379"]}';
    expect(pair('fencing: Strict')).toMatchInlineSnapshot(
      `"bad.yaml:14:21: spec.highAvailability.vote: is missing, and two members alone cannot be Strict: name a third voter, such as {engine: Etcd, servers: ["https://192.0.2.1:2379"]}, or use fencing: Fast, with which two members that lose sight of each other are both active until they meet again"`,
    );
    expect(pair(vote)).toMatchInlineSnapshot(
      `"bad.yaml:14:47: spec.highAvailability.vote: is only asked with fencing: Strict"`,
    );
    expect(pair('fencing: Strict, vote: {engine: Etcd, servers: ["192.0.2.1:2379"]}')).toMatchInlineSnapshot(
      `"bad.yaml:14:89: spec.highAvailability.vote.servers[0]: must be http:// or https://, an address and a port, such as https://192.0.2.1:2379"`,
    );
    expect(pair(`fencing: Strict, ${vote}`)).toBe('accepted');
  });
});

describe('fields', () => {
  it('unknown', () => {
    expect(bad(eip('web', '203.0.113.10', '  targt: {address: 10.0.0.5}\n  colour: red\n'))).toMatchInlineSnapshot(`
      "bad.yaml:6:3: spec.targt: is not a field here; did you mean target?; the fields are address, external, announcement, target, limits, bandwidth, drainTimeout
      bad.yaml:7:3: spec.colour: is not a field here; the fields are address, external, announcement, target, limits, bandwidth, drainTimeout"
    `);
    expect(bad(eip('web', '203.0.113.10', '  target: {adress: 10.0.0.5}\n'))).toMatchInlineSnapshot(`
      "bad.yaml:6:11: spec.target.address: must be an address such as 10.0.0.5; it is missing
      bad.yaml:6:12: spec.target.adress: is not a field here; did you mean address?; the fields are address"
    `);
    expect(badGateway('gateways:', 'gateway:')).toMatchInlineSnapshot(`
      "bad.yaml:10:7: spec.externals[0].gateways: is missing; a list is wanted
      bad.yaml:13:7: spec.externals[0].gateway: is not a field here; did you mean gateways?; the fields are name, interface, addresses, gateways, macMode"
    `);
    expect(badGateway('{cidr: 10.0.1.0/24, via', '{cidr: 10.0.1.0/24, vai')).toMatchInlineSnapshot(`
      "bad.yaml:8:16: spec.internal.prefixes[0].via: must be an address such as 10.0.0.5; it is missing
      bad.yaml:8:36: spec.internal.prefixes[0].vai: is not a field here; did you mean via?; the fields are cidr, via"
    `);
    expect(
      bad(
        'apiVersion: vpcgw.io/v1alpha1\nkind: ElasticIP\nmetadata: {name: a, lables: {a: b}}\nspec: {address: 203.0.113.1}\nspecs: {}\n',
      ),
    ).toMatchInlineSnapshot(`
      "bad.yaml:3:21: metadata.lables: is not a field here; did you mean labels?; the fields are name, namespace, labels, annotations, generation
      bad.yaml:5:1: specs: is not a field here; did you mean spec?; the fields are apiVersion, kind, metadata, spec, status"
    `);
  });

  it('missing', () => {
    expect(bad('apiVersion: vpcgw.io/v1alpha1\nkind: ElasticIP\nmetadata: {name: web}\n')).toMatchInlineSnapshot(
      `"bad.yaml:1:1: spec: is missing; a map is wanted"`,
    );
    expect(
      bad('apiVersion: vpcgw.io/v1alpha1\nkind: ElasticIP\nspec: {address: 203.0.113.10}\n'),
    ).toMatchInlineSnapshot(`"bad.yaml:1:1: metadata: is missing; a map is wanted"`);
    expect(bad(spec('ElasticIP', 'web', '  drainTimeout: 5s\n'))).toMatchInlineSnapshot(
      `"bad.yaml:5:3: spec.address: must be an address such as 10.0.0.5; it is missing"`,
    );
    expect(bad(spec('DnatRule', 'web', '  elasticIP: web\n'))).toMatchInlineSnapshot(`
      "bad.yaml:5:3: spec.protocol: is missing; it must be one of TCP, UDP, ICMP, Any
      bad.yaml:5:3: spec.target: must be a target such as {address: 10.0.0.5}; it is missing"
    `);
    expect(bad(spec('SnatRule', 'all', '  sources: []\n'))).toMatchInlineSnapshot(`
      "bad.yaml:5:3: spec.elasticIPs: is missing; a list is wanted
      bad.yaml:5:12: spec.sources: must not be empty"
    `);
    expect(badGateway(/  externals:[^]*/, '')).toMatchInlineSnapshot(
      `"bad.yaml:5:3: spec.externals: is missing; a list is wanted"`,
    );
    expect(badGateway('[10.0.0.1/24, "fd00:a::1/64"]', '')).toMatchInlineSnapshot(
      `"bad.yaml:7:16: spec.internal.addresses: must be a list"`,
    );
  });

  it('of the wrong type', () => {
    expect(bad(spec('ElasticIP', 'web', '  address: [203.0.113.10]\n'))).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: must be an address such as 10.0.0.5, as text, not a list"`,
    );
    expect(bad(spec('ElasticIP', 'web', '  address: 2030113\n'))).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: must be an address such as 10.0.0.5, as text, not a number"`,
    );
    expect(bad(eip('web', '203.0.113.10', '  target: 10.0.0.5\n'))).toMatchInlineSnapshot(
      `"bad.yaml:6:11: spec.target: must be a target such as {address: 10.0.0.5}, not text"`,
    );
    expect(bad(spec('SnatRule', 'all', '  sources: 10.0.0.0/24\n  elasticIPs: nat\n'))).toMatchInlineSnapshot(`
      "bad.yaml:5:12: spec.sources: must be a list
      bad.yaml:6:15: spec.elasticIPs: must be a list"
    `);
    expect(bad(spec('SnatRule', 'all', '  sources: [10.0.0.0/24]\n  elasticIPs: [7, null]\n'))).toMatchInlineSnapshot(`
      "bad.yaml:5:13: spec.sources[0]: must be a map
      bad.yaml:6:16: spec.elasticIPs[0]: must be a name such as web-1, as text, not a number
      bad.yaml:6:19: spec.elasticIPs[1]: must be a name such as web-1; it is empty"
    `);
    expect(badGateway('  externals:', '  paused: "yes"\n  externals:')).toMatchInlineSnapshot(
      `"bad.yaml:9:11: spec.paused: must be true or false"`,
    );
    expect(bad('apiVersion: vpcgw.io/v1alpha1\nkind: ElasticIP\nmetadata: web\nspec: []\n')).toMatchInlineSnapshot(`
      "bad.yaml:3:11: metadata: must be a map
      bad.yaml:4:7: spec: must be a map"
    `);
  });

  it('with a value that is none of the list', () => {
    expect(bad(eip('web', '203.0.113.10', '  announcement: Neighbour\n'))).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.announcement: "Neighbour" is not one of Neighbor, Routed; did you mean Neighbor?"`,
    );
    expect(bad(dnat('ssh', 'nat', 'tcp', '  port: 22\n  target: {address: 10.0.0.6}\n'))).toMatchInlineSnapshot(
      `"bad.yaml:6:13: spec.protocol: "tcp" is not one of TCP, UDP, ICMP, Any; did you mean TCP?"`,
    );
    expect(bad(spec('Ipv6Prefix', 'v6', '  prefix: "2001:db8:a::/64"\n  mode: full\n'))).toMatchInlineSnapshot(
      `"bad.yaml:6:9: spec.mode: "full" is not one of Full, EgressOnly; did you mean Full?"`,
    );
  });

  it('that JavaScript knows, but the language does not', () => {
    expect(
      bad(spec('ElasticIP', 'web', '  address: 203.0.113.10\n  __proto__: {target: {address: 10.0.0.5}}\n')),
    ).toMatchInlineSnapshot(
      `"bad.yaml:6:3: spec.__proto__: is not a field here; the fields are address, external, announcement, target, limits, bandwidth, drainTimeout"`,
    );
    expect(bad(spec('ElasticIP', 'web', '  address: 203.0.113.10\n  constructor: {}\n  toString: 5\n')))
      .toMatchInlineSnapshot(`
        "bad.yaml:6:3: spec.constructor: is not a field here; the fields are address, external, announcement, target, limits, bandwidth, drainTimeout
        bad.yaml:7:3: spec.toString: is not a field here; the fields are address, external, announcement, target, limits, bandwidth, drainTimeout"
      `);
    expect(bad(spec('ElasticIP', '__proto__', '  address: 203.0.113.10\n'))).toMatchInlineSnapshot(
      `"bad.yaml:3:18: metadata.name: "__proto__" is not a name: small letters, digits and -, first and last a letter or digit"`,
    );
    expect(
      bad('apiVersion: vpcgw.io/v1alpha1\nkind: constructor\nmetadata: {name: a}\nspec: {}\n'),
    ).toMatchInlineSnapshot(
      `"bad.yaml:2:7: kind: "constructor" is not a kind; the kinds are VpcGateway, ElasticIP, SnatRule, DnatRule, LoadBalancer, Ipv6Prefix, FirewallPolicy, FirewallBaseline, AddressGroup, BandwidthPackage, VpnConnection, VpnPeer, DedicatedLine"`,
    );
    expect(
      bad('apiVersion: vpcgw.io/v1alpha1\nkind: __proto__\nmetadata: {name: a}\nspec: {}\n'),
    ).toMatchInlineSnapshot(
      `"bad.yaml:2:7: kind: "__proto__" is not a kind; the kinds are VpcGateway, ElasticIP, SnatRule, DnatRule, LoadBalancer, Ipv6Prefix, FirewallPolicy, FirewallBaseline, AddressGroup, BandwidthPackage, VpnConnection, VpnPeer, DedicatedLine"`,
    );
    expect(bad(snat('all', '10.0.0.0/24', 'constructor'))).toMatchInlineSnapshot(
      `"bad.yaml:6:16: spec.elasticIPs[0]: there is no ElasticIP constructor"`,
    );
  });
});

describe('documents', () => {
  it('of an unknown kind, version or shape', () => {
    expect(
      bad('apiVersion: vpcgw.io/v1alpha1\nkind: ElasticIp\nmetadata: {name: a}\nspec: {}\n'),
    ).toMatchInlineSnapshot(
      `"bad.yaml:2:7: kind: "ElasticIp" is not a kind; did you mean ElasticIP?; the kinds are VpcGateway, ElasticIP, SnatRule, DnatRule, LoadBalancer, Ipv6Prefix, FirewallPolicy, FirewallBaseline, AddressGroup, BandwidthPackage, VpnConnection, VpnPeer, DedicatedLine"`,
    );
    expect(bad('apiVersion: vpcgw.io/v1\nkind: ElasticIP\nmetadata: {name: a}\nspec: {}\n')).toMatchInlineSnapshot(
      `"bad.yaml:1:13: apiVersion: must be vpcgw.io/v1alpha1"`,
    );
    expect(bad('kind: ElasticIP\nmetadata: {name: a}\nspec: {}\n')).toMatchInlineSnapshot(
      `"bad.yaml:1:1: apiVersion: must be vpcgw.io/v1alpha1"`,
    );
    expect(bad('apiVersion: vpcgw.io/v1alpha1\nmetadata: {name: a}\nspec: {}\n')).toMatchInlineSnapshot(
      `"bad.yaml:1:1: kind: is missing; the kinds are VpcGateway, ElasticIP, SnatRule, DnatRule, LoadBalancer, Ipv6Prefix, FirewallPolicy, FirewallBaseline, AddressGroup, BandwidthPackage, VpnConnection, VpnPeer, DedicatedLine"`,
    );
    expect(bad('- a\n- b\n')).toMatchInlineSnapshot(
      `"bad.yaml:1:1: must be an object with apiVersion, kind, metadata and spec"`,
    );
    expect(bad('just text\n')).toMatchInlineSnapshot(
      `"bad.yaml:1:1: must be an object with apiVersion, kind, metadata and spec"`,
    );
  });

  it('with bad names', () => {
    expect(bad(spec('ElasticIP', 'Web_1', '  address: 203.0.113.10\n'))).toMatchInlineSnapshot(
      `"bad.yaml:3:18: metadata.name: "Web_1" is not a name: small letters, digits and -, first and last a letter or digit"`,
    );
    expect(bad(spec('ElasticIP', 'x'.repeat(64), '  address: 203.0.113.10\n'))).toMatchInlineSnapshot(
      `"bad.yaml:3:18: metadata.name: is longer than 63 characters"`,
    );
    expect(bad(spec('ElasticIP', '12', '  address: 203.0.113.10\n'))).toMatchInlineSnapshot(
      `"bad.yaml:3:18: metadata.name: must be a name such as web-1, as text, not a number"`,
    );
    expect(badGateway('interface: ext0', 'interface: "ext 0"')).toMatchInlineSnapshot(
      `"bad.yaml:11:18: spec.externals[0].interface: "ext 0" is not the name of a network interface"`,
    );
    expect(badGateway('interface: ext0', 'interface: external-network-0')).toMatchInlineSnapshot(
      `"bad.yaml:11:18: spec.externals[0].interface: is longer than 12 characters, which leaves no room for the gateway's own link above it"`,
    );
  });

  it('that stand twice', () => {
    expect(bad(`${eip('web', '203.0.113.10')}---\n${eip('web', '203.0.113.11')}`)).toMatchInlineSnapshot(
      `"bad.yaml:9:18: metadata.name: ElasticIP/web is defined twice; the other stands at bad.yaml:1"`,
    );
    expect(bad(GATEWAY.replace('name: blue', 'name: green'))).toMatchInlineSnapshot(
      `"bad.yaml:2:7: kind: a second VpcGateway; this gateway is blue, and a supervisor runs one"`,
    );
    expect(complaintsAbout({ 'bad.yaml': eip('web', '203.0.113.10') })).toMatchInlineSnapshot(
      `"bad.yaml:2:7: kind: no document is of kind VpcGateway; one is needed, with the internal side and the external networks"`,
    );
    expect(complaintsAbout({})).toMatchInlineSnapshot(`"there are no documents; write a VpcGateway at least"`);
    expect(complaintsAbout({ 'a.yaml': '# nothing yet\n' })).toMatchInlineSnapshot(
      `"there are no documents; write a VpcGateway at least"`,
    );
  });
});

describe('scalars', () => {
  const address = (text: string): string => bad(spec('ElasticIP', 'web', `  address: ${text}\n`));

  it('addresses', () => {
    expect(address('010.0.0.1')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "010.0.0.1" has a leading zero: some programs read that as octal; write it without"`,
    );
    expect(address('"::ffff:203.0.113.10"')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "::ffff:203.0.113.10" is an IPv4-mapped IPv6 address; write the IPv4 address itself"`,
    );
    expect(address('"::ffff:cb00:710a"')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: ::ffff:cb00:710a is an IPv4-mapped IPv6 address; a host's own address is wanted"`,
    );
    expect(address('203.0.113.10/32')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "203.0.113.10/32" has a prefix length; an address alone is wanted"`,
    );
    expect(address('203.0.113.256')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "203.0.113.256" is not an IPv4 or IPv6 address"`,
    );
    expect(address('"fe80::1%eth0"')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "fe80::1%eth0" has a zone; write the address alone"`,
    );
    expect(address('example.org')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "example.org" is not an IPv4 or IPv6 address"`,
    );
    expect(address('"2001:db8::10::1"')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "2001:db8::10::1" is not an IPv4 or IPv6 address"`,
    );
    expect(address('224.0.0.1')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 224.0.0.1 is a multicast address; a host's own address is wanted"`,
    );
    expect(address('192.0.0.2')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 192.0.0.2 is in 192.0.0.0/29, which is routed nowhere (RFC 7335); a host's own address is wanted"`,
    );
    expect(address('255.255.255.255')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 255.255.255.255 is a reserved address; a host's own address is wanted"`,
    );
    expect(address('127.0.0.1')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 127.0.0.1 is a loopback address; a host's own address is wanted"`,
    );
    expect(address('0.0.0.0')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 0.0.0.0 is the unspecified address; a host's own address is wanted"`,
    );
    expect(address('"::1"')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: ::1 is the loopback address; a host's own address is wanted"`,
    );
    expect(address('"ff02::1"')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: ff02::1 is a multicast address; a host's own address is wanted"`,
    );
    expect(address('"203.0.113.10 "')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: "203.0.113.10 " is not an IPv4 or IPv6 address"`,
    );
    expect(address('""')).toMatchInlineSnapshot(`"bad.yaml:5:12: spec.address: "" is not an IPv4 or IPv6 address"`);
    expect(address(`"${'1'.repeat(100)}"`)).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: must be an address such as 10.0.0.5"`,
    );
  });

  it('prefixes', () => {
    const source = (text: string): string => bad(snat('all', text, 'nat'));
    expect(source('10.0.0.0/33')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "10.0.0.0/33": the prefix length is 0 to 32, without leading zeros"`,
    );
    expect(source('10.0.0.0/024')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "10.0.0.0/024": the prefix length is 0 to 32, without leading zeros"`,
    );
    expect(source('10.0.0.7/24')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "10.0.0.7/24" has host bits set; the network is 10.0.0.0/24"`,
    );
    expect(source('10.0.0.7')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "10.0.0.7" has no prefix length; one host is 10.0.0.7/32"`,
    );
    expect(source('"2001:db8::/129"')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "2001:db8::/129": the prefix length is 0 to 128, without leading zeros"`,
    );
    expect(source('"fd00:a::5"')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "fd00:a::5" has no prefix length; one host is fd00:a::5/128"`,
    );
    expect(source('010.0.0.0/24')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "010.0.0.0" has a leading zero: some programs read that as octal; write it without"`,
    );
    expect(source('256.1.1.1/8')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "256.1.1.1" is not an IPv4 or IPv6 address"`,
    );
    expect(source('"::ffff:10.0.0.0/120"')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "::ffff:10.0.0.0" is an IPv4-mapped IPv6 address; write the IPv4 address itself"`,
    );
    expect(source('10.0.0.0/-1')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "10.0.0.0/-1": the prefix length is 0 to 32, without leading zeros"`,
    );
    expect(source('10.0.0.0/24/24')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "10.0.0.0/24/24": the prefix length is 0 to 32, without leading zeros"`,
    );
    expect(source('10.0.0.0/')).toMatchInlineSnapshot(
      `"bad.yaml:5:20: spec.sources[0].cidr: "10.0.0.0/": the prefix length is 0 to 32, without leading zeros"`,
    );
  });

  it('interface addresses', () => {
    expect(badGateway('10.0.0.1/24', '10.0.0.1')).toMatchInlineSnapshot(
      `"bad.yaml:7:17: spec.internal.addresses[0]: "10.0.0.1" has no prefix length; write that of its network too, such as 10.0.0.1/24"`,
    );
    expect(badGateway('10.0.0.1/24', '10.0.0.1/33')).toMatchInlineSnapshot(
      `"bad.yaml:7:17: spec.internal.addresses[0]: "10.0.0.1/33": the prefix length is 0 to 32, without leading zeros"`,
    );
    expect(badGateway('10.0.0.1/24', '010.0.0.1/24')).toMatchInlineSnapshot(
      `"bad.yaml:7:17: spec.internal.addresses[0]: "010.0.0.1" has a leading zero: some programs read that as octal; write it without"`,
    );
    expect(badGateway('10.0.0.1/24', '10.0.0.0/24')).toMatchInlineSnapshot(
      `"bad.yaml:7:17: spec.internal.addresses[0]: 10.0.0.0/24 is the address of the network 10.0.0.0/24 itself; a host's own address is wanted"`,
    );
  });

  it('durations', () => {
    const drain = (text: string): string => bad(eip('web', '203.0.113.10', `  drainTimeout: ${text}\n`));
    expect(drain('30')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: must be a duration such as 30s, as text, not a number"`,
    );
    expect(drain('"30"')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: "30" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s"`,
    );
    expect(drain('30sec')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: "30sec" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s"`,
    );
    expect(drain('1.5h')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: "1.5h" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s"`,
    );
    expect(drain('-5s')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: "-5s" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s"`,
    );
    expect(drain('5 s')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: "5 s" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s"`,
    );
    expect(drain('1m30s')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: "1m30s" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s"`,
    );
    expect(drain('30S')).toMatchInlineSnapshot(
      `"bad.yaml:6:17: spec.drainTimeout: "30S" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s"`,
    );
    expect(
      badGateway('  externals:', '  timeouts: {tcpEstablished: 900, udp: 30 seconds, tcpEstablishd: 5m}\n  externals:'),
    ).toMatchInlineSnapshot(`
      "bad.yaml:9:30: spec.timeouts.tcpEstablished: must be a duration such as 30s, as text, not a number
      bad.yaml:9:40: spec.timeouts.udp: "30 seconds" is not a duration: a whole number and one of ms, s, m, h, d, such as 30s
      bad.yaml:9:52: spec.timeouts.tcpEstablishd: is not a field here; did you mean tcpEstablished?; the fields are tcpEstablished, tcpSynSent, tcpFinWait, tcpTimeWait, tcpClose, udp, udpStream, icmp, generic"
    `);
  });

  it('ports and other numbers', () => {
    const port = (rest: string): string => bad(dnat('ssh', 'nat', 'TCP', `${rest}  target: {address: 10.0.0.6}\n`));
    expect(port('  port: "80"\n')).toMatchInlineSnapshot(
      `"bad.yaml:7:9: spec.port: must be a port, 1 to 65535, as a number without quotes, not text"`,
    );
    expect(port('  port: 0\n')).toMatchInlineSnapshot(`"bad.yaml:7:9: spec.port: must be a port, 1 to 65535"`);
    expect(port('  port: 65536\n')).toMatchInlineSnapshot(`"bad.yaml:7:9: spec.port: must be a port, 1 to 65535"`);
    expect(port('  port: 080\n')).toMatchInlineSnapshot(`"bad.yaml:7:9: spec.port: 080 has a leading zero; write 80"`);
    expect(port('  port: 8.5\n')).toMatchInlineSnapshot(`"bad.yaml:7:9: spec.port: must be a port, 1 to 65535"`);
    expect(port('  port: 0x50\n')).toMatchInlineSnapshot(`"bad.yaml:5:14: spec.elasticIP: there is no ElasticIP nat"`);
    expect(port('  port: 90\n  endPort: 80\n')).toMatchInlineSnapshot(
      `"bad.yaml:8:12: spec.endPort: is 80, below port 90"`,
    );
    expect(port('  endPort: 80\n')).toMatchInlineSnapshot(
      `"bad.yaml:5:3: spec.port: is missing: a TCP rule needs a port"`,
    );
    expect(port('  port: 60000\n  endPort: 60100\n  targetPort: 65500\n')).toMatchInlineSnapshot(
      `"bad.yaml:9:15: spec.targetPort: the range of 101 ports ends above 65535"`,
    );
    expect(bad(dnat('ping', 'nat', 'ICMP', '  port: 80\n  target: {address: 10.0.0.6}\n'))).toMatchInlineSnapshot(
      `"bad.yaml:7:9: spec.port: has no meaning for protocol ICMP; leave it out"`,
    );
    expect(bad(dnat('all', 'nat', 'Any', '  port: 80\n  targetPort: 80\n  target: {address: 10.0.0.6}\n')))
      .toMatchInlineSnapshot(`
      "bad.yaml:7:9: spec.port: has no meaning for protocol Any; leave it out
      bad.yaml:8:15: spec.targetPort: has no meaning for protocol Any; leave it out"
    `);
    expect(badGateway('  externals:', '  conntrack: {size: 10}\n  limits: {connectionsPerSource: 0}\n  externals:'))
      .toMatchInlineSnapshot(`
      "bad.yaml:9:21: spec.conntrack.size: must be 1024 or more
      bad.yaml:10:34: spec.limits.connectionsPerSource: must be 1 or more"
    `);
    expect(badGateway('  externals:', '  conntrack: {size: 1M}\n  externals:')).toMatchInlineSnapshot(
      `"bad.yaml:9:21: spec.conntrack.size: must be a number"`,
    );
    expect(
      bad(spec('SnatRule', 'all', '  sources: [{cidr: 10.0.0.0/24}]\n  elasticIPs: [nat]\n  portsPerSource: 8\n')),
    ).toMatchInlineSnapshot(`"bad.yaml:7:19: spec.portsPerSource: must be 64 or more"`);
  });
});

describe('the gateway', () => {
  it('whose addresses do not fit together', () => {
    expect(badGateway('[10.0.0.1/24, "fd00:a::1/64"]', '[10.0.0.1/24, 10.0.9.1/24]')).toMatchInlineSnapshot(
      `"bad.yaml:7:30: spec.internal.addresses[1]: a second IPv4 address; the next hop is one per family"`,
    );
    expect(badGateway('via: 10.0.0.254', 'via: 10.9.0.254')).toMatchInlineSnapshot(
      `"bad.yaml:8:41: spec.internal.prefixes[0].via: 10.9.0.254 is in none of the gateway's own subnets (10.0.0.0/24, fd00:a::/64)"`,
    );
    expect(badGateway('via: 10.0.0.254', 'via: "fd00:a::fe"')).toMatchInlineSnapshot(
      `"bad.yaml:8:41: spec.internal.prefixes[0].via: fd00:a::fe is not of the family of 10.0.1.0/24"`,
    );
    expect(badGateway('{cidr: 10.0.1.0/24', '{cidr: 10.0.0.0/16')).toMatchInlineSnapshot(
      `"bad.yaml:8:23: spec.internal.prefixes[0].cidr: 10.0.0.0/16 takes in 10.0.0.0/24, which the VPC has already"`,
    );
    expect(
      badGateway('{cidr: 10.0.1.0/24', '{cidr: 10.0.1.0/24, via: 10.0.0.253}, {cidr: 10.0.1.0/24'),
    ).toMatchInlineSnapshot(
      `"bad.yaml:8:61: spec.internal.prefixes[1].cidr: 10.0.1.0/24 is a prefix of the VPC already"`,
    );
    expect(badGateway('100.64.0.11/24,', '10.0.1.11/24,')).toMatchInlineSnapshot(`
      "bad.yaml:12:19: spec.externals[0].addresses[0]: 10.0.1.0/24 overlaps the VPC's 10.0.1.0/24; the two sides must differ
      bad.yaml:13:18: spec.externals[0].gateways[0]: 100.64.0.1 is not in 10.0.1.0/24"
    `);
    expect(badGateway('[100.64.0.1,', '[100.65.0.1,')).toMatchInlineSnapshot(
      `"bad.yaml:13:18: spec.externals[0].gateways[0]: 100.65.0.1 is not in 100.64.0.0/24"`,
    );
    expect(badGateway('[100.64.0.1,', '[100.64.0.11,')).toMatchInlineSnapshot(
      `"bad.yaml:13:18: spec.externals[0].gateways[0]: 100.64.0.11 is the gateway's own address"`,
    );
    expect(badGateway('[100.64.0.1, "2001:db8:ffff::1"]', '[100.64.0.1, 100.64.0.2]')).toMatchInlineSnapshot(
      `"bad.yaml:13:30: spec.externals[0].gateways[1]: a second IPv4 next hop; one per family"`,
    );
    expect(badGateway('[100.64.0.11/24, "2001:db8:ffff::11/64"]', '[100.64.0.11/24]')).toMatchInlineSnapshot(
      `"bad.yaml:13:30: spec.externals[0].gateways[1]: 2001:db8:ffff::1 needs an address of the gateway of the same family in addresses"`,
    );
    expect(badGateway('interface: ext0', 'interface: vpc0')).toMatchInlineSnapshot(
      `"bad.yaml:11:18: spec.externals[0].interface: vpc0 is in use by spec.internal already"`,
    );
    expect(badGateway('  externals:', '  management: {interface: ext0}\n  externals:')).toMatchInlineSnapshot(
      `"bad.yaml:12:18: spec.externals[0].interface: ext0 is in use by spec.management already"`,
    );
    expect(badGateway(/(    - name: internet[^]*)/, '$1$1')).toMatchInlineSnapshot(`
      "bad.yaml:14:13: spec.externals[1].name: a second external network internet
      bad.yaml:15:18: spec.externals[1].interface: ext0 is in use by spec.externals[0] already"
    `);
  });
});

describe('objects', () => {
  it('dangling names', () => {
    const natted = eip('nat-main', '203.0.113.20');
    expect(bad(`${natted}---\n${snat('all', '10.0.0.0/24', 'nat-mian')}`)).toMatchInlineSnapshot(
      `"bad.yaml:12:16: spec.elasticIPs[0]: there is no ElasticIP nat-mian; did you mean nat-main?"`,
    );
    expect(bad(`${natted}---\n${snat('all', '10.0.0.0/24', 'nat-main', 'something')}`)).toMatchInlineSnapshot(
      `"bad.yaml:12:26: spec.elasticIPs[1]: there is no ElasticIP something"`,
    );
    expect(
      bad(`${natted}---\n${dnat('ssh', 'nat-maim', 'TCP', '  port: 22\n  target: {address: 10.0.0.6}\n')}`),
    ).toMatchInlineSnapshot(`"bad.yaml:11:14: spec.elasticIP: there is no ElasticIP nat-maim; did you mean nat-main?"`);
    expect(bad(eip('web', '203.0.113.10', '  external: internt\n'))).toMatchInlineSnapshot(
      `"bad.yaml:6:13: spec.external: the gateway has no external network internt; did you mean internet?; it has internet"`,
    );
    expect(bad(spec('Ipv6Prefix', 'v6', '  prefix: "fd00:a::/64"\n  external: dark\n'))).toMatchInlineSnapshot(
      `"bad.yaml:6:13: spec.external: the gateway has no external network dark; it has internet"`,
    );
  });

  it('one address in two objects', () => {
    expect(bad(`${eip('a', '203.0.113.10')}---\n${eip('b', '203.0.113.10')}`)).toMatchInlineSnapshot(
      `"bad.yaml:11:12: spec.address: 203.0.113.10 is the address of ElasticIP/a (bad.yaml:1) too"`,
    );
    expect(bad(`${eip('a', '"2001:db8:e::10"')}---\n${eip('b', '"2001:0db8:000e:0:0::10"')}`)).toMatchInlineSnapshot(
      `"bad.yaml:11:12: spec.address: 2001:db8:e::10 is the address of ElasticIP/a (bad.yaml:1) too"`,
    );
    expect(bad(eip('a', '100.64.0.11'))).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 100.64.0.11 is the gateway's own address on internet"`,
    );
    expect(bad(eip('a', '100.64.0.1'))).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 100.64.0.1 is the next hop of internet"`,
    );
    expect(bad(eip('a', '10.0.0.1'))).toMatchInlineSnapshot(`
      "bad.yaml:5:12: spec.address: 10.0.0.1 is the VPC's next hop
      bad.yaml:5:12: spec.address: 10.0.0.1 is inside the VPC's own 10.0.0.0/24"
    `);
    expect(bad(eip('a', '10.0.0.77'))).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 10.0.0.77 is inside the VPC's own 10.0.0.0/24"`,
    );
    expect(
      bad(`${eip('a', '203.0.113.10', target('10.0.0.5'))}---\n${eip('b', '203.0.113.11', target('10.0.0.5'))}`),
    ).toMatchInlineSnapshot(
      `"bad.yaml:13:21: spec.target.address: 10.0.0.5 is the 1:1 target of ElasticIP/a (bad.yaml:1) already; it could leave by one of them only"`,
    );
  });

  it('targets', () => {
    expect(bad(eip('a', '203.0.113.10', target('10.9.0.5')))).toMatchInlineSnapshot(
      `"bad.yaml:6:21: spec.target.address: 10.9.0.5 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)"`,
    );
    expect(bad(eip('a', '203.0.113.10', target('10.0.0.1')))).toMatchInlineSnapshot(
      `"bad.yaml:6:21: spec.target.address: 10.0.0.1 is the gateway's own address"`,
    );
    expect(bad(eip('a', '203.0.113.10', target('"fd00:a::5"')))).toMatchInlineSnapshot(
      `"bad.yaml:6:21: spec.target.address: fd00:a::5 is not of the family of 203.0.113.10; an elastic IP and its target are both IPv4 or both IPv6"`,
    );
    expect(bad(eip('a', '"2001:db8:e::10"', target('10.0.0.5')))).toMatchInlineSnapshot(
      `"bad.yaml:6:21: spec.target.address: 10.0.0.5 is not of the family of 2001:db8:e::10; an elastic IP and its target are both IPv4 or both IPv6"`,
    );
    expect(bad(eip('a', '203.0.113.10', target('8.8.8.8')))).toMatchInlineSnapshot(
      `"bad.yaml:6:21: spec.target.address: 8.8.8.8 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)"`,
    );
    expect(
      bad(
        `${eip('nat', '203.0.113.20')}---\n${dnat('ssh', 'nat', 'TCP', '  port: 22\n  target: {address: 192.168.0.6}\n')}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:14:21: spec.target.address: 192.168.0.6 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)"`,
    );
    expect(bad(eip('a', '203.0.113.10', '  target: {address: 10.0.0.5, ref: vm-5}\n'))).toMatchInlineSnapshot(
      `"bad.yaml:6:31: spec.target.ref: is not a field here; the fields are address"`,
    );
  });

  it('overlapping ports', () => {
    const rule = (name: string, protocol: string, rest: string): string =>
      dnat(name, 'nat', protocol, `${rest}  target: {address: 10.0.0.6}\n`);
    const both = (...rules: string[]): string => bad([eip('nat', '203.0.113.20'), ...rules].join('---\n'));
    expect(both(rule('a', 'TCP', '  port: 80\n'), rule('b', 'TCP', '  port: 80\n'))).toMatchInlineSnapshot(
      `"bad.yaml:22:9: spec.port: TCP 203.0.113.20 port 80 overlaps TCP 203.0.113.20 port 80 of DnatRule/a (bad.yaml:7)"`,
    );
    expect(
      both(rule('a', 'TCP', '  port: 8000\n  endPort: 8100\n'), rule('b', 'TCP', '  port: 8100\n  endPort: 8200\n')),
    ).toMatchInlineSnapshot(
      `"bad.yaml:23:9: spec.port: TCP 203.0.113.20 port 8100-8200 overlaps TCP 203.0.113.20 port 8000-8100 of DnatRule/a (bad.yaml:7)"`,
    );
    expect(
      both(
        rule('z', 'TCP', '  port: 1\n  endPort: 65535\n'),
        rule('b', 'TCP', '  port: 80\n'),
        rule('c', 'TCP', '  port: 443\n'),
      ),
    ).toMatchInlineSnapshot(`
      "bad.yaml:23:9: spec.port: TCP 203.0.113.20 port 80 overlaps TCP 203.0.113.20 port 1-65535 of DnatRule/z (bad.yaml:7)
      bad.yaml:32:9: spec.port: TCP 203.0.113.20 port 443 overlaps TCP 203.0.113.20 port 1-65535 of DnatRule/z (bad.yaml:7)"
    `);
    expect(both(rule('a', 'ICMP', ''), rule('b', 'ICMP', ''))).toMatchInlineSnapshot(
      `"bad.yaml:20:13: spec.protocol: ICMP 203.0.113.20 overlaps ICMP 203.0.113.20 of DnatRule/a (bad.yaml:7)"`,
    );
    expect(both(rule('a', 'Any', ''), rule('b', 'Any', ''))).toMatchInlineSnapshot(
      `"bad.yaml:20:13: spec.protocol: all of 203.0.113.20 overlaps all of 203.0.113.20 of DnatRule/a (bad.yaml:7)"`,
    );
    expect(
      both(rule('a', 'TCP', '  port: 80\n'), rule('b', 'UDP', '  port: 80\n'), rule('c', 'TCP', '  port: 81\n')),
    ).toBe('accepted');
  });

  it('a whole address beside others', () => {
    expect(
      bad(`${eip('a', '203.0.113.10', target('10.0.0.5'))}---\n${snat('all', '10.0.0.0/24', 'a')}`),
    ).toMatchInlineSnapshot(
      `"bad.yaml:13:16: spec.elasticIPs[0]: ElasticIP/a (bad.yaml:1) is bound 1:1 to 10.0.0.5; others cannot leave by it"`,
    );
    expect(
      bad(
        `${eip('a', '203.0.113.10')}---\n${dnat('d', 'a', 'Any', target('10.0.0.5'))}---\n${snat('all', '10.0.0.0/24', 'a')}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:20:16: spec.elasticIPs[0]: DnatRule/d (bad.yaml:7) takes all of 203.0.113.10; others cannot leave by it"`,
    );
    expect(
      bad(`${eip('a', '203.0.113.10', target('10.0.0.5'))}---\n${dnat('d', 'a', 'Any', target('10.0.0.6'))}`),
    ).toMatchInlineSnapshot(
      `"bad.yaml:13:13: spec.protocol: all of 203.0.113.10 overlaps the 1:1 binding of 203.0.113.10 of ElasticIP/a (bad.yaml:1)"`,
    );
    expect(
      bad(
        `${eip('a', '203.0.113.10', target('10.0.0.5'))}---\n${dnat('d', 'a', 'TCP', `  port: 80\n${target('10.0.0.6')}`)}`,
      ),
    ).toBe('accepted');
  });

  it('SNAT that cannot be', () => {
    const pool = `${eip('a', '203.0.113.10')}---\n${eip('b', '203.0.113.11')}---\n${eip('six', '"2001:db8:e::10"')}`;
    const withPool = (...rules: string[]): string => bad([pool, ...rules].join('---\n'));
    expect(withPool(snat('all', '10.9.0.0/24', 'a'))).toMatchInlineSnapshot(
      `"bad.yaml:23:20: spec.sources[0].cidr: 10.9.0.0/24 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)"`,
    );
    expect(withPool(snat('all', '"fd00:a::/64"', 'a'))).toMatchInlineSnapshot(
      `"bad.yaml:23:20: spec.sources[0].cidr: fd00:a::/64 is IPv6, and no elastic IP of the pool is"`,
    );
    expect(withPool(snat('all', '10.0.0.0/24', 'six'))).toMatchInlineSnapshot(
      `"bad.yaml:23:20: spec.sources[0].cidr: 10.0.0.0/24 is IPv4, and no elastic IP of the pool is"`,
    );
    expect(withPool(snat('all', '10.0.0.0/24', 'a', 'b', 'a'))).toMatchInlineSnapshot(
      `"bad.yaml:24:22: spec.elasticIPs[2]: a stands twice in the pool"`,
    );
    expect(withPool(snat('one', '10.0.0.0/24', 'a'), snat('two', '10.0.0.0/24', 'b'))).toMatchInlineSnapshot(
      `"bad.yaml:30:20: spec.sources[0].cidr: 10.0.0.0/24 is a source of SnatRule/one (bad.yaml:19) already"`,
    );
    expect(withPool(snat('one', '10.0.0.0/24', 'a'), snat('two', '10.0.0.0/25', 'b'))).toBe('accepted');
  });

  it('load balancers', () => {
    const balancer = (rest: string): string => spec('LoadBalancer', 'shop', rest);
    const pool = (members: string, name = 'web'): string => `    - {name: ${name}, members: [${members}]}\n`;
    const web = pool('{address: 10.0.0.21, port: 8080}');
    const listener = (fields: string): string => `    - {protocol: TCP, ${fields}, pool: web}\n`;
    const inside = (pools: string, listeners: string): string =>
      bad(balancer(`  address: 10.0.0.100\n  pools:\n${pools}  listeners:\n${listeners}`));
    expect(bad(balancer(`  pools:\n${web}  listeners:\n${listener('port: 80')}`))).toMatchInlineSnapshot(
      `"bad.yaml:5:3: spec: must have elasticIP, address or both: where it is reached"`,
    );
    expect(inside(web, listener('port: 80'))).toBe('accepted');
    expect(inside(web, '    - {protocol: TCP, port: 80, pool: wep}\n')).toMatchInlineSnapshot(
      `"bad.yaml:9:39: spec.listeners[0].pool: there is no pool wep; did you mean web?"`,
    );
    expect(inside(web, `${listener('port: 80, endPort: 90')}${listener('port: 8, endPort: 7')}`)).toMatchInlineSnapshot(
      `"bad.yaml:10:41: spec.listeners[1].endPort: is 7, below port 8"`,
    );
    expect(inside(web, `${listener('port: 80, idleTimeout: 500ms')}${listener('port: 81, idleTimeout: 25h')}`))
      .toMatchInlineSnapshot(`
        "bad.yaml:9:46: spec.listeners[0].idleTimeout: must be 1s to 24h
        bad.yaml:10:46: spec.listeners[1].idleTimeout: must be 1s to 24h"
      `);
    expect(inside(web, `${listener('port: 80')}${listener('port: 79, endPort: 80')}`)).toMatchInlineSnapshot(`
      "bad.yaml:9:29: spec.listeners[0].port: TCP 10.0.0.100 port 80 overlaps TCP 10.0.0.100 port 79-80 of LoadBalancer/shop (bad.yaml:1)
      bad.yaml:10:42: spec.listeners[1].endPort: a range keeps its ports, and 10.0.0.21 of pool web has port 8080"
    `);
    expect(
      inside(
        pool('{address: 10.0.0.1}, {address: 10.9.0.1}, {address: 10.0.0.9}, {address: 10.0.0.9}'),
        listener('port: 80'),
      ),
    ).toMatchInlineSnapshot(`
      "bad.yaml:7:39: spec.pools[0].members[0].address: 10.0.0.1 is the gateway's own address
      bad.yaml:7:60: spec.pools[0].members[1].address: 10.9.0.1 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)
      bad.yaml:7:102: spec.pools[0].members[3].address: 10.0.0.9 stands twice in web"
    `);
    expect(
      inside(pool('{address: 10.0.0.9}, {address: 10.0.0.9, port: 80}'), listener('port: 80')),
    ).toMatchInlineSnapshot(`"bad.yaml:9:39: spec.listeners[0].pool: 10.0.0.9 port 80 stands twice in web"`);
    expect(inside(pool('{address: "fd00:a::5"}'), listener('port: 80'))).toMatchInlineSnapshot(
      `"bad.yaml:9:39: spec.listeners[0].pool: 10.0.0.100 is IPv4, and no member of web is"`,
    );
    expect(inside(pool('{address: 10.0.0.100, weight: 257}'), listener('port: 80'))).toMatchInlineSnapshot(
      `"bad.yaml:7:59: spec.pools[0].members[0].weight: must be 256 or less"`,
    );
    expect(inside(pool('{address: 10.0.0.100}'), listener('port: 80'))).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 10.0.0.100 is a member of a pool"`,
    );
    const at = (address: string): string =>
      bad(balancer(`  address: ${address}\n  pools:\n${web}  listeners:\n${listener('port: 80')}`));
    expect(at('10.0.0.1')).toMatchInlineSnapshot(`"bad.yaml:5:12: spec.address: 10.0.0.1 is the VPC's next hop"`);
    expect(at('10.0.1.7')).toMatchInlineSnapshot(
      `"bad.yaml:5:12: spec.address: 10.0.1.7 is in none of the gateway's own subnets (10.0.0.0/24, fd00:a::/64), where it has to answer for it"`,
    );
    expect(at('10.0.0.254')).toMatchInlineSnapshot(`"bad.yaml:5:12: spec.address: 10.0.0.254 is a router of the VPC"`);
    const both = [
      eip('nat', '203.0.113.20', target('10.0.0.100')),
      dnat('http', 'nat', 'TCP', '  port: 80\n  target: {address: 10.0.0.6}\n'),
      balancer(`  elasticIP: nat\n  address: 10.0.0.100\n  pools:\n${web}  listeners:\n${listener('port: 80')}`),
    ];
    expect(bad(both.join('---\n'))).toMatchInlineSnapshot(`
      "bad.yaml:14:9: spec.port: TCP 203.0.113.20 port 80 overlaps TCP 203.0.113.20 port 80 of LoadBalancer/shop (bad.yaml:17)
      bad.yaml:22:12: spec.address: 10.0.0.100 is the 1:1 target of ElasticIP/nat (bad.yaml:1)"
    `);
  });

  it('IPv6 prefixes', () => {
    expect(bad(spec('Ipv6Prefix', 'v6', '  prefix: 10.0.0.0/24\n'))).toMatchInlineSnapshot(
      `"bad.yaml:5:11: spec.prefix: must be an IPv6 prefix"`,
    );
    expect(bad(spec('Ipv6Prefix', 'v6', '  prefix: "2001:db8:a::/64"\n'))).toMatchInlineSnapshot(
      `"bad.yaml:5:11: spec.prefix: 2001:db8:a::/64 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)"`,
    );
    expect(
      bad(spec('Ipv6Prefix', 'v6', '  prefix: "2001:db8:a::/64"\n  translate: {internal: "fd00:a::/72"}\n')),
    ).toMatchInlineSnapshot(
      `"bad.yaml:6:25: spec.translate.internal: fd00:a::/72 must be an IPv6 prefix of length 64, like 2001:db8:a::/64"`,
    );
    expect(
      bad(spec('Ipv6Prefix', 'v6', '  prefix: "2001:db8:a::/64"\n  translate: {internal: 10.0.0.0/24}\n')),
    ).toMatchInlineSnapshot(
      `"bad.yaml:6:25: spec.translate.internal: 10.0.0.0/24 must be an IPv6 prefix of length 64, like 2001:db8:a::/64"`,
    );
    expect(
      bad(
        `${spec('Ipv6Prefix', 'b', '  prefix: "fd00:a::/64"\n')}---\n${spec('Ipv6Prefix', 'a', '  prefix: "fd00:a::/72"\n')}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:5:11: spec.prefix: fd00:a::/64 overlaps fd00:a::/72 of Ipv6Prefix/a (bad.yaml:7)"`,
    );
  });
});

describe('VPN connections', () => {
  const KEY = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
  const OTHER = 'TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=';
  const peer = (name: string, key: string, network: string, more = ''): string =>
    `      - {name: ${name}, publicKey: ${key}, networks: [${network}]${more}}\n`;
  const vpn = (
    name: string,
    peers: string,
    { local = '10.0.0.0/24', more = '', end = '', key = 'own.key' } = {},
  ): string =>
    spec(
      'VpnConnection',
      name,
      `  type: WireGuard\n  elasticIP: vpn\n  localNetworks: [${local}]\n${more}  wireGuard:\n    keyRef: {file: ${key}}\n${end}    peers:\n${peers}`,
    );
  const beside = (text: string): string => bad(`${text}---\n${eip('vpn', '203.0.113.60')}`);
  const site = peer('site', KEY, '192.168.77.0/24');

  it('good ones', () => {
    expect(beside(vpn('a', site))).toBe('accepted');
  });

  it('keys and names of files', () => {
    expect(beside(vpn('a', peer('site', 'c2hvcnQ=', '192.168.77.0/24')))).toMatchInlineSnapshot(
      `"bad.yaml:11:33: spec.wireGuard.peers[0].publicKey: "c2hvcnQ=" is not a public key: 44 characters of base64, as wg pubkey prints them, are wanted"`,
    );
    expect(beside(vpn('a', site, { key: '../shadow' }))).toMatchInlineSnapshot(
      `"bad.yaml:9:20: spec.wireGuard.keyRef.file: "../shadow" is not the name of a file below the folder of keys, such as office.key or office/private"`,
    );
    expect(beside(vpn('a', peer('site', KEY, '192.168.77.0/24', ', privateKey: x')))).toMatchInlineSnapshot(
      `"bad.yaml:11:108: spec.wireGuard.peers[0].privateKey: is not a field here; the fields are name, publicKey, presharedKeyRef, endpoint, networks, keepalive, probe"`,
    );
    expect(
      beside(vpn('a', peer('site', KEY, '192.168.77.0/24', ', presharedKeyRef: {file: own.key}'))),
    ).toMatchInlineSnapshot(
      `"bad.yaml:11:132: spec.wireGuard.peers[0].presharedKeyRef.file: own.key is the private key of a already"`,
    );
    expect(beside(vpn('a', `${site}${peer('site', KEY, '192.168.78.0/24')}`))).toMatchInlineSnapshot(`
      "bad.yaml:12:16: spec.wireGuard.peers[1].name: a second peer site
      bad.yaml:12:33: spec.wireGuard.peers[1].publicKey: is the public key of peer site already"
    `);
  });

  it('networks', () => {
    expect(beside(vpn('a', `${site}${peer('twin', OTHER, '192.168.77.0/24')}`))).toMatchInlineSnapshot(
      `"bad.yaml:12:90: spec.wireGuard.peers[1].networks[0]: 192.168.77.0/24 is a network of peer site of VpnConnection/a (bad.yaml:1) already"`,
    );
    expect(
      beside(
        `${vpn('a', site)}---\n${vpn('b', peer('far', OTHER, '192.168.77.0/24'), { end: '    listenPort: 51821\n' })}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:24:89: spec.wireGuard.peers[0].networks[0]: 192.168.77.0/24 is a network of peer site of VpnConnection/a (bad.yaml:1) already; where either may carry it, give each connection a priority"`,
    );
    expect(beside(vpn('a', peer('site', KEY, '10.0.0.0/8')))).toMatchInlineSnapshot(
      `"bad.yaml:11:90: spec.wireGuard.peers[0].networks[0]: 10.0.0.0/8 swallows the VPC's 10.0.0.0/24"`,
    );
    expect(beside(vpn('a', peer('site', KEY, '0.0.0.0/0')))).toMatchInlineSnapshot(
      `"bad.yaml:11:90: spec.wireGuard.peers[0].networks[0]: 0.0.0.0/0 swallows the VPC's 10.0.0.0/24"`,
    );
    expect(beside(vpn('a', peer('site', KEY, '100.64.0.0/25')))).toMatchInlineSnapshot(
      `"bad.yaml:11:90: spec.wireGuard.peers[0].networks[0]: 100.64.0.0/25 overlaps external network internet's 100.64.0.0/24"`,
    );
    expect(
      beside(vpn('a', peer('site', KEY, '192.168.77.0/24', ', probe: {address: 192.168.78.1}'))),
    ).toMatchInlineSnapshot(
      `"bad.yaml:11:125: spec.wireGuard.peers[0].probe.address: 192.168.78.1 is in none of its networks (192.168.77.0/24)"`,
    );
    expect(beside(vpn('a', site, { local: '10.9.0.0/24' }))).toMatchInlineSnapshot(
      `"bad.yaml:7:19: spec.localNetworks[0]: 10.9.0.0/24 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)"`,
    );
    expect(beside(vpn('a', site, { local: '10.0.0.0/24, 10.0.0.0/25' }))).toMatchInlineSnapshot(
      `"bad.yaml:7:32: spec.localNetworks[1]: 10.0.0.0/25 overlaps 10.0.0.0/24, which stands there already"`,
    );
  });

  it('peers in documents of their own', () => {
    const own = (name: string, key: string, network: string, more = ''): string =>
      spec('VpnPeer', name, `  connection: a\n  publicKey: ${key}\n  networks: [${network}]\n${more}`);
    const both = (text: string): string => beside(`${vpn('a', site)}---\n${text}`);
    expect(both(own('branch', OTHER, '192.168.78.0/24'))).toBe('accepted');
    expect(
      both(own('branch', OTHER, '192.168.78.0/24').replace('connection: a', 'connection: b')),
    ).toMatchInlineSnapshot(`"bad.yaml:17:15: spec.connection: there is no VpnConnection b"`);
    expect(both(own('site', KEY, '192.168.77.0/24'))).toMatchInlineSnapshot(`
      "bad.yaml:15:18: metadata.name: a second peer site of a
      bad.yaml:18:14: spec.publicKey: is the public key of peer site already
      bad.yaml:19:14: spec.networks[0]: 192.168.77.0/24 is a network of peer site of VpnConnection/a (bad.yaml:1) already"
    `);
    expect(
      both(
        own('branch', OTHER, '10.0.0.0/8', '  presharedKeyRef: {file: own.key}\n  probe: {address: 192.168.78.1}\n'),
      ),
    ).toMatchInlineSnapshot(`
      "bad.yaml:19:14: spec.networks[0]: 10.0.0.0/8 swallows the VPC's 10.0.0.0/24
      bad.yaml:20:27: spec.presharedKeyRef.file: own.key is the private key of a already
      bad.yaml:21:20: spec.probe.address: 192.168.78.1 is in none of its networks (10.0.0.0/8)"
    `);
    expect(both(own('branch', OTHER, '192.168.78.0/24', '  name: x\n'))).toMatchInlineSnapshot(
      `"bad.yaml:20:3: spec.name: is not a field here; the fields are connection, publicKey, presharedKeyRef, endpoint, networks, keepalive, probe"`,
    );
  });

  it('translations', () => {
    const translate = (network: string, as: string) => ({ more: `  translate: [{network: ${network}, as: ${as}}]\n` });
    expect(beside(vpn('a', site, translate('10.0.1.0/24', '100.64.7.0/24')))).toMatchInlineSnapshot(
      `"bad.yaml:8:25: spec.translate[0].network: 10.0.1.0/24 is none of localNetworks (10.0.0.0/24)"`,
    );
    expect(beside(vpn('a', site, translate('10.0.0.0/24', '100.64.7.0/25')))).toMatchInlineSnapshot(
      `"bad.yaml:8:42: spec.translate[0].as: 100.64.7.0/25 must be of the same length as 10.0.0.0/24"`,
    );
    expect(beside(vpn('a', site, translate('10.0.0.0/24', '192.168.77.0/24')))).toMatchInlineSnapshot(
      `"bad.yaml:8:42: spec.translate[0].as: 192.168.77.0/24 overlaps 192.168.77.0/24, which is in use; choose a free network"`,
    );
  });

  const ipsec = (name: string, more = '', fields = '', type = 'IPsec'): string =>
    spec(
      'VpnConnection',
      name,
      `  type: ${type}\n  elasticIP: vpn\n  localNetworks: [10.0.0.0/24]\n  ipsec:\n    peer: 198.51.100.9\n    presharedKeyRef: {file: a.psk}\n${fields === '' ? '    networks: [192.168.90.0/24]\n' : fields}${more}`,
    );

  it('of IPsec', () => {
    expect(beside(ipsec('a'))).toBe('accepted');
    // Beside WireGuard on one elastic IP, and beside another of its own sort.
    const far = ipsec('b', '', '    networks: [192.168.91.0/24]\n').replace('198.51.100.9', '198.51.100.10');
    expect(beside(`${ipsec('a')}---\n${vpn('c', site)}---\n${far}`)).toBe('accepted');
    expect(beside(ipsec('a', '', '', 'WireGuard'))).toMatchInlineSnapshot(`
      "bad.yaml:5:3: spec.wireGuard: is missing: type WireGuard needs it
      bad.yaml:9:5: spec.ipsec: has no meaning for type WireGuard; leave it out"
    `);
    expect(beside(vpn('a', site).replace('WireGuard', 'IPsec'))).toMatchInlineSnapshot(`
      "bad.yaml:5:3: spec.ipsec: is missing: type IPsec needs it
      bad.yaml:9:5: spec.wireGuard: has no meaning for type IPsec; leave it out"
    `);
    expect(beside(`${ipsec('a')}---\n${far.replace('198.51.100.10', '198.51.100.9')}`)).toMatchInlineSnapshot(
      `"bad.yaml:21:11: spec.ipsec.peer: 198.51.100.9 has a tunnel with elastic IP vpn by VpnConnection/a (bad.yaml:1) already"`,
    );
    expect(beside(ipsec('a', '    localId: "a b"\n    dpd: 500ms\n'))).toMatchInlineSnapshot(`
      "bad.yaml:12:14: spec.ipsec.localId: "a b" is not an identity, such as 198.51.100.7, vpn.example.com, gw@example.com or C=DE, CN=gw
      bad.yaml:13:10: spec.ipsec.dpd: must be whole seconds, 1s to 1h"
    `);
    const certificates = '{ownRef: {file: a.crt}, keyRef: {file: a.key}, trustedRef: {file: ca.crt}}';
    expect(beside(ipsec('a').replace('presharedKeyRef: {file: a.psk}', `certificates: ${certificates}`))).toBe(
      'accepted',
    );
    expect(beside(ipsec('a', `    certificates: ${certificates}\n`))).toMatchInlineSnapshot(
      `"bad.yaml:10:22: spec.ipsec.presharedKeyRef: must stand there, or certificates, and not both: how the two ends know each other"`,
    );
    expect(beside(ipsec('a').replace('    presharedKeyRef: {file: a.psk}\n', ''))).toMatchInlineSnapshot(
      `"bad.yaml:9:5: spec.ipsec.presharedKeyRef: must stand there, or certificates, and not both: how the two ends know each other"`,
    );
    // Whoever calls from anywhere is known by its name alone.
    const roaming = (name: string, id: string): string =>
      ipsec(name, id, `    networks: [192.168.9${name === 'a' ? 0 : 1}.0/24]\n`).replace(
        '    peer: 198.51.100.9\n',
        '',
      );
    expect(beside(roaming('a', '    peerId: van.example.com\n'))).toBe('accepted');
    expect(beside(roaming('a', ''))).toMatchInlineSnapshot(
      `"bad.yaml:9:5: spec.ipsec.peerId: is missing: without peer the other end is known by it alone"`,
    );
    expect(
      beside(`${roaming('a', '    peerId: van\n')}---\n${roaming('b', '    peerId: van\n')}`),
    ).toMatchInlineSnapshot(
      `"bad.yaml:23:13: spec.ipsec.peerId: van has a tunnel with elastic IP vpn by VpnConnection/a (bad.yaml:1) already"`,
    );
    expect(beside(ipsec('a', '    proposals: [{encryption: 3des, hash: md5, group: modp1024}]\n')))
      .toMatchInlineSnapshot(`
      "bad.yaml:12:30: spec.ipsec.proposals[0].encryption: must be aes128gcm16, aes256gcm16, aes128 or aes256
      bad.yaml:12:42: spec.ipsec.proposals[0].hash: must be sha256, sha384 or sha512
      bad.yaml:12:54: spec.ipsec.proposals[0].group: must be curve25519, ecp256, ecp384, modp2048, modp3072 or modp4096"
    `);
    expect(beside(ipsec('a', '', '    networks: [10.0.0.0/8]\n'))).toMatchInlineSnapshot(
      `"bad.yaml:11:16: spec.ipsec.networks[0]: 10.0.0.0/8 swallows the VPC's 10.0.0.0/24"`,
    );
    expect(beside(ipsec('a', '    probe: {address: 192.168.91.1}\n'))).toMatchInlineSnapshot(
      `"bad.yaml:12:22: spec.ipsec.probe.address: 192.168.91.1 is in none of its networks (192.168.90.0/24)"`,
    );
    expect(beside(ipsec('a').replace('198.51.100.9', '"2001:db8::9"'))).toMatchInlineSnapshot(
      `"bad.yaml:9:11: spec.ipsec.peer: 2001:db8::9 is IPv6, and elastic IP vpn is IPv4"`,
    );
    // Two to one site, by two elastic IPs.
    const second = ipsec('b', '  priority: 20\n').replace('elasticIP: vpn', 'elasticIP: other');
    const pair = (first: string, other = second): string =>
      beside(`${first}---\n${other}---\n${eip('other', '203.0.113.61')}`);
    const first = ipsec('a', '  priority: 10\n');
    expect(pair(first)).toBe('accepted');
    expect(pair(ipsec('a'))).toMatchInlineSnapshot(
      `"bad.yaml:23:16: spec.ipsec.networks[0]: 192.168.90.0/24 is a network of peer a of VpnConnection/a (bad.yaml:1) already; where either may carry it, give each connection a priority"`,
    );
    expect(pair(`${first}  translate: [{network: 10.0.0.0/24, as: 100.64.7.0/24}]\n`)).toMatchInlineSnapshot(
      `"bad.yaml:25:16: spec.ipsec.networks[0]: 192.168.90.0/24 is a network of peer a of VpnConnection/a (bad.yaml:1) already, which has another translate; a connection keeps its addresses whichever tunnel carries it"`,
    );
    const called = (text: string): string => text.replace('    peer:', '    localId: gw.example.com\n    peer:');
    expect(pair(called(first), called(second))).toMatchInlineSnapshot(
      `"bad.yaml:23:14: spec.ipsec.localId: both ends are called the same by VpnConnection/a (bad.yaml:1), of which one tunnel would end the other; give the gateway another name in each"`,
    );
    expect(pair(first.replace('priority: 10', 'priority: 200'))).toMatchInlineSnapshot(
      `"bad.yaml:12:13: spec.priority: must be 199 or less"`,
    );
    expect(beside(`${ipsec('a')}---\n${vpn('c', site, { end: '    listenPort: 4500\n' })}`)).toMatchInlineSnapshot(
      `"bad.yaml:5:9: spec.type: UDP 203.0.113.60 port 4500 overlaps UDP 203.0.113.60 port 4500 of VpnConnection/c (bad.yaml:13)"`,
    );
    expect(
      beside(
        `${ipsec('a')}---\n${vpn('c', site, { end: '    listenPort: 4500\n' }).replace('elasticIP: vpn', 'elasticIP: other')}---\n${eip('other', '203.0.113.61')}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:22:17: spec.wireGuard.listenPort: 4500 is where VpnConnection/a (bad.yaml:1) listens; a gateway has each once, whatever the elastic IP"`,
    );
    expect(
      beside(
        `${ipsec('a')}---\n${vpn('c', site)}---\n${spec('VpnPeer', 'p', `  connection: a\n  publicKey: ${OTHER}\n  networks: [192.168.92.0/24]\n`)}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:29:15: spec.connection: a is of type IPsec, whose one peer stands in its own document; name one of type WireGuard"`,
    );
  });

  it('ports that the gateway itself takes', () => {
    const at = (port: number): string => vpn('a', site, { end: `    listenPort: ${port}\n` });
    const strict = `  highAvailability: {mode: AcrossNodes, fencing: Strict, vote: {engine: Etcd, servers: ["https://192.0.2.1:2379"]}}\n`;
    const inPair = (text: string): string =>
      complaintsAbout({
        'gateway.yaml': `${GATEWAY}${strict}`,
        'bad.yaml': `${text}---\n${eip('vpn', '203.0.113.60')}`,
      });
    expect([beside(at(3783)), inPair(at(3782))]).toEqual(['accepted', 'accepted']);
    expect(inPair(at(3783))).toMatchInlineSnapshot(
      `"bad.yaml:10:17: spec.wireGuard.listenPort: 3783 is where the members of a Strict pair answer each other; choose another port"`,
    );
    const learning = spec(
      'DedicatedLine',
      'paris',
      `  port: {interface: line0}
  localAddresses: [169.254.1.1/30]
  peerAddresses: [169.254.1.2]
  localNetworks: [10.0.0.0/24]
  bgp: {localASN: 65001, peerASN: 65010, accept: [{cidr: 172.20.0.0/16}], bfd: {interval: 50ms}}
`,
    );
    expect(beside(`${at(3784)}---\n${learning.replace(/, bfd: .*}/, '}')}`)).toBe('accepted');
    for (const port of [3784, 4784])
      expect(beside(`${at(port)}---\n${learning}`)).toBe(
        `bad.yaml:10:17: spec.wireGuard.listenPort: ${port} is where BFD of DedicatedLine/paris (bad.yaml:14) listens; choose another port`,
      );
  });

  it('ports and endpoints', () => {
    expect(beside(`${vpn('a', site)}---\n${vpn('b', peer('far', OTHER, '192.168.78.0/24'))}`)).toMatchInlineSnapshot(
      `"bad.yaml:21:5: spec.wireGuard.listenPort: UDP 203.0.113.60 port 51820 overlaps UDP 203.0.113.60 port 51820 of VpnConnection/a (bad.yaml:1)"`,
    );
    expect(
      beside(
        `${vpn('a', site)}---\n${vpn('b', peer('far', OTHER, '192.168.78.0/24')).replace('elasticIP: vpn', 'elasticIP: other')}---\n${eip('other', '203.0.113.61')}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:21:5: spec.wireGuard.listenPort: 51820 is the port of VpnConnection/a (bad.yaml:1) already; a gateway has each once, whatever the elastic IP"`,
    );
    expect(
      beside(`${vpn('a', site)}---\n${dnat('d', 'vpn', 'UDP', '  port: 51820\n  target: {address: 10.0.0.5}\n')}`),
    ).toMatchInlineSnapshot(
      `"bad.yaml:19:9: spec.port: UDP 203.0.113.60 port 51820 overlaps UDP 203.0.113.60 port 51820 of VpnConnection/a (bad.yaml:1)"`,
    );
    expect(beside(vpn('a', site, { end: '    listenPort: 3780\n' }))).toMatchInlineSnapshot(
      `"bad.yaml:10:17: spec.wireGuard.listenPort: 3780 is where the members of a pair talk to each other"`,
    );
    expect(
      beside(vpn('a', peer('site', KEY, '192.168.77.0/24', ', endpoint: office.example.com:51820'))),
    ).toMatchInlineSnapshot(
      `"bad.yaml:11:118: spec.wireGuard.peers[0].endpoint: "office.example.com:51820" is not an address with a port, such as 198.51.100.7:51820 or [2001:db8::7]:51820"`,
    );
    expect(
      beside(vpn('a', peer('site', KEY, '192.168.77.0/24', ', endpoint: "[2001:db8::7]:51820"'))),
    ).toMatchInlineSnapshot(
      `"bad.yaml:11:118: spec.wireGuard.peers[0].endpoint: [2001:db8::7]:51820 is IPv6, and elastic IP vpn is IPv4"`,
    );
    expect(beside(vpn('a', peer('site', KEY, '192.168.77.0/24', ', keepalive: 1500ms')))).toMatchInlineSnapshot(
      `"bad.yaml:11:119: spec.wireGuard.peers[0].keepalive: must be 0s for none, or whole seconds up to 65535s"`,
    );
    expect(beside(vpn('a', site).replace('WireGuard', 'OpenVPN'))).toMatchInlineSnapshot(
      `"bad.yaml:5:9: spec.type: must be WireGuard or IPsec"`,
    );
  });
});

describe('all at once', () => {
  it('names every problem of every file', () => {
    expect(
      complaintsAbout({
        'gateway.yaml': GATEWAY.replace('10.0.0.1/24', '10.0.0.1/33').replace('interface: ext0', 'interfce: ext0'),
        'a.yaml': `${eip('web', '010.0.0.1', '  drainTimeout: 5\n')}---\n${eip('web', '203.0.113.400')}`,
        'b.yaml': dnat('ssh', 'nat', 'TPC', '  port: "22"\n'),
        'c.yaml': 'a: [1\n',
      }),
    ).toMatchInlineSnapshot(`
      "a.yaml:5:12: spec.address: "010.0.0.1" has a leading zero: some programs read that as octal; write it without
      a.yaml:6:17: spec.drainTimeout: must be a duration such as 30s, as text, not a number
      a.yaml:12:12: spec.address: "203.0.113.400" is not an IPv4 or IPv6 address
      b.yaml:5:3: spec.target: must be a target such as {address: 10.0.0.5}; it is missing
      b.yaml:6:13: spec.protocol: "TPC" is not one of TCP, UDP, ICMP, Any; did you mean TCP?
      b.yaml:7:9: spec.port: must be a port, 1 to 65535, as a number without quotes, not text
      c.yaml:2:1: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]
      gateway.yaml:7:17: spec.internal.addresses[0]: "10.0.0.1/33": the prefix length is 0 to 32, without leading zeros
      gateway.yaml:10:7: spec.externals[0].interface: must be the name of a network interface, such as net1; it is missing
      gateway.yaml:11:7: spec.externals[0].interfce: is not a field here; did you mean interface?; the fields are name, interface, addresses, gateways, macMode"
    `);
    expect(
      bad(
        `${eip('a', '203.0.113.10', target('10.9.0.5'))}---\n${eip('b', '203.0.113.10')}---\n${snat('s', '10.0.0.0/24', 'c')}`,
      ),
    ).toMatchInlineSnapshot(`
      "bad.yaml:6:21: spec.target.address: 10.9.0.5 is outside the VPC's prefixes (10.0.0.0/24, fd00:a::/64, 10.0.1.0/24)
      bad.yaml:12:12: spec.address: 203.0.113.10 is the address of ElasticIP/a (bad.yaml:1) too
      bad.yaml:19:16: spec.elasticIPs[0]: there is no ElasticIP c"
    `);
  });
});

describe('dedicated lines', () => {
  interface Given {
    port?: string;
    local?: string;
    peers?: string;
    networks?: string;
    more?: string;
  }
  const line = (name: string, given: Given = {}): string => {
    const { port = 'interface: line0', local = '169.254.9.1/30', peers = '169.254.9.2', networks, more = '' } = given;
    const fields = [
      `port: {${port}}`,
      `localAddresses: [${local}]`,
      `peerAddresses: [${peers}]`,
      'localNetworks: [10.0.0.0/24]',
      `static: {networks: [${networks ?? '172.20.0.0/16'}]}`,
    ];
    return spec('DedicatedLine', name, `${fields.map((field) => `  ${field}\n`).join('')}${more}`);
  };
  const second = { local: '169.254.8.1/30', peers: '169.254.8.2' };

  it('good ones', () => {
    expect(bad(line('a'))).toBe('accepted');
    expect(bad(`${line('a')}---\n${line('b', { ...second, port: 'interface: line0, vlan: 7' })}`)).toBe('accepted');
  });

  it('ports', () => {
    expect(bad(line('a', { port: 'interface: ext0' }))).toMatchInlineSnapshot(
      `"bad.yaml:5:21: spec.port.interface: ext0 is external network internet; a line needs a port of its own"`,
    );
    expect(bad(line('a', { port: 'interface: vpc0' }))).toMatchInlineSnapshot(
      `"bad.yaml:5:21: spec.port.interface: vpc0 is the VPC's side; a line needs a port of its own"`,
    );
    expect(bad(line('a', { port: 'interface: line0, vlan: 4095' }))).toMatchInlineSnapshot(
      `"bad.yaml:5:34: spec.port.vlan: must be 4094 or less"`,
    );
    expect(bad(`${line('a')}---\n${line('b', second)}`)).toMatchInlineSnapshot(
      `"bad.yaml:15:9: spec.port: line0 without a VLAN is where DedicatedLine/a (bad.yaml:1) ends already; give each a VLAN of its own"`,
    );
  });

  it('ends', () => {
    expect(bad(line('a', { peers: '169.254.10.2' }))).toMatchInlineSnapshot(
      `"bad.yaml:7:19: spec.peerAddresses[0]: 169.254.10.2 is not in 169.254.9.0/30"`,
    );
    expect(bad(line('a', { peers: '169.254.9.1' }))).toMatchInlineSnapshot(
      `"bad.yaml:7:19: spec.peerAddresses[0]: 169.254.9.1 is the gateway's own address"`,
    );
    expect(bad(line('a', { peers: '169.254.9.2, "fd00:9::2"' }))).toMatchInlineSnapshot(
      `"bad.yaml:7:32: spec.peerAddresses[1]: fd00:9::2 needs an IPv6 address of the gateway in localAddresses"`,
    );
    expect(bad(line('a', { local: '10.0.0.9/24', peers: '10.0.0.10' }))).toMatchInlineSnapshot(
      `"bad.yaml:6:20: spec.localAddresses[0]: 10.0.0.0/24 overlaps the VPC's 10.0.0.0/24"`,
    );
    expect(bad(`${line('a')}---\n${line('b', { port: 'interface: line1' })}`)).toMatchInlineSnapshot(
      `"bad.yaml:16:20: spec.localAddresses[0]: 169.254.9.1 is the address of DedicatedLine/a (bad.yaml:1) already"`,
    );
  });

  it('networks', () => {
    expect(bad(line('a', { networks: '0.0.0.0/0' }))).toMatchInlineSnapshot(
      `"bad.yaml:9:23: spec.static.networks[0]: 0.0.0.0/0 swallows the VPC's 10.0.0.0/24"`,
    );
    expect(bad(line('a', { networks: '10.0.0.128/25' }))).toMatchInlineSnapshot(
      `"bad.yaml:9:23: spec.static.networks[0]: 10.0.0.128/25 overlaps the VPC's 10.0.0.0/24"`,
    );
    expect(bad(line('a', { networks: '"fd00:20::/48"' }))).toMatchInlineSnapshot(
      `"bad.yaml:9:23: spec.static.networks[0]: fd00:20::/48 is IPv6, and no address of peerAddresses is"`,
    );
    expect(bad(line('a', { networks: '172.20.0.0/16, 172.20.7.0/24' }))).toMatchInlineSnapshot(
      `"bad.yaml:9:38: spec.static.networks[1]: 172.20.7.0/24 overlaps 172.20.0.0/16, which stands there already"`,
    );
    const other = {
      ...second,
      port: 'interface: line1',
      more: '  translate: [{network: 10.0.0.0/24, as: 100.64.7.0/24}]\n',
    };
    expect(bad(`${line('a')}---\n${line('b', other)}`)).toMatchInlineSnapshot(
      `"bad.yaml:19:23: spec.static.networks[0]: 172.20.0.0/16 is a network of DedicatedLine/a (bad.yaml:1) too, which has another translate; a connection keeps its addresses whichever line carries it"`,
    );
  });

  it('probes', () => {
    expect(bad(line('a', { more: '  probe: {type: TCP}\n' }))).toMatchInlineSnapshot(
      `"bad.yaml:10:10: spec.probe.port: is missing: TCP needs a port to connect to"`,
    );
    expect(bad(line('a', { more: '  probe: {address: 172.21.0.1}\n' }))).toMatchInlineSnapshot(
      `"bad.yaml:10:20: spec.probe.address: 172.21.0.1 is neither the other end nor in the line's networks"`,
    );
    expect(bad(line('a', { more: '  probe: {interval: 10ms}\n' }))).toMatchInlineSnapshot(
      `"bad.yaml:10:21: spec.probe.interval: must be 100ms to 1m"`,
    );
  });

  it('default routes', () => {
    const learning = (name: string, n: number, bgp: string, local = '10.0.0.0/24'): string =>
      spec(
        'DedicatedLine',
        name,
        `  port: {interface: line${n}}
  localAddresses: [169.254.${n}.1/30]
  peerAddresses: [169.254.${n}.2]
  localNetworks: [${local}]
  bgp: {localASN: 65001, peerASN: 65010, ${bgp}}
`,
      );
    const takes = 'accept: [{cidr: 172.20.0.0/16}], acceptDefaultRoute: true';
    expect(bad(learning('a', 1, takes))).toBe('accepted');
    expect(bad(`${learning('a', 1, takes)}---\n${learning('b', 2, takes)}`)).toBe('accepted');
    expect(
      bad(`${learning('a', 1, takes)}---\n${eip('c', '203.0.113.10')}---\n${snat('s', '10.0.0.0/16', 'c')}`),
    ).toMatchInlineSnapshot(
      `"bad.yaml:9:95: warning: spec.bgp.acceptDefaultRoute: leads nobody: SnatRule/s (bad.yaml:17) is the way out of all of 10.0.0.0/24 already"`,
    );
    expect(bad(learning('a', 1, 'accept: [{cidr: 0.0.0.0/0}]'))).toMatchInlineSnapshot(
      `"bad.yaml:9:58: spec.bgp.accept[0].cidr: 0.0.0.0/0 is a default route; leave it out, and say acceptDefaultRoute: true"`,
    );
    expect(bad(`${learning('a', 1, takes)}---\n${learning('b', 2, takes, '10.0.1.0/24')}`)).toMatchInlineSnapshot(
      `"bad.yaml:19:95: spec.bgp.acceptDefaultRoute: DedicatedLine/a (bad.yaml:1) takes a default route too, for 10.0.0.0/24; one of the two leads at a time, so give both the same localNetworks"`,
    );
  });
});

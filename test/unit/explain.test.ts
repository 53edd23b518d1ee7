import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { CHECKS_OF } from '../../gateway/insight/explain/checks.js';
import type { About, Check, Outcome, Situation } from '../../gateway/insight/explain/check.js';
import { CHECKS, type CheckName, type FaultCode, FAULTS } from '../../gateway/insight/explain/codes.js';
import { type AskedPort, type SubjectKind, subjectOf } from '../../gateway/insight/explain/subject.js';
import { FlowJudge } from '../../gateway/model/flow.js';
import { parseIp } from '../../gateway/model/ip.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import {
  type Document,
  elasticIp,
  firewallPolicy,
  ipsecConnection,
  loadBalancer,
  snatRule,
  type RuleOptions,
} from '../support/documents.js';
import { FAULTS_SEEDED } from '../support/explain-faults.js';

// The table of codes, and judgements of what no test can bring about: a machine that lacks something.

const TEXT = `
apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: g}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/24]}
  externals: [{name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}]
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: web}
spec: {address: 203.0.113.10, target: {address: 10.0.0.5}, bandwidth: {ingress: 10M}}
---
apiVersion: vpcgw.io/v1alpha1
kind: VpnConnection
metadata: {name: site}
spec:
  type: WireGuard
  elasticIP: web
  localNetworks: [10.0.0.0/24]
  wireGuard:
    keyRef: {file: own.key}
    peers: [{name: paris, publicKey: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=, networks: [192.168.77.0/24]}]
---
apiVersion: vpcgw.io/v1alpha1
kind: DedicatedLine
metadata: {name: leased}
spec:
  port: {interface: line0}
  localAddresses: [169.254.100.1/30]
  peerAddresses: [169.254.100.2]
  localNetworks: [10.0.0.0/24]
  static: {networks: [172.20.0.0/16]}
`;
const modelOf = (...more: readonly Document[]) =>
  candidateOf(
    splitDocuments({ file: 'given.yaml', text: [TEXT, ...more.map((each) => stringify(each))].join('---\n') }),
    new ParseCache(),
  ).model;
const model = modelOf();

const SOUND: Situation = {
  refusal: undefined,
  refused: [],
  lacking: undefined,
  unsettable: [],
  paused: false,
  pair: undefined,
  trouble: undefined,
  unchanged: true,
  revision: 1,
  pressure: NO_PRESSURE,
  shaper: undefined,
};

const SUBJECTS: Partial<Record<CheckName, readonly [SubjectKind, string]>> = {
  Tunnel: ['vpn', 'site'],
  Line: ['line', 'leased'],
};

function judge(name: CheckName, standing: Partial<Situation>, seen?: unknown): Outcome {
  const [kind, of] = SUBJECTS[name] ?? (['eip', 'web'] as const);
  return checkOf(kind, name).judge(aboutOf(kind, of, { standing }), seen);
}

const checkOf = (kind: SubjectKind, name: CheckName): Check =>
  CHECKS_OF[kind].find((candidate) => candidate.name === name) ?? expect.fail(`no ${name} of ${kind}`);

interface Asked {
  readonly from?: string;
  readonly port?: AskedPort;
  /** Beside the others. */
  readonly documents?: readonly Document[];
  readonly standing?: Partial<Situation>;
}

function aboutOf(kind: SubjectKind, of: string, { from, port, documents = [], standing }: Asked): About {
  const given = documents.length > 0 ? modelOf(...documents) : model;
  return {
    subject: subjectOf(kind, of, given) ?? expect.fail(`no ${kind} ${of}`),
    question: { from: from === undefined ? undefined : parseIp(from), port },
    model: given,
    judge: new FlowJudge(given),
    standing: { ...SOUND, ...standing },
    markOf: () => 0,
    placeOf: ({ file, line }) => `${file}:${line}`,
    placeOfRule: () => 'its line',
  };
}

/** Of a check that looks at nothing. */
const answer = (kind: SubjectKind, of: string, name: CheckName, asked: Asked = {}): Outcome =>
  checkOf(kind, name).judge(aboutOf(kind, of, asked), undefined);

const standby = { member: 'one', role: 'Standby', reason: 'ready to take over' } as const;

const JUDGED: readonly (readonly [FaultCode, Partial<Situation>, unknown, string])[] = [
  ['MachineLacking', { lacking: 'program ipset' }, undefined, 'program ipset'],
  ['SwitchesUnset', { unsettable: ['sysctls net.ipv4.ip_forward'] }, undefined, 'net.ipv4.ip_forward'],
  ['NotProgrammed', { trouble: 'RULE_APPEND failed' }, undefined, 'RULE_APPEND failed'],
  ['NotActive', { pair: standby }, undefined, 'one is Standby: ready to take over'],
  ['ConntrackFull', {}, { count: 1000, max: 1000 }, '1000 of 1000'],
  ['ConntrackNearlyFull', {}, { count: 900, max: 1000 }, '900 of 1000'],
  ['NoWireGuard', {}, { state: 'Down', reason: 'no WireGuard', trouble: 'NoWireGuard', peers: [] }, 'no WireGuard'],
  ['NoIpsec', {}, { state: 'Down', reason: 'no ESP', trouble: 'NoIpsec', peers: [] }, 'no ESP'],
  ['PeerRefuses', {}, { state: 'Down', reason: 'another key', trouble: 'PeerRefuses', peers: [] }, 'another key'],
  [
    'CertificateUnusable',
    {},
    { state: 'Down', reason: 'gw.crt: expired', trouble: 'CertificateUnusable', peers: [] },
    'expired',
  ],
  ['PortTaken', {}, { state: 'Down', reason: '3787 is where', trouble: 'PortTaken', peers: [] }, '3787 is where'],
  ['KeyUnusable', {}, { state: 'Down', reason: 'own.key: is empty', trouble: 'KeyUnusable', peers: [] }, 'is empty'],
  [
    'PeersSilent',
    {},
    { state: 'Down', reason: '', peers: [{ peer: 'paris', state: 'Down', reason: 'nobody answers' }] },
    'paris: Down, nobody answers',
  ],
  [
    'PeersDegraded',
    {},
    { state: 'Degraded', reason: '', peers: [{ peer: 'paris', state: 'Degraded', reason: 'lost 3' }] },
    'paris: Degraded, lost 3',
  ],
  [
    'PortMissing',
    {},
    { state: 'Down', reason: 'line0 does not exist', trouble: 'PortMissing' },
    'line0 does not exist',
  ],
  ['NoVlan', {}, { state: 'Down', reason: 'no VLANs', trouble: 'NoVlan' }, 'no VLANs'],
  ['NoBird', {}, { state: 'Down', reason: 'bird is missing', trouble: 'NoBird' }, 'bird is missing'],
  ['AuthKeyUnusable', {}, { state: 'Down', reason: 'a.key: is empty', trouble: 'AuthKeyUnusable' }, 'is empty'],
  ['PeerAsMismatch', {}, { state: 'Down', reason: 'Bad peer AS', trouble: 'PeerAsMismatch' }, 'Bad peer AS'],
  ['TooManyPrefixes', {}, { state: 'Down', reason: 'more than 5', trouble: 'TooManyPrefixes' }, 'more than 5'],
  ['LineDegraded', {}, { port: 'line0', state: 'Degraded', reason: 'IPv6 is not' }, 'line0: IPv6 is not'],
  ['LineDown', {}, { port: 'line0', state: 'Down', reason: 'no carrier', since: 'noon' }, 'line0: no carrier'],
  ['BandwidthNotEnforced', { shaper: { leaf: 'bfifo', lacking: 'no HTB' } }, [], 'no HTB'],
];

describe('explain', () => {
  it.each(JUDGED)('says %s with what was seen', (code, standing, seen, evidence) => {
    const outcome = judge(FAULTS[code].check, standing, seen);
    expect(outcome).toMatchObject({ code });
    expect(outcome.evidence.join('\n')).toContain(evidence);
  });

  it('says nothing of a sound gateway', () => {
    expect(judge('Machine', {})).toMatchObject({ verdict: 'Pass' });
    expect(judge('Programmed', {})).toMatchObject({ verdict: 'Pass', evidence: ['verified, given.yaml:9'] });
    expect(judge('Table', {}, { count: 899, max: 1000 })).toMatchObject({ verdict: 'Pass' });
    expect(judge('Tunnel', {}, { state: 'Idle', reason: 'quiet', peers: [] })).toMatchObject({ verdict: 'Pass' });
  });

  it('has brought about every fault that it can name, in a gateway or here', () => {
    const met = new Set([...FAULTS_SEEDED.map(({ code }) => code), ...JUDGED.map(([code]) => code)]);
    expect([...met].sort()).toEqual(Object.keys(FAULTS).sort());
  });

  it('asks every question of some kind, and after nothing that is not asked before', () => {
    const asked = Object.values(CHECKS_OF).flatMap((checks) => checks.map(({ name }) => name));
    expect([...new Set(asked)].sort()).toEqual(Object.keys(CHECKS).sort());
    for (const checks of Object.values(CHECKS_OF))
      checks.forEach(({ name, after }: Check, index) => {
        const before = checks.slice(0, index).map((check) => check.name);
        const all = checks.map((check) => check.name);
        const late = after.filter((other) => all.includes(other) && !before.includes(other));
        expect({ name, late }).toEqual({ name, late: [] });
      });
  });

  it('asks on the wire only the member of a pair that is active', () => {
    expect(judge('Active', { pair: { ...standby, role: 'Active' } })).toMatchObject({ verdict: 'Pass' });
    const without = {
      ...aboutOf('eip', 'web', {}),
      model: { ...model, highAvailability: { ...model.highAvailability, mode: 'SameNode' as const } },
    };
    expect(checkOf('eip', 'Active').judge(without, undefined)).toMatchObject({ code: 'NotActive' });
    const asking = ['Conflict', 'NextHop', 'Upstream', 'Target', 'Service', 'Members', 'Tunnel', 'Line'];
    const checks = Object.values(CHECKS_OF).flat();
    for (const { name, after } of checks.filter((check) => asking.includes(check.name)))
      expect({ name, after }).toEqual({ name, after: expect.arrayContaining(['Active']) as unknown });
  });

  it('gives every fault a check, a meaning and something to do', () => {
    for (const { check, meaning, fix } of Object.values(FAULTS)) {
      expect(Object.keys(CHECKS)).toContain(check);
      expect(meaning).toMatch(/^[A-Z].*\.$/);
      expect(fix).toMatch(/\w$|\?$/);
    }
  });
});

describe('explain, of a tunnel,', () => {
  const end: AskedPort = { protocol: 'udp', number: 51820 };
  const ends = {
    elasticIP: 'plant',
    localNetworks: ['10.0.0.0/24'],
    networks: ['192.168.78.0/24'],
    psk: 'psk',
  };
  const ipsec = ipsecConnection('plant', { ...ends, peer: '198.51.100.9' });
  const caller = ipsecConnection('plant', { ...ends, more: { peerId: 'plant.example.com' } });
  const allowing = (...ports: NonNullable<RuleOptions['ports']>) =>
    firewallPolicy('whole', 'gateway', [{ action: 'Allow', ports }]);
  const plant = [elasticIp('plant', '203.0.113.40'), ipsec];

  it('finds it at its port, and the VM at all others', () => {
    const at = (port: AskedPort) => answer('eip', 'web', 'Led', { port }).evidence;
    expect(at(end)).toEqual(['udp 51820 leads to the tunnel: VpnConnection/site (given.yaml:14)']);
    expect(at({ ...end, number: 51821 })).toEqual(['203.0.113.10 leads to 10.0.0.5, 1:1']);
  });

  it('takes an elastic IP that has nothing else as used', () => {
    const asked = { documents: plant };
    expect(answer('eip', 'plant', 'Led', asked)).toMatchObject({
      verdict: 'Pass',
      evidence: [expect.stringContaining('udp 500, udp 4500, esp leads to the tunnel: VpnConnection/plant')],
    });
    expect(answer('eip', 'plant', 'Led', { ...asked, port: end })).toMatchObject({ code: 'NotLed' });
    expect(answer('eip', 'kept', 'Led', { documents: [elasticIp('kept', '203.0.113.41')] })).toMatchObject({
      code: 'Held',
    });
  });

  it('asks the firewall whether a peer may begin it', () => {
    const closed = { documents: [allowing({ protocol: 'TCP', port: 443 }), ...plant] };
    expect(answer('vpn', 'site', 'Ingress', closed)).toMatchObject({
      code: 'FirewallDenies',
      evidence: [expect.stringContaining('udp 51820 from 192.0.2.1 is denied by FirewallPolicy/whole')],
    });
    // The gateway begins that one.
    expect(answer('vpn', 'plant', 'Ingress', closed)).toMatchObject({ verdict: 'Skipped' });
    const called = [elasticIp('plant', '203.0.113.40'), caller];
    const denied = { documents: [allowing({ protocol: 'TCP', port: 443 }), ...called] };
    expect(answer('vpn', 'plant', 'Ingress', denied)).toMatchObject({ code: 'FirewallDenies' });
    const nat = { documents: [allowing({ protocol: 'UDP', port: 500 }, { protocol: 'UDP', port: 4500 }), ...called] };
    expect(answer('vpn', 'plant', 'Ingress', nat)).toMatchObject({ verdict: 'Pass' });
    expect(answer('vpn', 'site', 'Ingress')).toMatchObject({ verdict: 'Pass' });
  });
});

describe('explain, of the firewall,', () => {
  it('heeds whom a listener takes connections from', () => {
    const shop = loadBalancer('shop', {
      elasticIP: 'web',
      members: [{ address: '10.0.0.6' }],
      listeners: [{ port: 443, allowedSources: ['192.0.2.128/25'] }],
    });
    const asked = { port: { protocol: 'tcp', number: 443 }, documents: [shop] } as const;
    expect(answer('lb', 'shop', 'Ingress', { ...asked, from: '198.51.100.7' })).toMatchObject({
      code: 'SourceNotAllowed',
      evidence: [expect.stringContaining('tcp 443 from 198.51.100.7 is denied by allowedSources of LoadBalancer/shop')],
    });
    expect(answer('lb', 'shop', 'Ingress', { ...asked, from: '192.0.2.129' })).toMatchObject({ verdict: 'Pass' });
    expect(answer('lb', 'shop', 'Ingress', asked)).toMatchObject({ verdict: 'Pass' });
    const others = firewallPolicy('web', { elasticIPs: ['web'] }, [
      { action: 'Allow', peers: [{ cidr: '198.51.100.0/24' }] },
    ]);
    expect(answer('eip', 'web', 'Ingress', { ...asked, documents: [shop, others] })).toMatchObject({
      code: 'FirewallDenies',
      evidence: [expect.stringContaining('tcp 443 from 192.0.2.128 is denied by FirewallPolicy/web')],
    });
  });

  it('lets a rule’s sources leave by the policies of its own pool', () => {
    const documents = [
      elasticIp('nat', '203.0.113.20'),
      elasticIp('db', '203.0.113.21'),
      snatRule('everyone', ['10.0.0.0/16'], ['nat']),
      snatRule('db', ['10.0.0.0/24'], ['db']),
      firewallPolicy('db', { elasticIPs: ['db'] }, [{ action: 'Deny', direction: 'Egress' }]),
    ];
    expect(answer('snat', 'everyone', 'Egress', { documents })).toMatchObject({ verdict: 'Pass' });
    expect(answer('snat', 'db', 'Egress', { documents })).toMatchObject({ code: 'EgressDenied' });
    expect(answer('snat', 'db', 'Egress', { documents, from: '10.0.0.5' })).toMatchObject({ verdict: 'Pass' });
    expect(answer('eip', 'db', 'Egress', { documents })).toMatchObject({ code: 'NothingMayLeave' });
  });
});

import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { mtuOf, troubleOf } from '../../gateway/features/sites.js';
import { lookAtIpsec } from '../../gateway/health/ipsec-state.js';
import { NOTHING_PASSED, passedBy, stateIn, whyNot } from '../../gateway/ipsec/sas.js';
import { parseStates } from '../../gateway/ipsec/states.js';
import { type Credentials, credentialRequests, followsOn, loadedConnection } from '../../gateway/ipsec/connection.js';
import { settingsText } from '../../gateway/ipsec/swanctl.js';
import { decodePacket, encodePacket, type Section } from '../../gateway/ipsec/vici.js';
import { type Facts, NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import { Secret } from '../../gateway/model/secret.js';
import { FlowJudge } from '../../gateway/model/flow.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { endAt, type IpsecConnection } from '../../gateway/model/vpn.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { contextOf } from '../../gateway/reconcile/compile.js';
import { ipsecPeerConfig } from '../../gateway/reconcile/peer-config.js';
import { elasticIp, ipsecConnection } from '../support/documents.js';
import { exampleKeys } from '../support/example-keys.js';

// Tunnels of IPsec: what the IKE daemon is told, and what is made of what it says.

const GATEWAY = {
  apiVersion: 'vpcgw.io/v1alpha1',
  kind: 'VpcGateway',
  metadata: { name: 'blue' },
  spec: {
    internal: { interface: 'vpc0', addresses: ['10.0.0.1/24'] },
    externals: [{ name: 'internet', interface: 'ext0', addresses: ['100.64.0.11/24'], gateways: ['100.64.0.1'] }],
  },
};
const modelOf = (more: Readonly<Record<string, unknown>> = {}) => {
  const documents = [
    GATEWAY,
    elasticIp('vpn', '203.0.113.40', { target: '10.0.0.6' }),
    ipsecConnection('plant', {
      elasticIP: 'vpn',
      localNetworks: ['10.0.0.0/24'],
      peer: '198.51.100.9',
      networks: ['192.168.90.0/24'],
      psk: 'psk',
      more,
    }),
  ];
  const text = documents.map((each) => stringify(each)).join('---\n');
  return candidateOf(splitDocuments({ file: 'given.yaml', text }), new ParseCache()).model;
};
const facts: Facts = { mtu: new Map([['ext0', 1500]]), ipsec: { lacking: undefined }, keys: exampleKeys('psk') };
const plantOf = (more: Readonly<Record<string, unknown>> = {}) => modelOf(more).vpnConnections[0] as IpsecConnection;
const contextFor = (model = modelOf()) =>
  contextOf({ model, facts, allocations: allocateAll(NO_ALLOCATIONS, model), pressure: NO_PRESSURE });
const credentials = { kind: 'preshared', key: { reveal: () => 'a "quoted" \\ key' } } as const;
const CERTIFICATES = {
  presharedKeyRef: undefined,
  certificates: { ownRef: { file: 'gw.crt' }, keyRef: { file: 'gw.key' }, trustedRef: { file: 'ca.crt' } },
};
const certificate = {
  kind: 'certificate',
  own: 'OWN',
  between: ['BETWEEN'],
  key: new Secret('KEY', 'digest'),
  authorities: ['CA'],
  peers: [],
  names: ['gw.example.com', 'CN=gw'],
  firstEnd: { subject: 'CN=gw', atMs: 0 },
  fingerprint: '1',
} as const;

describe('what the daemon is told', () => {
  it('has all that both ends agreed on, and the mark that leads out', () => {
    const { settings, name } = loadedConnection(plantOf({ peerId: 'plant.example.com' }), 3, credentials);
    expect(name).toMatch(/^plant(-[0-9a-f]{8}){2}$/);
    expect(settingsText(settings).join('\n')).toMatchInlineSnapshot(`
      "version = 2
      local_addrs = 203.0.113.40
      remote_addrs = 198.51.100.9
      proposals = aes128gcm16-prfsha256-curve25519, aes256gcm16-prfsha384-ecp384, aes256-sha256-modp2048
      dpd_delay = 10s
      keyingtries = 0
      mobike = no
      unique = replace
      if_id_in = 7759619
      if_id_out = 7759619
      local {
        auth = psk
        id = "203.0.113.40"
      }
      remote {
        auth = psk
        id = "plant.example.com"
      }
      children {
        net {
          local_ts = 10.0.0.0/24
          remote_ts = 192.168.90.0/24
          esp_proposals = aes128gcm16-curve25519, aes256gcm16-ecp384, aes256-sha256-modp2048
          set_mark_out = 0x3000/0xffffffff
          set_mark_in = 0x0/0xffffffff
          start_action = trap
          dpd_action = restart
        }
      }"
    `);
  });

  it('has the key as it stands, for both names alone', () => {
    const loaded = loadedConnection(plantOf(), 3, credentials);
    expect(credentialRequests(loaded)).toEqual([
      [
        'load-shared',
        { id: loaded.name, type: 'IKE', data: credentials.key.reveal(), owners: ['203.0.113.40', '198.51.100.9'] },
      ],
    ]);
  });

  it('has certificates, what they lead to, and a name that they give', () => {
    const loaded = loadedConnection(plantOf({ ...CERTIFICATES }), 3, certificate);
    expect(loaded.settings).toMatchObject({
      local: { auth: 'pubkey', id: 'gw.example.com', certs: ['OWN'] },
      remote: { auth: 'pubkey', id: '198.51.100.9', cacerts: ['CA'] },
    });
    expect(credentialRequests(loaded)).toEqual([
      ['load-key', { type: 'any', data: 'KEY' }],
      ['load-cert', { type: 'X509', flag: 'NONE', data: 'BETWEEN' }],
    ]);
  });

  it('does not wait for whom it cannot call', () => {
    const { settings } = loadedConnection(plantOf({ peer: undefined, peerId: 'van.example.com' }), 3, credentials);
    expect(settings).toMatchObject({ remote_addrs: ['%any'], remote: { id: 'van.example.com' } });
    expect(JSON.stringify(settings)).not.toContain('trap');
  });

  it('is another connection once it says something else, and the same with another key', () => {
    const nameOf = (more: Readonly<Record<string, unknown>> = {}, of: Credentials = credentials): string =>
      loadedConnection(plantOf(more), 3, of).name;
    expect(nameOf({}, { kind: 'preshared', key: { reveal: () => 'another' } })).toBe(nameOf());
    const others = [nameOf({ networks: ['192.168.91.0/24'] }), nameOf({ dpd: '5s' }), nameOf({}, certificate)];
    for (const other of others) expect(other).not.toBe(nameOf());
    // Where the networks are the same, its keys may stand beside the former's.
    expect(others.map((other) => followsOn(other, nameOf()))).toEqual([false, true, true]);
    const renewed = { ...certificate, own: 'RENEWED' };
    expect(followsOn(nameOf({}, renewed), nameOf({}, certificate))).toBe(true);
  });
});

describe('a tunnel of IPsec', () => {
  it('leaves room for what its largest proposal adds', () => {
    const mtu = (...proposals: object[]): number => {
      const model = modelOf({ proposals });
      return mtuOf(model.vpnConnections[0] as IpsecConnection, contextFor(model));
    };
    const gcm = { encryption: 'aes256gcm16', hash: 'sha384', group: 'ecp384' };
    expect(mtu(gcm)).toBe(1435);
    expect(mtu(gcm, { encryption: 'aes256', hash: 'sha512', group: 'modp2048' })).toBe(1399);
  });

  it('ends at its elastic IP by IKE and ESP, and leaves the rest to others', () => {
    const model = modelOf();
    for (const [protocol, port] of [
      ['udp', 500],
      ['udp', 4500],
      ['50', 0],
      ['esp', 0],
    ] as const)
      expect(endAt(model, '203.0.113.40', protocol, port)?.name).toBe('plant');
    expect(endAt(model, '203.0.113.40', 'udp', 501)).toBeUndefined();
    expect(new FlowJudge(model).destinationOf('203.0.113.40', 'tcp', 80)).toBeDefined();
  });

  it('is told apart from one that cannot be', () => {
    expect(troubleOf(plantOf(), facts)).toBeUndefined();
    expect(troubleOf(plantOf(), { ...facts, ipsec: { lacking: 'no ESP' } })).toEqual({
      reason: 'NoIpsec',
      message: 'no ESP',
    });
    expect(troubleOf(plantOf(), { ...facts, keys: new Map([['psk', { wrong: 'is empty' }]]) })).toEqual({
      reason: 'KeyUnusable',
      message: 'psk: is empty',
    });
  });

  it('says what the other end must set, its own key left out', () => {
    const model = modelOf();
    expect(ipsecPeerConfig(model.vpnConnections[0] as IpsecConnection, contextFor(model))).toMatchInlineSnapshot(`
      "# The other end of VpnConnection plant, 198.51.100.9, as a file for swanctl; tunnel net.
      # Packets of up to 1415 bytes pass the tunnel.
      connections {
        plant {
          version = 2
          local_addrs = %any
          remote_addrs = 203.0.113.40
          proposals = aes128gcm16-prfsha256-curve25519, aes256gcm16-prfsha384-ecp384, aes256-sha256-modp2048
          dpd_delay = 10s
          keyingtries = 0
          mobike = no
          unique = replace
          local {
            auth = psk
            id = "198.51.100.9"
          }
          remote {
            auth = psk
            id = "203.0.113.40"
          }
          children {
            net {
              local_ts = 192.168.90.0/24
              remote_ts = 10.0.0.0/24
              esp_proposals = aes128gcm16-curve25519, aes256gcm16-ecp384, aes256-sha256-modp2048
              start_action = trap
            }
          }
        }
      }
      secrets {
        ike-plant {
          id-1 = "198.51.100.9"
          id-2 = "203.0.113.40"
          # secret = what the gateway has in psk
        }
      }
      "
    `);
  });
});

const section = (values: Record<string, string>, sections: Record<string, Section> = {}): Section => ({
  values: new Map(Object.entries(values)),
  lists: new Map(),
  sections: new Map(Object.entries(sections)),
});
const child = (state: string, spi = 'c0000001', received = 84): Section =>
  section({
    ...{ name: 'net', state, 'spi-in': spi, 'install-time': '7' },
    ...{ 'bytes-in': `${received}`, 'bytes-out': `${2 * received}` },
  });
const sa = (children: Record<string, Section>, state = 'ESTABLISHED') =>
  stateIn(
    section(
      {},
      {
        'plant-00112233-44556677': section(
          { state, 'remote-host': '198.51.100.9', 'remote-port': '4500', established: '12' },
          { 'child-sas': section({}, children) },
        ),
      },
    ),
  );

describe('a message of the daemon', () => {
  it('is what was told', () => {
    const bytes = encodePacket(7, 'list-sa', { a: '1', list: ['x', 'y'], inner: { deeper: { b: 'ü' } }, none: [] });
    const { type, name, said } = decodePacket(bytes);
    expect({ type, name }).toEqual({ type: 7, name: 'list-sa' });
    expect(said.values.get('a')).toBe('1');
    expect(said.lists.get('list')).toEqual(['x', 'y']);
    expect(said.lists.get('none')).toEqual([]);
    expect(said.sections.get('inner')?.sections.get('deeper')?.values.get('b')).toBe('ü');
  });

  it('is as the protocol has it', () => {
    expect([...encodePacket(0, 'n', { key: 'v', l: ['i'], s: {} })]).toEqual([
      ...[0, 1, 110, 3, 3, 107, 101, 121, 0, 1, 118, 4, 1, 108, 5, 0, 1, 105, 6, 1, 1, 115, 2],
    ]);
  });

  it('is refused where it ends early', () => {
    const whole = encodePacket(7, 'list-sa', { section: { list: ['item'] } });
    for (let length = 1; length < whole.length; length++)
      if (length !== 9) expect(() => decodePacket(whole.subarray(0, length)), String(length)).toThrow(RangeError);
  });
});

describe('what a killed daemon has left', () => {
  it('is told from what is somebody else’s', () => {
    const state = (spi: string, more: string): string =>
      `src 203.0.113.40 dst 198.51.100.9\n\tproto esp spi ${spi} reqid 1 mode tunnel\n\treplay-window 0 flag af-unspec\n\toutput-mark 0x1000/0xffffffff\n${more}`;
    expect(
      parseStates(`${state('0xc02eb94b', '\tif_id 0x766701\n')}${state('0x1', '\tif_id 0x9\n')}${state('0x2', '')}`),
    ).toEqual([{ xfrmId: 0x766701, text: 'src 203.0.113.40 dst 198.51.100.9 proto esp spi 0xc02eb94b' }]);
  });
});

describe('what the daemon says', () => {
  it('of a tunnel that stands', () => {
    const [state] = sa({ 'net-1': child('INSTALLED') });
    expect(state).toEqual({
      name: 'plant-00112233-44556677',
      installed: true,
      busy: false,
      remote: '198.51.100.9:4500',
      ageS: 7,
      children: new Map([['c0000001', { receivedBytes: 84, sentBytes: 168 }]]),
    });
    const passed = { receivedBytes: 84, sentBytes: 168 };
    expect(lookAtIpsec(plantOf(), { state, fault: undefined, passed }, undefined)).toMatchObject({
      state: 'Up',
      reason: 'keys agreed on 7 s ago',
      peers: [{ connection: 'plant', peer: '198.51.100.9', endpoint: '198.51.100.9:4500', receivedBytes: 84 }],
    });
    const lost = { address: '192.168.90.1', sent: 4, lost: 4, roundTripMs: undefined };
    expect(lookAtIpsec(plantOf(), { state, fault: undefined, passed }, lost)).toMatchObject({
      state: 'Down',
      reason: '192.168.90.1 answers none of the last 4 probes',
    });
  });

  it('of one that carries while its keys are exchanged', () => {
    const [state] = sa({ 'net-1': child('REKEYED'), 'net-2': child('INSTALLED', 'c0000002') });
    expect(state).toMatchObject({ installed: true });
  });

  it('of what passed by keys that are gone is kept', () => {
    const [old, next] = ['c0000001', 'c0000002'];
    const seen = [
      sa({ 'net-1': child('INSTALLED', old, 50) }),
      sa({ 'net-1': child('REKEYED', old, 84), 'net-2': child('INSTALLED', next, 5) }),
      sa({ 'net-2': child('INSTALLED', next, 7) }),
      [],
      sa({ 'net-3': child('INSTALLED', 'c0000003', 2) }),
    ];
    let passed = NOTHING_PASSED;
    expect(seen.map((states) => (passed = passedBy(passed, states)).receivedBytes)).toEqual([50, 89, 91, 91, 93]);
    expect(passed.sentBytes).toBe(186);
  });

  it('of one that tries, and of none', () => {
    expect(sa({}, 'CONNECTING')).toMatchObject([{ installed: false, busy: true }]);
    expect(sa({})).toMatchObject([{ installed: false, busy: false }]);
    expect(stateIn(section({}))).toEqual([]);
  });

  it.each([
    ['received AUTHENTICATION_FAILED notify error', /refuses the key or the certificate/],
    ["no trusted ECDSA public key found for 'plant.example.com'", /not trusted here/],
    ['constraint check failed: identity 198.51.100.9 required', /of another name/],
    ["tried 1 shared key for '203.0.113.40' - '198.51.100.9', but MAC mismatched", /another key/],
    ['received NO_PROPOSAL_CHOSEN notify error', /none of the proposals/],
    ['received TS_UNACCEPTABLE notify, no CHILD_SA built', /other networks/],
    ['giving up after 3 retransmits', /does not answer/],
  ])('of why there is none: %s', (line, reason) => {
    const log = `2026-11-28T21:00:00 05[IKE] <plant-00112233|1> ${line}\n2026-11-28T21:00:00 05[IKE] <other-1|2> x\n`;
    const fault = whyNot(log, 'plant-00112233');
    expect(fault?.reason).toMatch(reason);
    const silent = line.startsWith('giving up');
    expect(whyNot(log, 'other-1')).toBeUndefined();
    expect(lookAtIpsec(plantOf(), { state: undefined, fault, passed: NOTHING_PASSED }, undefined)).toMatchObject({
      state: 'Down',
      ...(silent ? {} : { trouble: 'PeerRefuses' }),
    });
    expect(fault?.refuses).toBe(!silent);
    expect(whyNot(`${log}… [IKE] <plant-00112233|1> CHILD_SA net{1} established with …\n`, 'plant-00112233')).toBe(
      undefined,
    );
  });
});

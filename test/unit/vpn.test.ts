import { describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { troubleOf } from '../../gateway/features/sites.js';
import { type Facts, NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import { diff } from '../../gateway/kernel/wireguard/diff.js';
import { parseDump } from '../../gateway/kernel/wireguard/parse.js';
import { renderPeer } from '../../gateway/kernel/wireguard/render.js';
import { FlowJudge } from '../../gateway/model/flow.js';
import type { Member, MemberTunnel } from '../../gateway/model/high-availability.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { compile } from '../../gateway/reconcile/compile.js';
import { KeyFolder } from '../../gateway/system/key-folder.js';
import { elasticIp, snatRule, vpnConnection } from '../support/documents.js';
import { exampleMember } from '../support/example-member.js';
import { exampleKey, exampleKeys, examplePublicKey } from '../support/example-keys.js';
import { flowOf } from '../support/flow.js';

// Tunnels: what keys must be, what is told and to whom, and which connections an edit ends.

const GATEWAY = {
  apiVersion: 'vpcgw.io/v1alpha1',
  kind: 'VpcGateway',
  metadata: { name: 'blue' },
  spec: {
    internal: { interface: 'vpc0', addresses: ['10.0.0.1/24'] },
    externals: [{ name: 'internet', interface: 'ext0', addresses: ['100.64.0.11/24'], gateways: ['100.64.0.1'] }],
  },
};
const site = { name: 'site', publicKey: examplePublicKey('site'), networks: ['192.168.77.0/24'] };
type Options = Partial<Parameters<typeof vpnConnection>[1]>;
const modelOf = (options: Options = {}, more: readonly object[] = []) => {
  const documents = [
    GATEWAY,
    elasticIp('vpn', '203.0.113.40'),
    vpnConnection('office', {
      elasticIP: 'vpn',
      key: 'own',
      localNetworks: ['10.0.0.0/24'],
      peers: [site],
      ...options,
    }),
    ...more,
  ];
  const text = documents.map((each) => stringify(each)).join('---\n');
  return candidateOf(splitDocuments({ file: 'given.yaml', text }), new ParseCache()).model;
};
const facts: Facts = {
  mtu: new Map([
    ['vpc0', 1500],
    ['ext0', 1500],
  ]),
  tunnels: { engine: 'wireguard', lacking: undefined, namespace: '' },
  keys: exampleKeys('own', 'psk'),
};
const stateOf = (options: Options = {}) => {
  const model = modelOf(options);
  return compile({ model, facts, allocations: allocateAll(NO_ALLOCATIONS, model), pressure: NO_PRESSURE }).state;
};

describe('a key', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keys-'));
  const folder = new KeyFolder(directory);
  const said = (text: string): string => {
    writeFileSync(join(directory, 'key'), text);
    const fact = folder.read('key', 'private');
    return 'wrong' in fact ? fact.wrong : fact.key.fingerprint;
  };

  it('is taken as it stands, or named with what is wrong', () => {
    const key = exampleKey('own');
    expect(said(key)).toBe(examplePublicKey('own'));
    expect(said(`${key}\n`)).toMatchInlineSnapshot(
      `"has white space around the key; write the key alone, as printf %s does, without a newline at its end"`,
    );
    expect(said('')).toMatchInlineSnapshot(`"is empty"`);
    expect(said(key.slice(1))).toMatchInlineSnapshot(
      `"has 43 characters, and a key has 44 of base64; vpcgw vpn keygen makes one"`,
    );
    expect(said(key.replace(/.=$/, '!='))).toMatchInlineSnapshot(
      `"is not a key: 44 characters of base64 are wanted; vpcgw vpn keygen makes one"`,
    );
    expect(said('x'.repeat(5000))).toMatchInlineSnapshot(`"is 5000 bytes long, and a key has 44 characters"`);
    expect(folder.read('none', 'private')).toEqual({
      wrong: `is not in ${directory}; vpcgw vpn keygen none makes it`,
    });
  });

  it('is made for nobody else to read, and never over another', () => {
    const made = folder.create('sub/made', 'private');
    expect(folder.read('sub/made', 'private')).toMatchObject({ key: { fingerprint: made } });
    expect(statSync(join(directory, 'sub/made')).mode & 0o777).toBe(0o600);
    expect(() => folder.create('sub/made', 'private')).toThrow('is there already');
    rmSync(directory, { recursive: true });
  });

  it('keeps only its own connection down', () => {
    const model = modelOf({ peers: [{ ...site, psk: 'psk' }] });
    const troubleWith = (keys: Facts['keys']) =>
      model.vpnConnections.map((each) => troubleOf(each, { ...facts, keys }));
    expect(troubleWith(exampleKeys('own', 'psk'))).toEqual([undefined]);
    expect(troubleWith(exampleKeys('own'))).toMatchObject([{ reason: 'KeyUnusable' }]);
    expect(troubleWith(exampleKeys('psk'))).toMatchObject([{ reason: 'KeyUnusable' }]);
    expect(
      modelOf({ peers: [{ ...site, publicKey: examplePublicKey('own') }] }).vpnConnections.map((each) =>
        troubleOf(each, facts),
      ),
    ).toEqual([{ reason: 'KeyUnusable', message: 'peer site has the public key of this gateway' }]);
  });

  it('waits for another port where the members of a pair talk by that of its connection', () => {
    const [path] = exampleMember.paths;
    const under = { port: 51820 } as MemberTunnel;
    const troubles = (member: Member) => modelOf().vpnConnections.map((each) => troubleOf(each, { ...facts, member }));
    expect(troubles(exampleMember)).toEqual([undefined]);
    expect(troubles({ ...exampleMember, paths: [{ ...path, under }] })).toMatchObject([{ reason: 'PortTaken' }]);
  });

  it('is in no state, plan or log', () => {
    const state = stateOf({ peers: [{ ...site, psk: 'psk' }] });
    const said = JSON.stringify([[...state.wireguard], diff(new Map(), state.wireguard)], (_, value: unknown) =>
      value instanceof Map ? [...(value as Map<unknown, unknown>)] : value,
    );
    expect(said).toContain(examplePublicKey('own'));
    for (const name of ['own', 'psk']) expect(said).not.toContain(exampleKey(name));
  });
});

describe('what a tunnel is told', () => {
  const links = (options: Options) => stateOf(options).wireguard;
  const laptop = { name: 'laptop', publicKey: examplePublicKey('laptop'), networks: ['192.168.78.5/32'] };
  const keysOf = (changes: ReturnType<typeof diff>) =>
    changes.map(({ action, key }) => `${action} ${key.split(' ')[1] ?? 'link'}`);

  it('is what has changed of one peer, and nothing of the others', () => {
    const before = links({ peers: [site, laptop] });
    expect(diff(before, links({ peers: [site, laptop] }))).toEqual([]);
    expect(keysOf(diff(before, links({ peers: [site, { ...laptop, keepalive: '25s' }] })))).toEqual([
      `replace ${laptop.publicKey}`,
    ]);
    expect(keysOf(diff(before, links({ peers: [site] })))).toEqual([`remove ${laptop.publicKey}`]);
    expect(keysOf(diff(before, links({ peers: [site, laptop], listenPort: 51821 })))).toEqual(['replace link']);
  });

  it('is no endpoint that it was told before', () => {
    const [key = '', peer] =
      [...(links({ peers: [{ ...site, endpoint: '198.51.100.7:51820' }] }).get('vw-office')?.peers ?? [])][0] ?? [];
    if (!peer) throw new Error('there is a peer');
    expect(renderPeer(key, peer, undefined)).toContain('Endpoint = 198.51.100.7:51820');
    expect(renderPeer(key, peer, peer).join()).not.toContain('Endpoint');
  });

  it('is read back without the secrets', () => {
    const dump = parseDump(
      `secret\tpublic\t51820\t0x1000\nkey\tsecret\t[2001:db8::7]:51820\t10.1.0.0/16,10.0.9.0/24\t7\t1\t2\toff\n`,
      () => 'digest',
    );
    expect(dump).toEqual({
      publicKey: 'public',
      listenPort: 51820,
      mark: 0x1000,
      peers: [
        {
          publicKey: 'key',
          presharedKey: { fingerprint: 'digest' },
          endpoint: '[2001:db8::7]:51820',
          networks: ['10.0.9.0/24', '10.1.0.0/16'],
          handshakeS: 7,
          receivedBytes: 1,
          sentBytes: 2,
          keepaliveS: 0,
        },
      ],
    });
  });
});

it('reads back some peers of a tunnel, and looks at no other', () => {
  const line = (key: string): string => `${key}\t(none)\t(none)\t10.1.0.0/16\t0\t0\t0\toff\n`;
  const dump = parseDump(`secret\tpublic\t51820\toff\n${line('a')}${line('ab')}${line('b')}`, () => '', new Set(['a']));
  expect(dump?.peers.map(({ publicKey }) => publicKey)).toEqual(['a']);
});

describe('a connection through a tunnel', () => {
  const judge = (options: Options, flow: Parameters<typeof flowOf>[0], more: readonly object[] = []) =>
    new FlowJudge(modelOf(options, more)).judge(flowOf(flow)).reason;
  const out = { from: '10.0.0.5', to: '192.168.77.1' };
  const into = { from: '192.168.77.1', to: '10.0.0.5' };

  it('stays while both ends are of its networks', () => {
    expect(judge({}, out)).toBe('');
    expect(judge({}, into)).toBe('');
    expect(judge({ localNetworks: ['10.0.0.128/25'] }, out)).toBe(
      '10.0.0.5 is no local network of VpnConnection/office',
    );
    expect(judge({ localNetworks: ['10.0.0.128/25'] }, into)).toBe('VpnConnection/office does not offer 10.0.0.5');
  });

  it('goes when it left by another way before', () => {
    const shared = [elasticIp('nat', '203.0.113.20'), snatRule('all', ['10.0.0.0/24'], ['nat'])];
    expect(judge({}, { ...out, seenAs: '203.0.113.20' }, shared)).toBe(
      '192.168.77.1 is reached by VpnConnection/office now',
    );
    const peers = [{ ...site, networks: ['192.168.99.0/24'] }];
    expect(judge({ peers }, out, shared)).toBe('10.0.0.5 left without translation');
  });

  it('is known by what each side sees', () => {
    const translate = [{ network: '10.0.0.0/24', as: '100.64.7.0/24' }];
    expect(judge({ translate }, { ...out, seenAs: '100.64.7.5' })).toBe('');
    expect(judge({ translate }, out)).toBe('192.168.77.1 is reached by VpnConnection/office now');
    expect(judge({ translate }, { from: '192.168.77.1', to: '100.64.7.5', endsAt: '10.0.0.5' })).toBe('');
    expect(judge({ translate }, into)).toBe('VpnConnection/office does not offer 10.0.0.5');
  });

  it('goes when its rules deny it', () => {
    const rules = [{ action: 'Allow' as const, ports: [{ protocol: 'TCP' as const, port: 443 }] }];
    expect(judge({ rules }, into)).toBe('VpnConnection/office denies it');
    expect(judge({ rules }, out)).toBe('');
  });

  it('gives the port of the tunnel to the tunnel', () => {
    const bound = { from: '198.51.100.7', to: '203.0.113.40', port: 51820, protocol: 'udp' };
    expect(judge({}, bound)).toBe('');
    expect(judge({}, { ...bound, endsAt: '10.0.0.5' })).toBe('203.0.113.40 is where VpnConnection/office ends now');
  });
});

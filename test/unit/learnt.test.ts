import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import type { LearningLine } from '../../gateway/routing/bird.js';
import { changesFor, learntIn, routesOf } from '../../gateway/routing/learnt.js';

// What the active member of a pair tells of its lines, and what the other does with it.

const line = (name: string, n: number, priority: number): string => `
---
apiVersion: vpcgw.io/v1alpha1
kind: DedicatedLine
metadata: {name: ${name}}
spec:
  port: {interface: line${n}}
  localAddresses: [169.254.10${n}.1/30, "fd00:10${n}::1/126"]
  peerAddresses: [169.254.10${n}.2, "fd00:10${n}::2"]
  localNetworks: [10.0.0.0/24]
  priority: ${priority}
  bgp: {localASN: 65001, peerASN: 65010, accept: [{cidr: 172.20.0.0/16, upTo: 24}, {cidr: "fd00:20::/48"}]}
`;
const TEXT = `
apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: g}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/24]}
  externals: [{name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}]
${line('paris', 0, 100)}${line('rome', 1, 100)}${line('oslo', 2, 150)}`;
const { model } = candidateOf(splitDocuments({ file: 'given.yaml', text: TEXT }), new ParseCache());
const lines = model.dedicatedLines.flatMap((each, number): LearningLine[] =>
  each.bgp ? [{ line: each, bgp: each.bgp, number, password: undefined }] : [],
);
const changes = (told: Parameters<typeof changesFor>[0], present: Parameters<typeof changesFor>[1] = []) =>
  [...changesFor(told, present, model, lines).values()].flat();

describe('what lines have learnt', () => {
  it('is what the kernel leads by them, each line its own', () => {
    const hop = (n: number) => ({ gateway: `169.254.10${n}.2`, dev: `vg-line${n}`, weight: 1, flags: [] });
    const routes = routesOf(4, [
      { dst: '172.20.1.0/24', nexthops: [hop(0), hop(1)], metric: 100 },
      { dst: '172.20.2.2', ...hop(2), metric: 150 },
      { dst: '172.20.3.0/24', dev: 'vg-elsewhere' },
    ]);
    expect(learntIn(routes, lines)).toEqual({
      oslo: ['172.20.2.2/32'],
      paris: ['172.20.1.0/24'],
      rome: ['172.20.1.0/24'],
    });
    expect(changes(learntIn(routes, lines), routes)).toEqual([
      'route delete 172.20.2.2/32 table 1000 proto bird metric 150',
      'route delete 172.20.3.0/24 table 1000 proto bird metric 0',
    ]);
  });

  it('is led by the same links of the other member, and lines of one priority share it', () => {
    expect(changes({ paris: ['172.20.1.0/24', 'fd00:20::/48'], rome: ['172.20.1.0/24'] })).toEqual([
      'route replace 172.20.1.0/24 table 1000 proto bird metric 100 src 10.0.0.1 nexthop via 169.254.100.2 dev vg-line0 nexthop via 169.254.101.2 dev vg-line1',
      'route replace fd00:20::/48 table 1000 proto bird metric 100 via fd00:100::2 dev vg-line0',
    ]);
  });

  it.each(['10.0.0.0/24', '0.0.0.0/0', '172.20.0.0/25', '172.20.1.0/24\nroute flush table main', 'fd00:20::/49'])(
    'is not taken beyond what this member accepts: %s',
    (network) => {
      expect(changes({ paris: [network] })).toEqual([]);
    },
  );

  it('is nothing of a line that is not there, or that keeps nothing', () => {
    expect(changes({ berlin: ['172.20.1.0/24'] })).toEqual([]);
    const forgetful = lines.map((each) => ({ ...each, bgp: { ...each.bgp, gracefulRestart: false } }));
    expect([...changesFor({ paris: ['172.20.1.0/24'] }, [], model, forgetful).values()].flat()).toEqual([]);
  });
});

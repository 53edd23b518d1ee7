import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { probedLinks } from '../../gateway/failover/probed-links.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { spec } from '../support/complaints.js';

const gatewayOf = (internal: string, externals: string, gateways: string): string =>
  spec(
    'VpcGateway',
    'blue',
    `  internal: {interface: vpc0, addresses: [${internal}]}
  externals: [{name: internet, interface: ext0, addresses: [${externals}], gateways: [${gateways}]}]
`,
  );
const eip = (name: string, address: string, target: string): string =>
  spec('ElasticIP', name, `  address: "${address}"\n  target: {address: "${target}"}\n`);

const asked = (...documents: string[]): string[] => {
  const { model } = candidateOf(splitDocuments({ file: 'a.yaml', text: documents.join('---\n') }), new ParseCache());
  return probedLinks(model).map(
    ({ link, watched, neighbours }) => `${link} ${watched?.text}: ${neighbours.map(({ text }) => text).join(' ')}`,
  );
};
const [IN, OUT] = ['10.0.0.1/24, "fd00:a::1/64"', '100.64.0.11/24, "2001:db8:ffff::11/64"'];
const HOPS = '100.64.0.1, "2001:db8:ffff::1"';
const web = eip('web', '203.0.113.10', '10.0.0.5');
const six = eip('six', '2001:db8:e::10', 'fd00:a::6');

describe('what a member asks', () => {
  it('is of IPv4 where somebody can be asked by it', () => {
    expect(asked(gatewayOf(IN, OUT, HOPS), six, web)).toEqual([
      'vpc0 10.0.0.1: 10.0.0.5',
      'ext0 100.64.0.11: 100.64.0.1',
    ]);
  });

  it('is of IPv6 where nobody else can be asked', () => {
    expect(asked(gatewayOf(IN, OUT, '"2001:db8:ffff::1"'), six)).toEqual([
      'vpc0 fd00:a::1: fd00:a::6',
      'ext0 2001:db8:ffff::11: 2001:db8:ffff::1',
    ]);
    expect(asked(gatewayOf('"fd00:a::1/64"', '"fe80::11/64"', '"fe80::1"'), six)).toEqual([
      'vpc0 fd00:a::1: fd00:a::6',
      'ext0 fe80::11: fe80::1',
    ]);
  });

  it("is for the pair's own address alone where nobody is known", () => {
    expect(asked(gatewayOf(IN, OUT, HOPS))[0]).toBe('vpc0 10.0.0.1: ');
    expect(asked(gatewayOf('"fd00:a::1/64"', OUT, HOPS))[0]).toBe('vpc0 fd00:a::1: ');
  });

  it('is a router instead of what is behind it', () => {
    const routed = gatewayOf(`${IN}], prefixes: [{cidr: 10.0.1.0/24, via: 10.0.0.254}`, OUT, HOPS);
    expect(asked(routed, eip('behind', '203.0.113.10', '10.0.1.5'))[0]).toBe('vpc0 10.0.0.1: 10.0.0.254');
  });

  it('is eight neighbours at most', () => {
    const many = Array.from({ length: 12 }, (_, i) => eip(`e${i}`, `203.0.113.${i}`, `10.0.0.${5 + i}`));
    expect(asked(gatewayOf(IN, OUT, HOPS), ...many)[0]).toMatch(/: (10\.0\.0\.\d+ ?){8}$/);
  });
});

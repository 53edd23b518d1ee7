import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dedicatedLine, type Document, elasticIp, gateway, snatRule } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, silence, silenceMs } from '../support/reach.js';
import { Site } from '../support/site.js';
import { SiteBird } from '../support/site-bird.js';

// A default route that a line has learnt: it leads out whoever has no way of their own, and nobody else.

const ACCEPTED = ['172.20.0.0/16', 'fd00:20::/48'];
const DEFAULT = ['0.0.0.0/0', '::/0'];
const INTERNET = '198.51.100.1';
const families = [
  { family: 'IPv4', beyond: '192.0.2.77', web: '10.0.0.5' },
  { family: 'IPv6', beyond: '2001:db8:77::1', web: 'fd00:a::5' },
];

describe('a default route that a line has learnt', () => {
  const told = { asn: 65_010, gatewayAsn: 65_001, networks: [...ACCEPTED, ...DEFAULT] };
  const line = (acceptDefaultRoute: boolean): Document =>
    dedicatedLine('paris', {
      number: 0,
      port: 'line0',
      networks: ACCEPTED,
      bgp: { localASN: 65_001, peerASN: 65_010, acceptDefaultRoute },
    });
  const addresses = [
    elasticIp('app', '203.0.113.10', { target: '10.0.0.6' }),
    elasticIp('nat', '203.0.113.20'),
    snatRule('far', ['10.0.0.7/32'], ['nat']),
  ];
  let site: Site;
  let bird: SiteBird;
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', { name: 'far', addresses: ['10.0.0.7/24'] }] }],
    documents: (tenant) => [gateway(tenant), line(false), ...addresses],
    prepare: async ({ tenants: [tenant] }) => {
      if (!tenant) return;
      site = await Site.create(tenant.gateway, {
        lines: [{ name: 'line0' }],
        addresses: ['172.20.0.1', 'fd00:20::1', ...families.map(({ beyond }) => beyond)],
        networks: [],
      });
    },
  });
  beforeAll(async () => {
    bird = await SiteBird.start(site, told);
    await serve(lab.tenant.vm('web'), lab.tenant.vm('app'), site.host, lab.topology.inet);
  });
  afterAll(() => site?.delete());

  const apply = (...more: Document[]) => lab.apply([gateway(lab.tenant), ...addresses, ...more]);
  const ways = async (network: string) => {
    const { text } = await lab.supervisor().get('/v1/show/routes');
    return (JSON.parse(text) as { network: string; by: string }[]).filter((row) => row.network === network).length;
  };
  const leads = (network: string, count: number) => expect.poll(() => ways(network), { timeout: 15_000 }).toBe(count);
  const web = () => lab.vm('web');
  const refused = { error: expect.stringMatching(/^E(HOST|NET)UNREACH$/) as string };

  it('is not taken unless the document says so', async () => {
    await leads('172.20.0.0/16', 2);
    expect(await ways('default')).toBe(0);
    expect(await overTcp(await web(), { to: '192.0.2.77' })).toEqual(refused);
  });

  it.each(families)('leads out who has no other way, as they are: $family', async ({ beyond, web: address }) => {
    await apply(line(true));
    await leads('default', 2);
    expect(await overTcp(await web(), { to: beyond })).toEqual({ server: site.router.label, client: address });
  });

  it('is none of an elastic IP or of a SNAT rule, in or out', async () => {
    const [app, far, inet] = [await lab.vm('app'), await lab.vm('far'), await lab.inet()];
    expect(await overTcp(app, { to: INTERNET })).toMatchObject({ client: '203.0.113.10' });
    expect(await overTcp(far, { to: INTERNET })).toMatchObject({ client: '203.0.113.20' });
    expect(await overTcp(inet, { to: '203.0.113.10' })).toMatchObject({ server: lab.tenant.vm('app').namespace.label });
    expect(await overTcp(app, { to: '192.0.2.77', timeoutMs: silenceMs })).not.toHaveProperty('server');
    expect(await overTcp(far, { to: '192.0.2.77', timeoutMs: silenceMs })).not.toHaveProperty('server');
  });

  it.each(families)('lets nobody in who is not in the networks of the line: $family', async ({ beyond, web: to }) => {
    const router = await site.host.agent();
    const from = beyond.includes(':') ? 'fd00:20::1' : '172.20.0.1';
    expect(await overTcp(router, { from, to })).toMatchObject({ server: lab.tenant.vm('web').namespace.label });
    expect(await overTcp(router, { from: beyond, to, timeoutMs: silenceMs })).toEqual(silence);
  });

  it('is traced as the kernel leads', async () => {
    const { text } = await lab.supervisor().get('/v1/trace?from=10.0.0.5&to=192.0.2.77:80/tcp');
    expect(text).toContain('DedicatedLine/paris');
  });

  it('leads on what stands when other things are edited, and not what has a way of its own now', async () => {
    const connection = await (await web()).tcpConnect({ to: '192.0.2.77', port: 80 });
    await apply(line(true), elasticIp('other', '203.0.113.30'));
    expect(await connection.isAlive()).toBe(true);
    await apply(line(true), elasticIp('own', '203.0.113.30', { target: '10.0.0.5' }));
    expect(await connection.isAlive()).toBe(false);
    expect(await overTcp(await web(), { to: INTERNET })).toMatchObject({ client: '203.0.113.30' });
    await apply(line(true));
    expect(await overTcp(await web(), { to: '192.0.2.77' })).toMatchObject({ server: site.router.label });
  });

  it('leaves nobody to the external network when it is gone', async () => {
    await bird.tell({ ...told, networks: ACCEPTED });
    await leads('default', 0);
    expect(await overTcp(await web(), { to: '192.0.2.77' })).toEqual(refused);
    expect(await overTcp(await lab.vm('app'), { to: INTERNET })).toMatchObject({ client: '203.0.113.10' });
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, ipv6Prefix, prefixesBehindRouter, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';

// Public IPv6 that is routed to the gateway: as it is, outward only, translated one to one (NAT66), and beside other NAT.

const client = '2001:db8:1::1';

describe('routed IPv6', () => {
  const open = '2001:db8:a::5';
  const closed = '2001:db8:a:0:8000::6';

  const lab = useGatewayLab({
    tenants: [
      {
        name: 'blue',
        vms: [
          { name: 'open', addresses: ['10.0.0.5/24', 'fd00:a::5/64', `${open}/64`] },
          { name: 'closed', addresses: ['10.0.0.6/24', 'fd00:a::6/64', `${closed}/64`] },
        ],
      },
    ],
    routes: [{ destination: '2001:db8:a::/64', via: '2001:db8:ffff::11' }],
    prepare: async ({ tenants: [blue] }) => {
      for (const name of ['open', 'closed'])
        await blue?.vm(name).namespace.ip(['route replace default via 2001:db8:a::1']);
    },
    documents: (tenant) => [
      gateway(tenant, { internalAddresses: ['10.0.0.1/24', '2001:db8:a::1/64'] }),
      ipv6Prefix('open', '2001:db8:a::/65', { mode: 'Full' }),
      ipv6Prefix('closed', '2001:db8:a:0:8000::/65', { mode: 'EgressOnly' }),
    ],
  });

  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('open'), lab.tenant.vm('closed')));

  it('in mode Full goes in and out untranslated', async () => {
    const inet = await lab.inet();
    const { greeting } = await inet.tcpConnect({ to: open, port: ports.tcp, from: client });
    expect(greeting).toMatchObject({ server: 'blue-open', local: { address: open }, remote: { address: client } });
    expect(await overUdp(inet, { to: open, from: client })).toEqual({ server: 'blue-open', client });
    expect(await ping(lab.topology.inet.namespace, { to: open, from: client })).toEqual({ received: 1, errors: [] });
    for (const over of [overTcp, overUdp]) {
      expect(await over(await lab.vm('open'), { to: client, from: open })).toEqual({ server: 'inet', client: open });
    }
  });

  it('in mode EgressOnly gets answers', async () => {
    const vm = await lab.vm('closed');
    for (const over of [overTcp, overUdp]) {
      expect(await over(vm, { to: client, from: closed })).toEqual({ server: 'inet', client: closed });
    }
    const held = await vm.tcpConnect({ to: client, port: ports.tcp, from: closed });
    expect(await held.isAlive()).toBe(true);
    const { namespace } = lab.tenant.vm('closed');
    expect(await ping(namespace, { to: client, from: closed })).toEqual({ received: 1, errors: [] });
  });

  it('in mode EgressOnly is not entered', async () => {
    const inet = await lab.inet();
    const capture = await Capture.start(lab.tenant.vm('closed').namespace, {
      interface: 'eth0',
      filter: `host ${closed}`,
    });
    const attempts = [overTcp, overUdp].map((over) => over(inet, { to: closed, from: client, timeoutMs: silenceMs }));
    const echo = ping(lab.topology.inet.namespace, { to: closed, from: client, timeoutMs: silenceMs });
    expect(await Promise.all(attempts)).toEqual([silence, silence]);
    expect(await echo).toEqual({ received: 0, errors: [] });
    expect((await capture.stop()).filter(({ src }) => src === client)).toEqual([]);
  });

  it('does not let out a source that is in no prefix of the VPC', async () => {
    const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'net fd00:a::/64' });
    const outcome = await overTcp(await lab.vm('open'), { to: client, from: 'fd00:a::5', timeoutMs: silenceMs });
    expect(outcome).toHaveProperty('error');
    expect(await capture.stop()).toEqual([]);
  });
});

describe('translated IPv6 (NAT66)', () => {
  const inside = { web: 'fd00:a::5', app: 'fd00:a::6', db: 'fd00:a::7', behind: 'fd00:a:1::5' };
  const outside = { web: '2001:db8:b::5', app: '2001:db8:b::6', db: '2001:db8:b::7', behind: '2001:db8:b:1::5' };
  const bound = '2001:db8:e::10';
  const shared = '2001:db8:e::20';

  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', 'db'], router: true }],
    routes: [{ destination: '2001:db8:b::/63', via: '2001:db8:ffff::11' }],
    documents: (tenant) => [
      gateway(tenant, { prefixes: prefixesBehindRouter }),
      ipv6Prefix('subnet', '2001:db8:b::/64', { internal: 'fd00:a::/64' }),
      ipv6Prefix('behind', '2001:db8:b:1::/64', { internal: 'fd00:a:1::/64', mode: 'EgressOnly' }),
      elasticIp('bound', bound, { target: inside.app }),
      elasticIp('shared', shared),
      snatRule('db', [`${inside.db}/128`], ['shared']),
      dnatRule('web', { elasticIP: 'shared', protocol: 'TCP', port: 8080, target: inside.web, targetPort: ports.tcp }),
    ],
  });

  beforeAll(() => serve(lab.topology.inet, ...['web', 'app', 'db', 'behind'].map((name) => lab.tenant.vm(name))));

  it('keeps the host part, in and out', async () => {
    const inet = await lab.inet();
    const { greeting } = await inet.tcpConnect({ to: outside.web, port: ports.tcp, from: client });
    expect(greeting).toMatchObject({ server: 'blue-web', local: { address: inside.web }, remote: { address: client } });
    expect(await overUdp(inet, { to: outside.web, from: client })).toEqual({ server: 'blue-web', client });
    expect(await ping(lab.topology.inet.namespace, { to: outside.web, from: client })).toEqual({
      received: 1,
      errors: [],
    });
    for (const over of [overTcp, overUdp]) {
      expect(await over(await lab.vm('web'), { to: client })).toEqual({ server: 'inet', client: outside.web });
    }
  });

  it('in mode EgressOnly goes out translated and is not entered', async () => {
    for (const over of [overTcp, overUdp]) {
      const where = { to: client, from: inside.behind };
      expect(await over(await lab.vm('behind'), where)).toEqual({ server: 'inet', client: outside.behind });
    }
    const filter = `host ${inside.behind}`;
    const capture = await Capture.start(lab.tenant.vm('behind').namespace, { interface: 'eth0', filter });
    const inet = await lab.inet();
    const attempts = [outside.behind, inside.behind].map((to) =>
      overTcp(inet, { to, from: client, timeoutMs: silenceMs }),
    );
    for (const outcome of await Promise.all(attempts)) expect(outcome).toHaveProperty('error');
    expect((await capture.stop()).filter(({ src }) => src === client)).toEqual([]);
  });

  it('gives way to a 1:1 address, which its VM uses both ways', async () => {
    const inet = await lab.inet();
    expect(await overTcp(inet, { to: bound, from: client })).toEqual({ server: 'blue-app', client });
    expect(await overTcp(await lab.vm('app'), { to: client })).toEqual({ server: 'inet', client: bound });
    // The translated address is still its own, and answers come from it.
    expect(await overTcp(inet, { to: outside.app, from: client })).toEqual({ server: 'blue-app', client });
  });

  it('stands beside SNAT of one host and DNAT to another', async () => {
    const inet = await lab.inet();
    for (const over of [overTcp, overUdp]) {
      expect(await over(await lab.vm('db'), { to: client })).toEqual({ server: 'inet', client: shared });
    }
    expect(await overTcp(inet, { to: shared, port: 8080, from: client })).toEqual({ server: 'blue-web', client });
  });

  it('lets a VM reach another by its translated address', async () => {
    const reached = await overTcp(await lab.vm('web'), { to: outside.db });
    expect(reached).toEqual({ server: 'blue-db', client: outside.web });
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';

// Ports of an elastic IP lead to VMs: which ports to which, and what else the same address does.

const families = [
  {
    family: 'IPv4',
    eip: (host: number) => `203.0.113.${host}`,
    vm: (host: number) => `10.0.0.${host}`,
    source: '10.0.0.0/24',
    client: '198.51.100.1',
  },
  {
    family: 'IPv6',
    eip: (host: number) => `2001:db8:e::${host}`,
    vm: (host: number) => `fd00:a::${host}`,
    source: 'fd00:a::/64',
    client: '2001:db8:1::1',
  },
];

// The same for both families: `shared` also carries SNAT, `bound` is 1:1 to web, `whole` leads to db with everything.
const documentsOf = ({ family, eip, vm, source }: (typeof families)[number]) => {
  const named = (name: string) => `${name}-${family.toLowerCase()}`;
  const [web, app, db] = [vm(5), vm(6), vm(7)];
  const shared = named('shared');
  return [
    elasticIp(shared, eip(20)),
    elasticIp(named('bound'), eip(10), { target: web }),
    elasticIp(named('whole'), eip(30)),
    snatRule(named('all'), [source], [shared]),
    dnatRule(named('single'), { elasticIP: shared, protocol: 'TCP', port: 8080, target: app, targetPort: ports.tcp }),
    dnatRule(named('same'), { elasticIP: shared, protocol: 'TCP', port: 3000, endPort: 3009, target: app }),
    dnatRule(named('shifted'), {
      elasticIP: shared,
      protocol: 'TCP',
      port: 6000,
      endPort: 6009,
      target: app,
      targetPort: 5000,
    }),
    dnatRule(named('dns'), { elasticIP: shared, protocol: 'UDP', port: 5353, target: db, targetPort: ports.udp }),
    dnatRule(named('ping'), { elasticIP: shared, protocol: 'ICMP', target: db }),
    dnatRule(named('exception'), {
      elasticIP: named('bound'),
      protocol: 'TCP',
      port: 8080,
      target: db,
      targetPort: ports.tcp,
    }),
    dnatRule(named('everything'), { elasticIP: named('whole'), protocol: 'Any', target: db }),
  ];
};

describe('DNAT of a dual-stack tenant', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', 'db'] }],
    documents: (tenant) => [gateway(tenant), ...families.flatMap(documentsOf)],
  });

  beforeAll(async () => {
    await serve(lab.topology.inet, ...['web', 'app', 'db'].map((name) => lab.tenant.vm(name)));
    const app = await lab.vm('app');
    for (const port of [3000, 3004, 3009, 3010, 5000, 5004, 5009, 5010]) await app.tcpServer({ port });
  });

  describe.each(families)('$family', ({ eip, vm, client: from }) => {
    const shared = eip(20);

    it('leads one port to another, and answers by the same address', async () => {
      const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'tcp' });
      const inet = await lab.inet();
      expect(await overTcp(inet, { to: shared, port: 8080, from })).toEqual({ server: 'blue-app', client: from });
      const answers = (await capture.stop()).filter(({ dst }) => dst === from);
      expect(answers.length).toBeGreaterThan(0);
      expect(answers.filter(({ src, sport }) => src !== shared || sport !== 8080)).toEqual([]);
    });

    it('leads a range port by port, to the same numbers or shifted ones', async () => {
      const inet = await lab.inet();
      const inside = [
        [3000, 3000],
        [3004, 3004],
        [3009, 3009],
        [6000, 5000],
        [6004, 5004],
        [6009, 5009],
      ];
      for (const [port = 0, local] of inside) {
        const { greeting } = await inet.tcpConnect({ to: shared, port, from });
        expect(greeting).toMatchObject({ server: 'blue-app', local: { address: vm(6), port: local } });
      }
    });

    it('leads no port that no rule names', async () => {
      const inet = await lab.inet();
      const attempts = [
        ...[3010, 6010, 5004, 2999, ports.tcp].map((port) => ({ over: overTcp, port })),
        ...[8080, 3004, ports.udp].map((port) => ({ over: overUdp, port })),
      ];
      const outcomes = await Promise.all(
        attempts.map(({ over, port }) => over(inet, { to: shared, port, from, timeoutMs: silenceMs })),
      );
      expect(outcomes).toEqual(attempts.map(() => silence));
    });

    it('leads UDP and ping each to its own VM', async () => {
      const inet = lab.topology.inet.namespace;
      expect(await overUdp(await lab.inet(), { to: shared, port: 5353, from })).toEqual({
        server: 'blue-db',
        client: from,
      });
      const capture = await Capture.start(lab.tenant.vm('db').namespace, {
        interface: 'eth0',
        filter: 'icmp or icmp6',
      });
      expect(await ping(inet, { to: shared, from })).toEqual({ received: 1, errors: [] });
      const request = await capture.waitFor(({ icmp }) => icmp?.type === 8 || icmp?.type === 128);
      expect(request).toMatchObject({ src: from, dst: vm(7) });
      await capture.stop();
    });

    it('stands beside SNAT on one address', async () => {
      for (const name of ['app', 'db']) {
        for (const over of [overTcp, overUdp]) {
          expect(await over(await lab.vm(name), { to: from })).toEqual({ server: 'inet', client: shared });
        }
      }
      const inward = await (await lab.inet()).tcpConnect({ to: shared, port: 8080, from });
      const outward = await (await lab.vm('app')).tcpConnect({ to: from, port: ports.tcp });
      expect([await inward.isAlive(), await outward.isAlive()]).toEqual([true, true]);
    });

    it('takes a port out of a 1:1 address, and leaves it the rest', async () => {
      const inet = await lab.inet();
      expect(await overTcp(inet, { to: eip(10), port: 8080, from })).toEqual({ server: 'blue-db', client: from });
      expect(await overTcp(inet, { to: eip(10), from })).toEqual({ server: 'blue-web', client: from });
      expect(await overUdp(inet, { to: eip(10), from })).toEqual({ server: 'blue-web', client: from });
      expect(await overTcp(await lab.vm('web'), { to: from })).toEqual({ server: 'inet', client: eip(10) });
      // Its answers leave by that address; what it opens itself leaves by its own rule.
      expect(await overTcp(await lab.vm('db'), { to: from })).toEqual({ server: 'inet', client: shared });
    });

    it('leads a whole address with all its protocols', async () => {
      const inet = await lab.inet();
      for (const over of [overTcp, overUdp]) {
        expect(await over(inet, { to: eip(30), from })).toEqual({ server: 'blue-db', client: from });
      }
      expect(await ping(lab.topology.inet.namespace, { to: eip(30), from })).toEqual({ received: 1, errors: [] });
    });
  });
});

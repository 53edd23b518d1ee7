import type { GatewayStatus } from '../support/supervisor.js';
import type { Gateway } from './stage.js';
import type { Scene } from './scene.js';
import { expectSame, type Figure } from './story.js';

const promisedMs = 2_000;

const damages = [
  { what: 'flushes every NAT rule (iptables -t nat -F)', argv: ['iptables', '-t', 'nat', '-F'] },
  { what: 'deletes the address 203.0.113.10', argv: ['ip', 'address', 'delete', '203.0.113.10/32', 'dev', 'vg-ext0'] },
  { what: 'flushes the set of sources (ipset flush)', argv: ['ipset', 'flush', 'vg-src4'] },
];

export const drift: Scene = {
  title: 'Drift: somebody changes the kernel behind the supervisor’s back',
  async play({ blue, inet }, story) {
    const held = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
    for (const { what, argv } of damages) await story.check(`${what}: seen and repaired`, () => repaired(blue, argv));
    await story.check('web answers at 203.0.113.10 and leaves by it again', async () => {
      expectSame('who answered', (await inet.tcpConnect({ to: '203.0.113.10', port: 80 })).greeting.server, 'blue-web');
      const { greeting } = await (await blue.vm('web')).tcpConnect({ to: '198.51.100.1', port: 8080 });
      expectSame('the client', greeting.remote.address, '203.0.113.10');
    });
    await story.check('a connection that was open before all this carries on', async () =>
      expectSame('it lives', await held.isAlive(), true),
    );
  },
};

async function repaired({ tenant, supervisor }: Gateway, argv: readonly string[]): Promise<Figure> {
  const before = repairsIn(await supervisor.status());
  await tenant.gateway.exec(argv);
  const began = performance.now();
  await supervisor.statusWhen((status) => repairsIn(status) > before);
  const ms = performance.now() - began;
  if (ms > promisedMs) throw new Error(`repaired only after ${ms.toFixed(0)} ms; ${promisedMs} are promised`);
  return { ms };
}

const repairsIn = (status: GatewayStatus): number => (status as WithDrift).drift.repairs;
type WithDrift = GatewayStatus & { readonly drift: { readonly repairs: number } };

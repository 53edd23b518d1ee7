import type { Agent } from '../support/agent.js';
import type { Scene } from './scene.js';
import { exampleText } from './stage.js';
import { expectSame } from './story.js';

const document = 'load-balancer.yaml';
const address = '203.0.113.30';
const connections = 60;
/** So long may a health check take until it finds a member dead, with the gateway's own time after it. */
const foundWithinMs = 2_000;

export const loadBalancer: Scene = {
  title: `A load balancer: ${address} leads to web, app and db, to web twice as often`,
  async play({ blue, inet }, story) {
    await story.check(`${document} is laid into the folder and in force`, async () => {
      expectSame('taken', (await blue.lay(document)).folder?.taken, true);
    });
    await story.check(`${connections} connections reach all three`, async () => {
      const answered = await whoAnswers(inet);
      story.say([...answered].map(([server, count]) => `${server}: ${count}`).join(', '));
      expectSame('who answered', [...answered.keys()].sort().join(), 'blue-app,blue-db,blue-web');
    });
    const open = await connectionTo('blue-web', inet);
    await story.check('web is taken out: new connections go to the others, and one that is open goes on', async () => {
      const text = exampleText(document).replace('weight: 2', 'weight: 2, maintenance: true');
      expectSame('taken', (await blue.lay(document, text)).folder?.taken, true);
      expectSame('who answered', [...(await whoAnswers(inet)).keys()].sort().join(), 'blue-app,blue-db');
      expectSame('the open connection lives', await open.isAlive(), true);
    });
    const db = blue.tenant.vm('db').namespace;
    const deaf = ['-p', 'tcp', '--dport', '80', '-j', 'DROP'];
    await story.check('db falls silent: until its health check has taken it out', async () => {
      const began = performance.now();
      await db.exec(['iptables', '-I', 'INPUT', ...deaf]);
      while ((await stateOf('10.0.0.7')) !== 'Down')
        if (performance.now() - began > foundWithinMs) throw new Error('db is not found to be down');
      return { ms: performance.now() - began };
    });
    await story.check('nobody is sent there any more', async () => {
      expectSame('who answered', [...(await whoAnswers(inet)).keys()].join(), 'blue-app');
    });
    await db.exec(['iptables', '-D', 'INPUT', ...deaf]);
    await story.check('the document is taken away again', async () => {
      expectSame('taken', (await blue.takeAway(document)).folder?.taken, true);
    });

    async function stateOf(member: string): Promise<string | undefined> {
      const rows = JSON.parse((await blue.supervisor.get('/v1/show/lb')).text) as { member: string; state: string }[];
      return rows.find((row) => row.member === member)?.state;
    }
  },
};

async function whoAnswers(client: Agent): Promise<ReadonlyMap<string, number>> {
  const answered = new Map<string, number>();
  for (let i = 0; i < connections; i++) {
    const { greeting } = await client.tcpConnect({ to: address, port: 80 });
    answered.set(greeting.server, (answered.get(greeting.server) ?? 0) + 1);
  }
  return answered;
}

async function connectionTo(server: string, client: Agent) {
  for (;;) {
    const connection = await client.tcpConnect({ to: address, port: 80 });
    if (connection.greeting.server === server) return connection;
  }
}

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseKernelEvent } from '../../gateway/system/kernel-event.js';
import { LOOKOUT_PROGRAM } from '../../gateway/system/lookout-program.js';
import { Namespace } from '../support/namespace.js';

// The program that hears the kernel and asks neighbours, on two ends of a cable.

describe('the lookout', () => {
  let here: Namespace;
  let there: Namespace;
  let child: ChildProcess;
  let lines: string[];

  beforeEach(async () => {
    [here, there] = (await Namespace.createAll(['here', 'there'])) as [Namespace, Namespace];
    await there.loopbackUp();
    await cable('cable0', 'fd00::2/64', '10.0.0.2/24');
    child = here.spawn(['perl', '-e', LOOKOUT_PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    lines = [];
    createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
    await until('it listens, and knows its links', () =>
      ['missed', 'link lo 1 0', 'link cable0 1 0'].every((line) => lines.includes(line)),
    );
  });
  afterEach(() => Namespace.deleteAll([here, there]));

  async function cable(name: string, ...far: string[]): Promise<void> {
    await here.ip([`link add ${name} address 02:00:00:00:00:01 type veth peer name ${name} netns ${there.name}`]);
    await here.ip([`link set ${name} up`]);
    await there.ip([...far.map((address) => `address add ${address} dev ${name} nodad`), `link set ${name} up`]);
  }
  async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + 10_000;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`${what}: not within 10 s, but\n${lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const tell = (line: string) => child.stdin!.write(`${line}\n`);
  const events = () => lines.flatMap((line) => parseKernelEvent(line) ?? []);
  const hears = (event: object) =>
    until(JSON.stringify(event), () => events().some((each) => JSON.stringify(each) === JSON.stringify(event)));
  const link = (name: string, carries: boolean, gone: boolean) => ({ kind: 'link', link: name, carries, gone });

  it('hears of links, addresses, routes and rules, and of their end', async () => {
    await here.ip(['link add one type veth peer name two', 'link set one up']);
    await hears(link('one', false, false));
    await here.ip(['link set two up']);
    await hears(link('one', true, false));
    for (const [address, gone] of [
      ['203.0.113.7/24', false],
      ['2001:db8::7/64', false],
      ['203.0.113.7/24', true],
      ['2001:db8::7/64', true],
    ] as const) {
      await here.ip([`address ${gone ? 'del' : 'add'} ${address} dev one`]);
      await hears({ kind: 'address', link: 'one', address, gone });
    }
    await here.ip(['route add 192.0.2.0/24 dev one proto 118', 'route add 2001:db8:1::/64 dev one proto bird']);
    await hears({ kind: 'route', protocol: 118 });
    await hears({ kind: 'route', protocol: 12 });
    await here.ip(['rule add from 192.0.2.0/24 table 7 protocol 118']);
    await hears({ kind: 'rule', protocol: 118 });
    await here.ip(['link set one name eins', 'address add 203.0.113.8/32 dev eins', 'link del eins']);
    await hears({ kind: 'address', link: 'eins', address: '203.0.113.8/32', gone: true });
    await hears(link('eins', true, true));
  });

  it('hears at the end of a transaction of nf_tables of each object once, and who made it', async () => {
    const rules = Array.from({ length: 2_000 }, () => 'add rule inet t c accept');
    const batch = ['add table inet t', 'add chain inet t c', 'add set inet t s {type ipv4_addr;}', ...rules];
    const script = [...batch, 'add element inet t s {192.0.2.1, 192.0.2.2}'].join('\n');
    const nft = here.spawn(['nft', '-f', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
    nft.stdin!.end(script);
    await once(nft, 'exit');
    const event = (object: string, gone: boolean, name = '') =>
      ({ kind: 'nft', pid: nft.pid, family: 'inet', object, gone, table: 't', name }) as const;
    const told = () => events().filter(({ kind }) => kind === 'nft');
    await until('all', () => told().length >= 5);
    const made = [event('table', false), event('chain', false, 'c'), event('set', false, 's')];
    const filled = [event('rule', false, 'c'), event('element', false, 's')];
    expect(new Set(told().map((each) => JSON.stringify(each)))).toEqual(
      new Set([...made, ...filled].map((each) => JSON.stringify(each))),
    );
    expect(told()).toHaveLength(5);
    await here.exec(['nft', 'delete', 'table', 'inet', 't']);
    await until('its end', () => events().some((each) => each.kind === 'nft' && each.object === 'table' && each.gone));
  });

  it('says so when the kernel had more to tell than was kept', async () => {
    process.kill(child.pid!, 'SIGSTOP');
    const networks = Array.from({ length: 30_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}/32`);
    await here.ip(['link set lo up', ...networks.map((network) => `route add ${network} dev lo`)]);
    process.kill(child.pid!, 'SIGCONT');
    lines.length = 0;
    await until('missed', () => lines.includes('missed'));
    lines.length = 0;
    await here.ip(['address add 203.0.113.9/32 dev cable0']);
    await hears({ kind: 'address', link: 'cable0', address: '203.0.113.9/32', gone: false });
  });

  it('asks neighbours; of a link that stays as it was it knows what it knew', async () => {
    const indexOf = async (name: string): Promise<string> => {
      const { stdout } = await here.exec(['ip', '-j', 'link', 'show', name]);
      return (JSON.parse(stdout) as { ifindex: number }[])[0]!.ifindex.toString();
    };
    await cable('cable1', '10.0.1.2/24');
    const of = async (name: string, address: string) => `${name}/${await indexOf(name)}/02:00:00:00:00:01//${address}`;
    const [first, second] = [await of('cable0', '0a000002'), await of('cable1', '0a000102')];
    const six = await of('cable0', 'fd000000000000000000000000000002');
    const answers = () => lines.filter((line) => line.startsWith('answers')).at(-1) ?? '';
    tell(`links 20 ${first} ${second}`);
    await until('both answer', () => {
      tell('ask');
      return /cable0\/0\/\d+\/-1 cable1\/0\/\d+\/-1$/.test(answers());
    });
    await there.ip(['link set cable1 down']);
    await until('one is gone', () => /cable0\/0\/\d+\/-1 cable1\/1\/\d+\/-1$/.test(answers()));
    lines.length = 0;
    tell(`links 20 ${six} ${second}`);
    await until('the other one answers by IPv6', () => {
      tell('ask');
      return /cable0\/0\/\d+\/-1/.test(answers());
    });
    expect(lines.filter((line) => line.startsWith('answers') && !/cable1\/1\//.test(line))).toEqual([]);
    await here.ip(['link del cable1']);
    await until('a link is lost', () => lines.includes('lost cable1'));
    tell('ask');
    await until('the other is asked still', () => /^answers cable0\/0\/\d+\/-1$/.test(answers()));
  });
});

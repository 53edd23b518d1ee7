import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parseMemberFile } from '../../gateway/documents/member-file.js';
import { keepalivedConfig } from '../../gateway/failover/keepalived.js';
import { fenceTables } from '../../gateway/kernel/fence/render.js';
import type { Tunnels } from '../../gateway/kernel/state.js';
import type { Member } from '../../gateway/model/high-availability.js';
import { membersNeighbours } from '../../gateway/reconcile/member-neighbours.js';
import { encrypted, tunnelKeys } from '../../gateway/system/member-secret.js';

const directory = mkdtempSync(join(tmpdir(), 'vpcgw-member-'));
afterAll(() => rmSync(directory, { recursive: true }));
const secretFile = join(directory, 'secret');
const SECRET = 'a secret of two members, and nobody else';
writeFileSync(secretFile, `${SECRET}\n`);

const kernel: Tunnels = { engine: 'wireguard', lacking: undefined, namespace: '' };
const member = (address: string, peer: string, more = ''): Member =>
  parseMemberFile({
    file: 'member.yaml',
    text: `{name: a, interface: sync0, address: "${address}", peer: "${peer}", secretFile: ${secretFile}, encryption: WireGuard${more}}`,
  });
const through = (given: Member, found = kernel): Promise<Member> => encrypted(given, () => Promise.resolve(found));
const second = (address: string, peer: string): string =>
  `, secondPath: {interface: ext0, address: "${address}", peer: "${peer}"}`;

describe('the paths of a member that encrypts', () => {
  it('are links of our own, in the same order of addresses, above what the platform gave', async () => {
    const { paths } = await through(member('172.31.0.9', '172.31.0.2', second('fd00::1', 'fd00::2')));
    expect(
      paths.map(({ interface: link, address, peer, under }) =>
        [link, address.text, peer.text, under?.way.interface, under?.way.peer.text, under?.port].join(' '),
      ),
    ).toEqual(['vgm-1 192.0.0.2 192.0.0.1 sync0 172.31.0.2 3787', 'vgm-2 192.0.0.5 192.0.0.6 ext0 fd00::2 3788']);
  });

  it('have names of their own where a program shares its sockets with others', async () => {
    const names = async (namespace: string) =>
      (
        await through(member('10.0.0.1', '10.0.0.2', second('10.0.1.1', '10.0.1.2')), {
          ...kernel,
          engine: 'wireguard-go',
          namespace,
        })
      ).paths.map((path) => path.interface);
    const all = [...(await names('net:[1]')), ...(await names('net:[2]'))];
    expect(new Set(all).size).toBe(4);
    for (const name of all) expect(name).toMatch(/^vgm-[0-9a-f]{11}$/);
  });

  it('stay as they are where the file asks for nothing', async () => {
    const plain = parseMemberFile({
      file: 'm',
      text: `{name: a, interface: s, address: 10.0.0.1, peer: 10.0.0.2, secretFile: ${secretFile}}`,
    });
    expect(await encrypted(plain, () => Promise.reject(new Error('asked')))).toBe(plain);
  });

  it('are refused where nothing encrypts, or there is no secret', async () => {
    const given = member('10.0.0.1', '10.0.0.2');
    await expect(through(given, { ...kernel, lacking: 'this kernel has no WireGuard' })).rejects.toThrow(
      'the member file asks for encryption: WireGuard, but this kernel has no WireGuard; without encryption in the files of both members they talk in the clear',
    );
    await expect(through({ ...given, secretFile: join(directory, 'none') })).rejects.toThrow('cannot be read');
    writeFileSync(join(directory, 'short'), 'short');
    await expect(through({ ...given, secretFile: join(directory, 'short') })).rejects.toThrow('is shorter than 32');
  });
});

describe('keys of links between members', () => {
  const ends = ['lower', 'higher'] as const;
  const all = [1, 2].flatMap((path) => ends.map((end) => tunnelKeys(SECRET, path, end)));

  it('are known to both ends', () => {
    for (const path of [1, 2]) {
      const [lower, higher] = ends.map((end) => tunnelKeys(SECRET, path, end));
      expect([lower?.peer, higher?.peer]).toEqual([higher?.own.fingerprint, lower?.own.fingerprint]);
      expect(lower?.preshared.reveal()).toBe(higher?.preshared.reveal());
    }
  });

  it('differ by path, by end and by secret', () => {
    const other = tunnelKeys(`${SECRET}!`, 1, 'lower');
    const texts = [...all, other].flatMap(({ own, preshared }) => [own.reveal(), preshared.reveal()]);
    expect(new Set(texts).size).toBe(2 * 2 + 2 + 2);
    for (const text of texts) expect(Buffer.from(text, 'base64')).toHaveLength(32);
  });

  it('are shown to nobody', async () => {
    const shown = await through(member('10.0.0.1', '10.0.0.2'));
    const text = JSON.stringify(shown, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
    for (const { own, preshared } of all)
      for (const secret of [own.reveal(), preshared.reveal()])
        expect(text + inspect(shown, { depth: 9 })).not.toContain(secret);
  });
});

describe('what is around the links between members', () => {
  const highAvailability = { mode: 'AcrossNodes', advertIntervalMs: 50, virtualRouterId: 1 } as const;

  it('lets in from the way what is for the link alone, and all else by the link', async () => {
    const text = fenceTables({ links: [], highAvailability, member: await through(member('10.0.0.1', '10.0.0.2')) });
    const rules = text.split('\n').filter((line) => line.includes('sync0'));
    expect(rules).toEqual([
      'iifname "sync0" ip saddr 10.0.0.2 udp dport 3787 notrack accept',
      'oifname "sync0" ip daddr 10.0.0.2 udp dport 3787 meta priority set 0:7 notrack',
      'iifname "sync0" ip saddr 10.0.0.2 udp dport 3787 accept',
    ]);
    expect(text).toContain('\noifname != "vgm-1" ip daddr 192.0.0.2 drop\n');
    expect(text).toContain('iifname "vgm-1" ip saddr 192.0.0.2 ip ttl 255 ip protocol vrrp accept');
    expect(text).toContain('\nudp dport 3787 counter name "dropped" drop\n');
  });

  it('keeps the entry of the peer on its way, and that of all on the link', async () => {
    const { paths } = await through(member('fd00::1', 'fd00::2'));
    expect(membersNeighbours({ paths }).map(({ place, kept }) => `${place} ${kept}`)).toEqual([
      'fd00::2 dev sync0 managed extern_learn',
      '0.0.0.0 dev vgm-1 nud permanent',
    ]);
  });

  it('has keepalived listen again at a link that was made anew', async () => {
    const given = await through(member('10.0.0.1', '10.0.0.2'));
    const side = { interface: 'x', macMode: 'Own' };
    const model = { name: 'blue', highAvailability, internal: side, externals: [] };
    const files = { announcement: '/a', closing: '/c', notices: '/n', standingDown: '/s' };
    const config = (links: readonly number[]) => keepalivedConfig(model as never, given, files, true, links);
    expect(config([7])).not.toBe(config([8]));
    expect(config([7])).not.toContain('dont_track_primary');
  });
});

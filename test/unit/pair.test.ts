import { describe, expect, it } from 'vitest';
import { parseMemberFile } from '../../gateway/documents/member-file.js';
import { VpcgwError } from '../../gateway/errors.js';
import { hearsRival, reasonOf, roleIn } from '../../gateway/failover/role.js';
import { parseSyncState } from '../../gateway/failover/sync-state.js';
import { heardMs, leaseMs, roleMac } from '../../gateway/model/high-availability.js';
import { formatDiagnostic } from '../../gateway/model/diagnostic.js';

const wrongIn = (text: string): string[] => {
  try {
    parseMemberFile({ file: 'member.yaml', text });
    return [];
  } catch (error) {
    return (error as VpcgwError).diagnostics.map(formatDiagnostic);
  }
};

describe('a member file', () => {
  const good = 'name: a\ninterface: sync0\naddress: 172.31.0.1\npeer: 172.31.0.2\n';

  it('names this member and its paths', () => {
    const second = 'secondPath: {interface: ext0, address: 198.51.100.1, peer: 198.51.100.2}\n';
    const { name, paths } = parseMemberFile({ file: 'member.yaml', text: good + second });
    expect([name, ...paths.map((path) => `${path.interface} ${path.address.text} ${path.peer.text}`)]).toEqual([
      'a',
      'sync0 172.31.0.1 172.31.0.2',
      'ext0 198.51.100.1 198.51.100.2',
    ]);
  });

  it('says where it is wrong, and what would be right', () => {
    expect(wrongIn(good.replace('peer: 172.31.0.2', 'peer: 172.31.0.1'))).toEqual([
      "member.yaml:4:7: peer: 172.31.0.1 is this member's own address",
    ]);
    expect(wrongIn(good.replace('peer: 172.31.0.2', 'pear: 172.31.0.2'))).toEqual([
      'member.yaml:1:1: peer: must be an address such as 10.0.0.5; it is missing',
      'member.yaml:4:1: pear: is not a field here; did you mean peer?; the fields are name, interface, address, peer, secretFile, encryption, vote, secondPath',
    ]);
    expect(wrongIn(good.replace('172.31.0.2', 'fd00::2'))).toEqual([
      'member.yaml:4:7: peer: fd00::2 is not of the family of 172.31.0.1',
    ]);
    expect(wrongIn(`${good}secondPath: {interface: sync0, address: 10.9.0.1, peer: 10.9.0.2}\n`)).toEqual([
      'member.yaml:5:25: secondPath.interface: sync0 is the first path already; a second one fails apart',
    ]);
    expect(wrongIn(good.replace('172.31.0.1', 'fe80::1').replace('172.31.0.2', 'fe80::2'))).toEqual([
      expect.stringContaining('member.yaml:3:10: address: must not be link-local'),
      expect.stringContaining('member.yaml:4:7: peer: must not be link-local'),
    ]);
    expect(wrongIn(`${good}encryption: WireGuard\n`)).toEqual([
      'member.yaml:5:13: encryption: WireGuard needs secretFile, since its keys are made from that secret',
    ]);
    expect(wrongIn(`${good}secretFile: /s\nencryption: WireGuard\n`)).toEqual([]);
    expect(wrongIn(`${good}secretFile: /s\nencryption: IPsec\n`)).toEqual([
      expect.stringMatching(/^member\.yaml:6:13: encryption: /),
    ]);
    expect(wrongIn('name: [')).toEqual([expect.stringMatching(/^member\.yaml:1:\d+: not YAML: /)]);
  });
});

describe('a lease', () => {
  const leases = (advertIntervalMs: number) => {
    const given = { mode: 'AcrossNodes', advertIntervalMs, virtualRouterId: 1 } as const;
    return [leaseMs(given), heardMs(given)];
  };

  it('ends no later than the other begins, and the other counts as heard for less', () => {
    for (let ms = 20; ms <= 1_000; ms += 10) {
      const [lease = 0, heard = 0] = leases(ms);
      expect(lease).toBeLessThanOrEqual(3 * ms);
      expect(heard).toBeLessThan(3 * ms);
      expect(lease).toBeGreaterThan(ms);
      expect(lease % 20).toBe(0);
    }
    expect([leases(20), leases(50), leases(1_000)]).toEqual([
      [60, 40],
      [140, 120],
      [3_000, 2_980],
    ]);
  });
});

describe('a MAC address of a pair', () => {
  const gateway = {
    name: 'blue',
    highAvailability: { mode: 'AcrossNodes', advertIntervalMs: 50, virtualRouterId: 7 },
  } as const;
  const mac = (mode: 'Own' | 'Virtual', name: string, parent = 'ext0') => roleMac(gateway, parent, mode, { name });

  it('is locally administered, and one for both where it is virtual', () => {
    expect(mac('Virtual', 'a')).toMatch(/^02:76:67(:[0-9a-f]{2}){3}$/);
    expect(mac('Virtual', 'a')).toBe(mac('Virtual', 'b'));
    expect(new Set([mac('Own', 'a'), mac('Own', 'b'), mac('Virtual', 'a'), mac('Virtual', 'a', 'vpc0')]).size).toBe(4);
  });
});

describe('what keepalived and conntrackd say', () => {
  it('is read as roles, and as the other saying the same', () => {
    const notice = 'INSTANCE "members"';
    expect(
      ['MASTER 254', 'BACKUP 254', 'FAULT 254', 'STOP 254', 'MASTER_RX_LOWER_PRI 254'].map((word) =>
        roleIn(`${notice} ${word}`, notice),
      ),
    ).toEqual(['Active', 'Standby', 'Fault', 'Unknown', undefined]);
    expect(roleIn('GROUP "pair" MASTER 0', notice)).toBeUndefined();
    // Said of each path, also where roles are a group's.
    expect(hearsRival(`${notice} MASTER_RX_LOWER_PRI 254`)).toBe(true);
    expect(hearsRival('INSTANCE "path_2" MASTER_RX_LOWER_PRI 254')).toBe(true);
    expect(hearsRival(`${notice} MASTER 254`)).toBe(false);
    expect(reasonOf('Active', 'Fault', ['maintenance'])).toBe('maintenance');
  });

  it('is read as how far connections are known', () => {
    const text =
      'current active connections:\t\t 12\nexternal inject:\nconnections created:\t 7\nqueue rsqueue:\ncurrent elements:\t\t 3\n 0 Malformed msgs 2 Lost msgs\n';
    expect(parseSyncState(text)).toEqual({ connections: 12, injected: 7, backlog: 3, lost: 2 });
  });
});

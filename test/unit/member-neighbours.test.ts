import { describe, expect, it } from 'vitest';
import type { MemberPath } from '../../gateway/model/high-availability.js';
import { type IpAddress, parseIp } from '../../gateway/model/ip.js';
import { membersNeighbours } from '../../gateway/reconcile/member-neighbours.js';

const path = (device: string, address: string, peer: string): MemberPath => ({
  interface: device,
  address: parseIp(address) as IpAddress,
  peer: parseIp(peer) as IpAddress,
});

describe('the neighbour entries of members', () => {
  it('are those of the peer and of the witness, for each path and family', () => {
    const paths = [path('sync0', '172.31.0.1', '172.31.0.2'), path('ext0', 'fd31::1', 'fd31::2')] as const;
    expect(membersNeighbours({ paths }).map(({ place, kept }) => `${place} ${kept}`)).toEqual([
      '172.31.0.2 dev sync0 managed extern_learn',
      '224.0.0.18 dev sync0 lladdr 01:00:5e:00:00:12 nud permanent',
      'fd31::2 dev ext0 managed extern_learn',
      'ff02::12 dev ext0 lladdr 33:33:00:00:00:12 nud permanent',
    ]);
  });
});

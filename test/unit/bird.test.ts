import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { lookAtSession } from '../../gateway/health/bgp-look.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { birdConfig } from '../../gateway/routing/bird.js';
import { parseBfd, parseSessions } from '../../gateway/routing/bird-state.js';

// What BIRD is told of a line, and what is made of its answers.

const TEXT = `
apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: g}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/24]}
  externals: [{name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}]
---
apiVersion: vpcgw.io/v1alpha1
kind: DedicatedLine
metadata: {name: rome}
spec:
  port: {interface: line1, vlan: 100}
  localAddresses: [169.254.103.1/30]
  peerAddresses: [169.254.103.2]
  localNetworks: [10.0.0.0/24]
  priority: 90
  bgp:
    localASN: 65001
    peerASN: 65010
    authKeyRef: {file: rome.password}
    accept: [{cidr: 172.24.0.0/16, upTo: 24}, {cidr: 172.25.0.0/16}]
    maxPrefixes: 50
    communities: ["65000:100"]
    med: 7
    bfd: {interval: 50ms}
`;
const { model } = candidateOf(splitDocuments({ file: 'given.yaml', text: TEXT }), new ParseCache());
const [line] = model.dedicatedLines;

describe('BIRD', () => {
  it('is told the same of a line whatever other lines there are', () => {
    if (!line?.bgp) throw new Error('no line');
    const other = { ...line, name: 'aaa', addresses: line.addresses.slice(0, 0) };
    const sessionsOf = (text: string) => text.slice(text.indexOf('filter takes_line1_4'));
    const own = { line, bgp: line.bgp, number: 1, password: undefined };
    const alone = birdConfig(model, [own]);
    const second = birdConfig(model, [{ ...own, line: other, number: 2 }, own]);
    expect(second).toContain(sessionsOf(alone));
    expect(/^router id .*/m.exec(second)?.[0]).toBe(/^router id .*/m.exec(alone)?.[0]);
  });

  it('is told what a document says', () => {
    if (!line?.bgp) throw new Error('no line');
    expect(birdConfig(model, [{ line, bgp: line.bgp, number: 1, password: 'word' }])).toMatchInlineSnapshot(`
      "log stderr all;
      router id 10.0.0.1;
      graceful restart wait 20;
      protocol device { scan time 10; }
      protocol bfd {
        interface "vg-line1.100" { interval 50 ms; multiplier 3; };
      }
      protocol static told4 {
        ipv4;
        route 10.0.0.0/24 unreachable;
      }
      protocol kernel kernel4 {
        kernel table 1000;
        metric 0;
        merge paths on;
        graceful restart;
        scan time 10;
        ipv4 { import none; export filter {
          if source != RTS_BGP then reject;
          krt_prefsrc = 10.0.0.1;
          accept;
        }; };
      }
      filter takes_line1_4 {
        if net ~ [ 172.24.0.0/16{16,24}, 172.25.0.0/16{16,16} ] then {
          bgp_local_pref = 910;
          krt_metric = 90;
          accept;
        }
        reject;
      }
      filter tells_line1_4 {
        if source = RTS_STATIC && net ~ [ 10.0.0.0/24 ] then {
          bgp_community.add((65000,100));
          bgp_med = 7;
          accept;
        }
        reject;
      }
      protocol bgp line1_4 {
        router id 169.254.103.1;
        local 169.254.103.1 as 65001;
        neighbor 169.254.103.2 as 65010;
        interface "vg-line1.100";
        direct;
        bfd on;
        graceful restart on;
        hold time 30; keepalive time 10;
        connect delay time 1;
        connect retry time 5;
        error wait time 1, 10;
        password "word";
        ipv4 {
          import filter takes_line1_4;
          export filter tells_line1_4;
          import keep filtered on;
          receive limit 50 action restart;
          next hop self;
        };
      }
      "
    `);
  });

  const said = (head: string, state: string, more: readonly string[] = []): string[] => [
    'Name       Proto      Table      State  Since         Info',
    'device1    Device     ---        up     12:00:00.000  ',
    `line1_4    BGP        ---        ${head}`,
    `  BGP state:          ${state}`,
    ...more,
    '',
  ];
  const look = (lines: readonly string[], bfd?: string) =>
    lookAtSession({
      ...{ line: 'rome', peer: '169.254.103.2', peerAsn: 65_010, maxPrefixes: 50, wantsBfd: bfd !== undefined, bfd },
      session: parseSessions(lines).find(({ name }) => name === 'line1_4'),
    });

  it('says how a session stands', () => {
    const routes = '    Routes:         2 imported, 6 filtered, 1 exported, 2 preferred';
    expect(
      look(said('up     12:00:01.000  Established', 'Established', ['  Channel ipv4', routes]), 'Up'),
    ).toMatchObject({
      established: true,
      taken: 2,
      passedOver: 6,
      told: 1,
      bfd: 'Up',
    });
    expect(look([])).toMatchObject({ established: false, state: 'Unknown' });
  });

  it.each([
    ['Received: Bad peer AS: 65011', 'PeerAsMismatch'],
    ['Error: Bad peer AS', 'PeerAsMismatch'],
    ['Route limit exceeded', 'TooManyPrefixes'],
    ['BFD session down', undefined],
  ])('names what ended one: %s', (error, fault) => {
    expect(look(said('start  12:00:01.000  Active', 'Active', [`    Last error:       ${error}`])).fault).toBe(fault);
  });

  it('says which neighbours answer BFD', () => {
    const lines = [
      'bfd1:',
      'IP address                Interface  State      Since         Interval  Timeout',
      '169.254.103.2             vg-line1.100 Up         17:05:03.570    0.050    0.150',
      'fd00:103::2               vg-line1.100 Down       17:05:03.570    0.050    0.150',
    ];
    expect([...parseBfd(lines)]).toEqual([
      ['169.254.103.2', 'Up'],
      ['fd00:103::2', 'Down'],
    ]);
  });
});

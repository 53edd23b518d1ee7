/** Finds out what this machine gives a gateway: programs, rights, kernel features, switches. Leaves nothing behind. */
import { accessSync, constants, existsSync, readFileSync, readlinkSync } from 'node:fs';
import { messageOf, VpcgwError } from '../errors.js';
import { IPVS_SYSCTLS, LINE_SYSCTLS, networkSysctls, PAIR_SYSCTLS } from '../features/network-sysctls.js';
import { CommandError, type CommandRunner } from '../kernel/command.js';
import type { IptablesVariant } from '../kernel/iptables/subsystem.js';
import { SCHEDULERS, serviceText } from '../kernel/ipvs/entry.js';
import { parse as parseIpvs } from '../kernel/ipvs/parse.js';
import type { Balancing, Shaper, Tunnels } from '../kernel/state.js';
import { markOfRange, MAX_RANGES } from '../model/ownership.js';
import { holdsCapability } from './capabilities.js';

export interface Finding {
  readonly check: string;
  /** `Degraded`: a gateway works, with less. */
  readonly state: 'Ok' | 'Degraded' | 'Missing';
  readonly found: string;
  readonly fix: string;
}

const PROGRAMS: readonly {
  readonly argv: readonly [string, ...string[]];
  readonly fix: string;
  readonly optional?: boolean;
}[] = [
  { argv: ['nft', '--version'], fix: 'install the package nftables' },
  { argv: ['ipset', '--version'], fix: 'install the package ipset' },
  { argv: ['conntrack', '--version'], fix: 'install the package conntrack' },
  { argv: ['ip', '-V'], fix: 'install the package iproute2' },
  {
    argv: ['tc', '-V'],
    fix: 'install the package iproute2; without tc limits of bandwidth are not enforced',
    optional: true,
  },
  {
    argv: ['sysctl', '--version'],
    fix: 'install the package procps; without it a support bundle does not tell the kernel switches',
    optional: true,
  },
  {
    argv: ['ulogd', '--version'],
    fix: 'install the packages ulogd2 and ulogd2-json; without them firewall rules with log: true log nothing',
    optional: true,
  },
  {
    argv: ['keepalived', '--version'],
    fix: 'install the package keepalived; without it a gateway cannot be one of a pair',
    optional: true,
  },
  {
    argv: ['conntrackd', '-v'],
    fix: 'install the package conntrackd; without it connections do not survive a change of members',
    optional: true,
  },
  {
    argv: ['ipvsadm', '--version'],
    fix: 'install the package ipvsadm; without it load balancers work by rules of iptables',
    optional: true,
  },
  {
    argv: ['perl', '-v'],
    fix: 'install the package perl-base; without it changes from elsewhere are noticed late, and a member of a pair does not notice that a side of it reaches nobody',
    optional: true,
  },
  {
    argv: ['arping', '-V'],
    fix: 'install the package iputils-arping; without it neighbours learn of a new address late',
    optional: true,
  },
  {
    argv: ['ping', '-V'],
    fix: 'install the package iputils-ping; without it vpcgw explain cannot tell whether answers come back',
    optional: true,
  },
  {
    argv: ['ndisc6', '-V'],
    fix: 'install the package ndisc6; without it vpcgw explain knows nothing of IPv6 neighbours',
    optional: true,
  },
  {
    argv: ['tcpdump', '--version'],
    fix: 'install the package tcpdump; without it vpcgw capture captures nothing',
    optional: true,
  },
];

/** Each is a whole restore of its own: `--test` checks it against the kernel and changes nothing. */
const RULES: readonly {
  readonly check: string;
  readonly rules: string;
  readonly config: string;
  readonly optional?: boolean;
}[] = [
  {
    check: 'NAT',
    rules: '*nat\n-A POSTROUTING -j SNAT --to-source 192.0.2.1 --random-fully\nCOMMIT\n',
    config: 'CONFIG_NF_NAT',
  },
  {
    check: 'connection marks',
    rules: '*mangle\n-A PREROUTING -j CONNMARK --restore-mark\nCOMMIT\n',
    config: 'CONFIG_NETFILTER_XT_CONNMARK',
  },
  {
    check: 'connection state',
    rules: '*filter\n-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\nCOMMIT\n',
    config: 'CONFIG_NETFILTER_XT_MATCH_CONNTRACK',
  },
  {
    check: 'connection limits',
    rules: '*filter\n-A FORWARD -m connlimit --connlimit-above 9 --connlimit-saddr -j DROP\nCOMMIT\n',
    config: 'CONFIG_NETFILTER_XT_MATCH_CONNLIMIT',
  },
  {
    check: 'MSS clamping',
    rules: '*mangle\n-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1360\nCOMMIT\n',
    config: 'CONFIG_NETFILTER_XT_TARGET_TCPMSS',
  },
  {
    check: 'balancing by chance',
    rules: '*nat\n-A PREROUTING -m statistic --mode random --probability 0.5 -j ACCEPT\nCOMMIT\n',
    config: 'CONFIG_NETFILTER_XT_MATCH_STATISTIC',
    optional: true,
  },
  {
    check: 'balancing by hash',
    rules:
      '*nat\n-A PREROUTING -m cluster --cluster-local-nodemask 0x1 --cluster-total-nodes 4 --cluster-hash-seed 0x1 -j ACCEPT\nCOMMIT\n',
    config: 'CONFIG_NETFILTER_XT_MATCH_CLUSTER',
    optional: true,
  },
];

export async function probe(run: CommandRunner): Promise<Finding[]> {
  const variant = await chooseVariant(run);
  const findings = await probeIptables(run, variant);
  for (const { argv, fix, optional } of PROGRAMS)
    findings.push(await tryOut(`program ${argv[0]}`, fix, optional ? 'Degraded' : 'Missing', () => run.run({ argv })));
  findings.push(
    await tryOut('sets with marks', 'a kernel with CONFIG_IP_SET_HASH_NET and CONFIG_NETFILTER_XT_SET', 'Missing', () =>
      trySet(run),
    ),
  );
  findings.push(
    await tryOut('macvlan', 'a kernel with CONFIG_MACVLAN, and NET_ADMIN', 'Missing', () => tryMacvlan(run)),
  );
  findings.push(
    await tryOut('raw sockets', 'add the capability NET_RAW; without it addresses are announced late', 'Degraded', () =>
      holdsNetRaw(),
    ),
  );
  findings.push(
    await tryOut(
      'fence of a pair',
      'a kernel with CONFIG_NETFILTER_EGRESS (5.16 or later), CONFIG_NF_TABLES_NETDEV and NET_ADMIN; without it a gateway cannot be one of a pair',
      'Degraded',
      () => tryFence(run),
    ),
  );
  findings.push(
    await tryOut(
      'fence of a Strict pair',
      'a kernel with CONFIG_NFT_FWD_NETDEV; without it a pair can only be Fast',
      'Degraded',
      () => tryConsent(run),
    ),
    ...(await probeShaping(run)),
    await probeBalancing(run),
    await probeTunnels(run),
    await probeIpsec(run),
    await probeVlans(run),
  );
  return [...findings, ...(await probeSysctls(run))];
}

async function probeIptables(run: CommandRunner, variant: IptablesVariant): Promise<Finding[]> {
  const findings: Finding[] = [];
  if (variant === 'legacy')
    findings.push({
      check: 'iptables of the nft variant',
      state: 'Degraded',
      found: 'does not work here; legacy does',
      fix: 'a kernel with CONFIG_NFT_COMPAT',
    });
  for (const family of ['ip', 'ip6'] as const) {
    const program = `${family}tables-${variant}-restore`;
    findings.push(
      await tryOut(`program ${program}`, 'install the package iptables (1.8 or later)', 'Missing', () =>
        run.run({ argv: [program, '--version'] }),
      ),
    );
  }
  for (const { check, rules, config, optional } of RULES)
    for (const family of ['ip', 'ip6'] as const) {
      const stdin = family === 'ip' ? rules : rules.replace('192.0.2.1', '2001:db8::1');
      findings.push(
        await tryOut(
          `${check} (${family === 'ip' ? 'IPv4' : 'IPv6'})`,
          `a kernel with ${config}, and NET_ADMIN`,
          optional ? 'Degraded' : 'Missing',
          () => run.run({ argv: [`${family}tables-${variant}-restore`, '--noflush', '--test'], stdin }),
        ),
      );
    }
  return findings;
}

async function probeShaping(run: CommandRunner): Promise<Finding[]> {
  const { leaf, lacking } = await chooseShaper(run);
  return [
    {
      check: 'traffic shaping',
      state: lacking === undefined ? 'Ok' : 'Degraded',
      found: lacking?.slice(0, 100) ?? '',
      fix: `a kernel with ${SHAPING_CONFIG}, and NET_ADMIN; without it limits of bandwidth are not enforced`,
    },
    {
      check: 'fair queues',
      state: leaf === 'fq_codel' ? 'Ok' : 'Degraded',
      found: leaf === 'fq_codel' ? '' : 'no fq_codel',
      fix: 'a kernel with CONFIG_NET_SCH_FQ_CODEL; without it the connections of one elastic IP share a plain queue',
    },
  ];
}

async function probeTunnels(run: CommandRunner): Promise<Finding> {
  const { engine, lacking } = await chooseTunnels(run);
  const inKernel = lacking === undefined && engine === 'wireguard';
  return {
    check: 'WireGuard',
    state: inKernel ? 'Ok' : 'Degraded',
    found: lacking ?? (inKernel ? '' : 'by wireguard-go'),
    fix: 'a kernel with CONFIG_WIREGUARD, or the package wireguard-go and the device /dev/net/tun; without them VPN connections stay down, and members of a pair cannot encrypt',
  };
}

async function probeVlans(run: CommandRunner): Promise<Finding> {
  const lacking = await chooseVlans(run).then(
    (found) => found.lacking,
    (error: unknown) => messageOf(error).slice(0, 100),
  );
  return {
    check: 'VLANs',
    state: lacking === undefined ? 'Ok' : 'Degraded',
    found: lacking ?? '',
    fix: 'a kernel with CONFIG_VLAN_8021Q; without it a dedicated line needs an interface of its own',
  };
}

async function probeBalancing(run: CommandRunner): Promise<Finding> {
  const { lacking } = await chooseEngine(run);
  return {
    check: 'IPVS',
    state: lacking === undefined ? 'Ok' : 'Degraded',
    found: lacking?.slice(0, 100) ?? '',
    fix: 'load ip_vs and ip_vs_wrr, ip_vs_wlc, ip_vs_sh, ip_vs_mh on the node; without them load balancers work by rules of iptables',
  };
}

async function tryOut(
  check: string,
  fix: string,
  failure: 'Degraded' | 'Missing',
  attempt: () => Promise<{ stdout: string } | void>,
): Promise<Finding> {
  try {
    const result = await attempt();
    return { check, state: 'Ok', found: result?.stdout.split('\n')[0]?.slice(0, 60) ?? '', fix };
  } catch (error) {
    return { check, state: failure, found: messageOf(error).slice(0, 100), fix };
  }
}

async function trySet(run: CommandRunner): Promise<void> {
  const name = `vgprobe${process.pid}`;
  await run.run({
    argv: ['ipset', 'restore'],
    stdin: `create ${name} hash:net skbinfo\nadd ${name} 192.0.2.0/24 skbmark 0x10/0xff0\ndestroy ${name}\n`,
  });
}

async function tryMacvlan(run: CommandRunner): Promise<void> {
  const name = `vgp${process.pid}`;
  await run.run({
    argv: ['ip', '-batch', '-'],
    stdin: `link add ${name}a type veth peer name ${name}b\nlink add link ${name}a name ${name}m type macvlan mode private\nlink delete ${name}a\n`,
  });
}

/** Hooks of both directions on a link, and a set with a timeout that packets put elements into. */
async function tryFence(run: CommandRunner): Promise<void> {
  const name = `vgprobe${process.pid}`;
  const chain = (direction: 'ingress' | 'egress', rule: string): string[] => [
    `chain ${direction} {`,
    `type filter hook ${direction} device "lo" priority 0; policy accept;`,
    rule,
    '}',
  ];
  const lines = [
    `table netdev ${name} {`,
    'set lease { type iface_type; flags dynamic,timeout; timeout 100ms; size 4; }',
    ...chain('ingress', 'ip protocol 253 meta iiftype @lease accept'),
    ...chain('egress', 'ip protocol 253 update @lease { meta oiftype }'),
    '}',
    `delete table netdev ${name}`,
  ];
  await run.run({ argv: ['nft', '-f', '-'], stdin: `${lines.join('\n')}\n` });
}

/** A packet is changed and sent back as it arrives. */
async function tryConsent(run: CommandRunner): Promise<void> {
  const name = `vgprobe${process.pid}c`;
  const lines = [
    `table netdev ${name} {`,
    'chain ingress {',
    'type filter hook ingress device "lo" priority 0; policy accept;',
    'ip protocol 253 ip daddr set 127.0.0.1 fwd ip to 127.0.0.1 device "lo"',
    '}',
    '}',
    `delete table netdev ${name}`,
  ];
  await run.run({ argv: ['nft', '-f', '-'], stdin: `${lines.join('\n')}\n` });
}

/** A switch is fine when it is as it should be, whoever set it, and when it can be set from here. */
async function probeSysctls(run: CommandRunner): Promise<Finding[]> {
  const timeouts = { tcpEstablished: 900_000, udp: 30_000, udpStream: 120_000 };
  const wanted = { ...networkSysctls({ timeouts }), ...LINE_SYSCTLS, ...PAIR_SYSCTLS, ...IPVS_SYSCTLS };
  const actual = await run.switches(Object.keys(wanted));
  const findings: Finding[] = [];
  for (const [key, value] of Object.entries(wanted)) {
    const found = actual.get(key);
    // A kernel without IPVS: the balancing says so.
    if (found === undefined && key in IPVS_SYSCTLS) continue;
    const right = found === value || (await run.setSwitches(new Map([[key, found ?? value]]))).has(key);
    const critical = /ip_forward|forwarding|rp_filter|arp_ignore|fwmark_reflect/.test(key);
    findings.push({
      check: `sysctl ${key}`,
      state: right ? 'Ok' : critical ? 'Missing' : 'Degraded',
      found: found === undefined ? 'not there' : found === value ? found : `${found}${right ? ', can be set' : ''}`,
      fix: `set ${key}=${value} in the pod's securityContext.sysctls (kubelet --allowed-unsafe-sysctls), or by the CNI tuning plugin`,
    });
  }
  return findings;
}

function holdsNetRaw(): Promise<void> {
  if (holdsCapability('NET_RAW')) return Promise.resolve();
  return Promise.reject(new VpcgwError('CommandFailed', 'NET_RAW is not held'));
}

/** The variant of iptables that this kernel takes: nft, or legacy where nothing else works. */
export async function chooseVariant(run: CommandRunner): Promise<IptablesVariant> {
  const stdin = '*nat\n-A POSTROUTING -j SNAT --to-source 192.0.2.1 --random-fully\nCOMMIT\n';
  const works = (variant: string): Promise<boolean> =>
    run.run({ argv: [`iptables-${variant}-restore`, '--noflush', '--test'], stdin }).then(
      () => true,
      () => false,
    );
  return (await works('nft')) || !(await works('legacy')) ? 'nft' : 'legacy';
}

const SHAPING_CONFIG =
  'CONFIG_NET_SCH_HTB, CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32, CONFIG_NET_CLS_ACT, CONFIG_NET_ACT_MIRRED and CONFIG_IFB';

/** What this kernel has for limits of bandwidth: all of it is tried on two links that are taken away again. */
export async function chooseShaper(run: CommandRunner): Promise<Shaper> {
  const name = `vgs${process.pid}`;
  const ip = (...lines: string[]) => run.run({ argv: ['ip', '-batch', '-'], stdin: `${lines.join('\n')}\n` });
  const tc = (...lines: string[]) => run.run({ argv: ['tc', '-batch', '-'], stdin: `${lines.join('\n')}\n` });
  try {
    await ip(`link add name ${name} type ifb`, `link add name ${name}i type ifb`);
  } catch (error) {
    return { leaf: 'bfifo', lacking: `no IFB: ${messageOf(error)}` };
  }
  try {
    await tc(
      `qdisc add dev ${name} root handle 1: htb default 0 direct_qlen 1000`,
      `class add dev ${name} parent 1: classid 1:1 htb rate 1Mbit ceil 1Mbit burst 10000b cburst 10000b quantum 1514`,
      `filter add dev ${name} parent 1: protocol ip prio 1 handle 100: u32 divisor 256`,
      `qdisc add dev ${name} handle ffff: ingress`,
      `filter add dev ${name} parent ffff: protocol ip prio 1 u32 match u32 0 0 action mirred egress redirect dev ${name}i`,
    );
    const fair = tc(`qdisc add dev ${name} parent 1:1 handle 10: fq_codel flows 32 memory_limit 4Mb`);
    const leaf = await fair.then(
      () => 'fq_codel' as const,
      () => 'bfifo' as const,
    );
    return { leaf, lacking: undefined };
  } catch (error) {
    return { leaf: 'bfifo', lacking: messageOf(error) };
  } finally {
    await ip(`link delete ${name}`, `link delete ${name}i`);
  }
}

/** Whether this kernel has VLANs: one is made on a link of its own, and both are taken away again. */
export async function chooseVlans(run: CommandRunner): Promise<{ readonly lacking: string | undefined }> {
  const name = `vgv${process.pid}`;
  const ip = (...lines: string[]) => run.run({ argv: ['ip', '-batch', '-'], stdin: `${lines.join('\n')}\n` });
  await ip(`link add name ${name} type veth peer name ${name}p`);
  try {
    await ip(`link add link ${name} name ${name}v type vlan id 1`);
    return { lacking: undefined };
  } catch {
    return { lacking: 'this kernel has no VLANs (CONFIG_VLAN_8021Q)' };
  } finally {
    await ip(`link delete ${name}`);
  }
}

const TUN = '/dev/net/tun';

/** What this machine has for WireGuard: the kernel's, or `wireguard-go` with a TUN device. */
export async function chooseTunnels(run: CommandRunner): Promise<Tunnels> {
  const name = `vgw${process.pid}`;
  const works = (argv: readonly [string, ...string[]]): Promise<boolean> =>
    run.run({ argv }).then(
      () => true,
      () => false,
    );
  if (!(await works(['wg', '--version'])))
    return {
      engine: 'wireguard',
      lacking: 'the program wg is missing; install the package wireguard-tools',
      namespace: '',
    };
  // One that a killed supervisor of this number left: its namespace may outlive it.
  await works(['ip', 'link', 'delete', name]);
  if (await works(['ip', 'link', 'add', name, 'type', 'wireguard'])) {
    await run.run({ argv: ['ip', 'link', 'delete', name] });
    return { engine: 'wireguard', lacking: undefined, namespace: '' };
  }
  const program = await works(['wireguard-go', '--version']);
  const lacking = program
    ? openable(TUN)
      ? undefined
      : `this kernel has no WireGuard, and ${TUN} cannot be opened`
    : 'this kernel has no WireGuard, and the program wireguard-go is missing';
  return { engine: 'wireguard-go', lacking, namespace: readlinkSync('/proc/self/ns/net') };
}

/** A security association that nobody uses is made and taken away, and an interface of such. */
export async function chooseIpsec(run: CommandRunner): Promise<{ readonly lacking: string | undefined }> {
  for (const program of IPSEC_PROGRAMS)
    if (!existsSync(program.path))
      return { lacking: `${program.path} is missing; install the package ${program.package}` };
  if (!holdsCapability('NET_BIND_SERVICE') && Number(readFileSync(UNPRIVILEGED, 'latin1')) > IKE_PORT)
    return { lacking: `the capability NET_BIND_SERVICE is missing, without which IKE has no UDP port ${IKE_PORT}` };
  const name = `vgx${process.pid}`;
  const where = [
    'src',
    '127.0.0.1',
    'dst',
    '127.0.0.1',
    'proto',
    'esp',
    'spi',
    `0x${(0x7667_0000 + process.pid).toString(16)}`,
  ];
  const cipher = ['aead', 'rfc4106(gcm(aes))', `0x${'00'.repeat(20)}`, '128'];
  try {
    await run.run({ argv: ['ip', 'xfrm', 'state', 'add', ...where, 'mode', 'tunnel', ...cipher] });
    await run.run({ argv: ['ip', 'xfrm', 'state', 'delete', ...where] });
  } catch (error) {
    return { lacking: `this kernel has no ESP with AES-GCM (CONFIG_INET_ESP, CONFIG_CRYPTO_GCM): ${lastOf(error)}` };
  }
  try {
    await run.run({ argv: ['ip', 'link', 'add', name, 'type', 'xfrm', 'if_id', '1'] });
    await run.run({ argv: ['ip', 'link', 'delete', name] });
  } catch (error) {
    return { lacking: `this kernel has no interfaces of IPsec (CONFIG_XFRM_INTERFACE): ${lastOf(error)}` };
  }
  return { lacking: undefined };
}

const IKE_PORT = 500;
/** From which port on nobody needs the right to one. */
const UNPRIVILEGED = '/proc/sys/net/ipv4/ip_unprivileged_port_start';
const IPSEC_PROGRAMS = [
  { path: '/usr/sbin/charon-systemd', package: 'charon-systemd' },
  // Its control socket.
  { path: '/usr/lib/ipsec/plugins/libstrongswan-vici.so', package: 'strongswan-swanctl' },
];

const lastOf = (error: unknown): string =>
  error instanceof CommandError ? error.result.stderr.trim().split('\n').at(-1) || 'refused' : messageOf(error);

async function probeIpsec(run: CommandRunner): Promise<Finding> {
  const { lacking } = await chooseIpsec(run);
  return {
    check: 'IPsec',
    state: lacking === undefined ? 'Ok' : 'Degraded',
    found: lacking ?? '',
    fix: 'a kernel with CONFIG_INET_ESP, CONFIG_CRYPTO_GCM and CONFIG_XFRM_INTERFACE, the packages strongswan-swanctl, charon-systemd and libstrongswan-standard-plugins, and the capability NET_BIND_SERVICE; without them VPN connections of type IPsec stay down',
  };
}

function openable(device: string): boolean {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const CONNTRACK_OF_IPVS = 'net.ipv4.vs.conntrack';

/** What this kernel has for load balancers. */
export async function chooseBalancing(run: CommandRunner): Promise<Balancing> {
  const [engine, untimed] = [await chooseEngine(run), await tryIdleTimeout(run)];
  return untimed === undefined ? engine : { ...engine, untimed };
}

/** Why connections can be given no timeouts of their own. */
async function tryIdleTimeout(run: CommandRunner): Promise<string | undefined> {
  const table = `inet vgprobe${process.pid}`;
  const timeout = 'ct timeout one { protocol tcp; l3proto ip; policy = { established : 60 }; }';
  const rule = 'chain prerouting { type filter hook prerouting priority 0; ip protocol 253 ct timeout set "one"; }';
  const lines = [`table ${table} {`, timeout, rule, '}', `delete table ${table}`];
  try {
    await run.run({ argv: ['nft', '-f', '-'], stdin: `${lines.join('\n')}\n` });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** IPVS, where a service of each sort, by marks that no packet has, can be made and taken away. */
async function chooseEngine(run: CommandRunner): Promise<Balancing> {
  const byRules = (lacking: string): Balancing => ({ engine: 'iptables', lacking });
  const services = SCHEDULERS.flatMap((scheduler, i) =>
    ['', ' -6'].map((family) => ({ scheduler, key: `-f ${markOfRange(MAX_RANGES - 1 - i)}${family}` })),
  );
  try {
    // It goes on after a line that the kernel refuses.
    const lines = [
      ...services.map(({ key, scheduler }) => `-A ${key} ${serviceText(scheduler)}`),
      '-S -n',
      ...services.map(({ key }) => `-D ${key}`),
    ];
    const stdin = lines.map((line) => `${line}\n`).join('');
    const { stdout, stderr } = await run.run({ argv: ['ipvsadm', '-R'], stdin });
    const made = parseIpvs(stdout);
    const missing = services.find(({ key, scheduler }) => made.get(key)?.text !== serviceText(scheduler));
    if (missing) return byRules(`no scheduler ${missing.scheduler}: ${stderr.trim().split('\n')[0] ?? ''}`);
    // Without it neither firewall nor limits see what is balanced.
    await run.setSwitches(new Map([[CONNTRACK_OF_IPVS, '1']]));
    const tracked = (await run.switches([CONNTRACK_OF_IPVS])).get(CONNTRACK_OF_IPVS) === '1';
    return tracked
      ? { engine: 'ipvs', lacking: undefined }
      : byRules(`${CONNTRACK_OF_IPVS} cannot be set to 1 from here`);
  } catch (error) {
    return byRules(messageOf(error));
  }
}

/** What no gateway works without, in one line for a condition; `undefined` when nothing is missing. */
export function missingOf(findings: readonly Finding[]): string | undefined {
  const missing = findings
    .filter((finding) => finding.state === 'Missing')
    .map(({ check, fix }) => `${check} (${fix})`);
  return missing.length > 0 ? missing.join('; ') : undefined;
}

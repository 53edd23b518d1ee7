import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.js';
import { currentRun } from './run-name.js';
import { ends, type Site } from './site.js';

// BIRD on a customer's router, with a configuration of its own: what the other end of a line may be.

export interface SiteBgp {
  asn: number;
  gatewayAsn: number;
  password?: string;
  /** What it tells, of both families. */
  networks: readonly string[];
  /** Milliseconds, three times; none without it. */
  bfdMs?: number;
  /** Without graceful restart: what it learnt goes with its session. */
  forgets?: boolean;
  /** By graceful restart, what it learnt stays although BFD ends. */
  keepsOverBfd?: boolean;
  /** Of the line whose ends it speaks at. */
  line?: number;
}

export class SiteBird {
  private readonly config: string;
  private readonly socket: string;

  private constructor(site: Site) {
    const file = join(currentRun().directory, `${site.router.label}-bird`);
    this.config = `${file}.conf`;
    this.socket = `${file}.sock`;
  }

  static async start(site: Site, bgp: SiteBgp): Promise<SiteBird> {
    const bird = new SiteBird(site);
    writeFileSync(bird.config, textOf(bgp));
    site.router.spawn(['/usr/sbin/bird', '-f', '-c', bird.config, '-s', bird.socket], { stdio: 'ignore' });
    return bird;
  }

  async tell(bgp: SiteBgp): Promise<void> {
    writeFileSync(this.config, textOf(bgp));
    await this.ask('configure');
  }

  async ask(question: string): Promise<string> {
    const { stdout } = await runCommand(['birdc', '-s', this.socket, ...question.split(' ')]);
    return stdout;
  }
}

function textOf({ asn, gatewayAsn, password, networks, bfdMs, forgets, keepsOverBfd, line = 0 }: SiteBgp): string {
  const device = `line${line}`;
  return [
    'router id 172.20.0.1;',
    'protocol device { }',
    ...(bfdMs === undefined ? [] : [`protocol bfd { interface "${device}" { interval ${bfdMs} ms; multiplier 3; }; }`]),
    ...[4, 6].flatMap((family) => {
      const six = family === 6;
      const [own = '', peer] = ends(line, six);
      const told = networks.filter((network) => network.includes(':') === six);
      return [
        `protocol static told${family} { ipv${family}; ${told.map((network) => `route ${network} unreachable;`).join(' ')} }`,
        `protocol kernel kernel${family} { metric 50; ipv${family} { import none; export where source = RTS_BGP; }; }`,
        `protocol bgp gateway${family} {`,
        `  local ${peer} as ${asn}; neighbor ${own.split('/')[0]} as ${gatewayAsn};`,
        `  connect delay time 1; connect retry time 1; error wait time 1, 1; startup hold time 10;`,
        ...(bfdMs === undefined ? [] : [`  bfd ${keepsOverBfd ? 'graceful' : 'on'};`]),
        ...(forgets ? ['  graceful restart off;'] : []),
        ...(password === undefined ? [] : [`  password "${password}";`]),
        `  ipv${family} { import all; export where source = RTS_STATIC; };`,
        '}',
      ];
    }),
    '',
  ].join('\n');
}

/**
 * All that somebody far away needs to understand a gateway, as one .tar.gz. Guarantees:
 * 1. No part is left as it was read: all go through `redact`. What is secret is not even asked for: no environment, no
 *    file of tokens or keys.
 * 2. A part that fails is named in the manifest, and spares none of the others.
 * 3. Bounded: a part is cut after 4 MiB, a command is ended after 20 s.
 */
import type { Writable } from 'node:stream';
import { once } from 'node:events';
import { createGzip } from 'node:zlib';
import { messageOf, VpcgwError } from '../../errors.js';
import type { CommandRunner } from '../../kernel/command.js';
import type { IptablesVariant } from '../../kernel/iptables/subsystem.js';
import { redact } from './redact.js';
import { TAR_END, tarEntry } from './tar.js';

export type Parts = Readonly<Record<string, () => unknown>>;

const MAX_PART_BYTES = 4 * 1024 * 1024;
const FOLDER = 'vpcgw-support';

/** What is read of the kernel, by the name of its file. */
const kernelParts = (variant: IptablesVariant): Readonly<Record<string, readonly [string, ...string[]]>> => ({
  'iptables.txt': [`iptables-${variant}-save`, '-c'],
  'ip6tables.txt': [`ip6tables-${variant}-save`, '-c'],
  'nft.txt': ['nft', 'list', 'ruleset'],
  'links.txt': ['ip', '-d', '-s', 'link'],
  'addresses.txt': ['ip', 'address'],
  'routes4.txt': ['ip', '-4', 'route', 'show', 'table', 'all'],
  'routes6.txt': ['ip', '-6', 'route', 'show', 'table', 'all'],
  'rules4.txt': ['ip', '-4', 'rule'],
  'rules6.txt': ['ip', '-6', 'rule'],
  'neighbours.txt': ['ip', 'neigh'],
  'sets.txt': ['ipset', 'save'],
  'qdiscs.txt': ['tc', '-s', 'qdisc'],
  'conntrack-statistics.txt': ['conntrack', '-S'],
  'conntrack-count.txt': ['conntrack', '-C'],
  'sysctls.txt': ['sysctl', '-e', '-a', '--pattern', '^net\\.(ipv[46]|netfilter)\\.'],
  'versions.txt': ['uname', '-a'],
});

interface Entry {
  readonly file: string;
  readonly bytes?: number;
  readonly cut?: true;
  readonly failed?: string;
}

export class Bundler {
  #busy = false;

  /** `parts`: what the supervisor itself knows; objects become JSON. */
  constructor(
    private readonly run: CommandRunner,
    private readonly parts: Parts,
    private readonly variant: () => IptablesVariant,
  ) {}

  /** Throws before anything is read; what it returns writes the archive. */
  start(): (output: Writable, signal: AbortSignal) => Promise<void> {
    if (this.#busy) throw new VpcgwError('Overloaded', 'a support bundle is being made already; try again');
    this.#busy = true;
    return (output, signal) => this.#write(output, signal).finally(() => (this.#busy = false));
  }

  async #write(output: Writable, signal: AbortSignal): Promise<void> {
    const archive = createGzip();
    const piped = archive.pipe(output, { end: false });
    const seconds = Date.now() / 1000;
    const manifest: Entry[] = [];
    const add = async (file: string, content: Buffer): Promise<void> => {
      if (!archive.write(tarEntry(`${FOLDER}/${file}`, content, seconds))) await once(archive, 'drain', { signal });
    };
    for (const [file, read] of Object.entries({ ...this.parts, ...this.#kernel() })) {
      if (signal.aborted) break;
      try {
        const whole = Buffer.from(redact(textOf(await read())));
        const content = whole.subarray(0, MAX_PART_BYTES);
        await add(file, content);
        manifest.push({ file, bytes: content.length, ...(content.length < whole.length ? { cut: true } : {}) });
      } catch (error) {
        manifest.push({ file, failed: redact(messageOf(error)) });
      }
    }
    await add('manifest.json', Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`));
    archive.end(TAR_END);
    await once(archive, 'end', { signal });
    archive.unpipe(piped);
  }

  #kernel(): Parts {
    const read = (argv: readonly [string, ...string[]]) => async () => {
      // Some keys of sysctl may not be read, which is no failure of the rest.
      const { stdout } = await this.run.run({ argv, okExitCodes: argv[0] === 'sysctl' ? [0, 1, 255] : [0] });
      return stdout;
    };
    return Object.fromEntries(
      Object.entries(kernelParts(this.variant())).map(([file, argv]) => [`kernel/${file}`, read(argv)]),
    );
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value, undefined, 2));

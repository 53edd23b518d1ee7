/**
 * What WireGuard links are told: keys, port, mark, peers. The links themselves are made before. Guarantees:
 * 1. What has not changed is not told again: a peer's session survives the edit of every other, and a peer that has
 *    roamed is not sent back.
 * 2. Keys go through standard input; what is read is kept as fingerprints alone, and no error repeats a key.
 */
import { createHash } from 'node:crypto';
import { VpcgwError } from '../../errors.js';
import { fnv1a64 } from '../../model/hash.js';
import { isOwnTunnel } from '../../model/ownership.js';
import type { Command, CommandRunner } from '../command.js';
import { readInterfaces } from '../ip.js';
import { PatchedMap } from '../patched-map.js';
import type { WireGuardLink, WireGuardPeer } from '../state.js';
import type { Change, Subsystem } from '../subsystem.js';
import { diff, type WireGuardLinks } from './diff.js';
import { parseDump, type PeerDump, type WireGuardDump } from './parse.js';
import { endpointsText, renderLink, renderPeer } from './render.js';

/** Tells preshared keys apart. */
export const presharedFingerprint = (key: string): string =>
  createHash('sha256').update(key).digest('base64').slice(0, 16);

const dumpOf = (link: string): Command => ({ argv: ['wg', 'show', link, 'dump'], okExitCodes: [0, 1] });

export async function readDump(run: CommandRunner, link: string): Promise<WireGuardDump | undefined> {
  const { code, stdout } = await run.run(dumpOf(link));
  return code === 0 ? parseDump(stdout, presharedFingerprint) : undefined;
}

/** Where a peer was last, by the public keys of both ends; `meant` is where its document has it. */
export type EndpointOf = (own: string, peer: string, meant: string | undefined) => string | undefined;

export class WireGuard implements Subsystem<WireGuardLinks> {
  readonly title = 'WireGuard';
  #names: readonly string[] = [];

  constructor(private readonly endpointOf: EndpointOf = () => undefined) {}

  async observe(run: CommandRunner, desired: WireGuardLinks): Promise<WireGuardLinks> {
    const links = (await readInterfaces(run)).filter(({ ifname }) => isOwnTunnel(ifname));
    this.#names = links.map(({ ifname }) => ifname);
    const entries = await Promise.all(
      links.map(async ({ ifname, ifalias }): Promise<[string, WireGuardLink][]> => {
        const link = await this.#read(run, ifname, ifalias, desired.get(ifname));
        return link ? [[ifname, link]] : [];
      }),
    );
    return new Map(entries.flat());
  }

  readonly diff = diff;

  async apply(
    run: CommandRunner,
    changes: readonly Change[],
    observed: WireGuardLinks,
    desired: WireGuardLinks,
  ): Promise<WireGuardLinks> {
    for (const name of lettingGo(observed, desired)) await wg(run, { argv: ['wg', 'set', name, 'listen-port', '0'] });
    const result = new Map([...observed].filter(([name]) => desired.has(name)));
    for (const name of new Set(changes.map(({ key }) => key.split(' ')[0] ?? ''))) {
      const wanted = desired.get(name);
      if (!wanted) continue;
      const own = changes.filter(({ key }) => key === name || key.startsWith(`${name} `));
      const known = observed.get(name);
      await tell(run, name, own, known, wanted, this.endpointOf);
      const link =
        known && own.every(({ key }) => key !== name)
          ? await readBack(run, name, own, known, wanted)
          : await this.#read(run, name, aliasOf(wanted), wanted);
      if (link) result.set(name, link);
    }
    this.#names = [...new Set([...this.#names, ...result.keys()])].filter((name) => desired.has(name));
    return result;
  }

  /** The kernel tells nobody of a change. What a peer's roaming alters is looked at for nothing. */
  silent = (): readonly Command[] => this.#names.map((name) => ({ argv: ['wg', 'showconf', name] }));

  /** `alias` says which endpoints the link was told: if they are the wanted ones, peers that are elsewhere have roamed. */
  async #read(
    run: CommandRunner,
    name: string,
    alias: string | undefined,
    wanted: WireGuardLink | undefined,
  ): Promise<WireGuardLink | undefined> {
    const dump = await readDump(run, name);
    if (!dump) return undefined;
    const told = wanted !== undefined && alias === aliasOf(wanted);
    const peers = dump.peers.map((peer) => peerOf(peer, told ? wanted : undefined));
    const { publicKey, listenPort, mark } = dump;
    return { key: { fingerprint: publicKey }, listenPort, mark, peers: new Map(peers), origin: wanted?.origin };
  }
}

/** Of a link that was told the endpoints of `told`: a peer that is elsewhere has roamed. */
function peerOf(
  { publicKey, presharedKey, endpoint, networks, keepaliveS }: PeerDump,
  told: WireGuardLink | undefined,
): [publicKey: string, peer: WireGuardPeer] {
  const meant = endpoint === undefined ? undefined : told?.peers.get(publicKey)?.endpoint;
  return [publicKey, { presharedKey, endpoint: meant ?? endpoint, networks, keepaliveS }];
}

/** After changes of some peers: they are believed anew, and no other. */
async function readBack(
  run: CommandRunner,
  name: string,
  changes: readonly Change[],
  known: WireGuardLink,
  wanted: WireGuardLink,
): Promise<WireGuardLink | undefined> {
  const keys = new Set(changes.map(({ key }) => key.slice(name.length + 1)));
  const { code, stdout } = await run.run({ ...dumpOf(name), recurs: true });
  const dump = code === 0 ? parseDump(stdout, presharedFingerprint, keys) : undefined;
  if (!dump) return undefined;
  const peers = dump.peers.map((peer) => peerOf(peer, wanted));
  return { ...known, peers: PatchedMap.of(known.peers, keys, peers) };
}

/** Whose port is another's from now on, who cannot have it before: also links that stand until they are pruned. */
function lettingGo(observed: WireGuardLinks, desired: WireGuardLinks): string[] {
  const owners = new Map([...desired].map(([name, { listenPort }]) => [listenPort, name]));
  return [...observed].flatMap(([name, { listenPort }]) => ((owners.get(listenPort) ?? name) === name ? [] : [name]));
}

const aliasOf = (link: WireGuardLink): string => `vpcgw endpoints ${fnv1a64(endpointsText(link))}`;

async function tell(
  run: CommandRunner,
  name: string,
  changes: readonly Change[],
  known: WireGuardLink | undefined,
  wanted: WireGuardLink,
  endpointOf: EndpointOf,
): Promise<void> {
  const keyOf = ({ key }: Change): string => key.slice(name.length + 1);
  const told = changes.filter(({ action }) => action !== 'remove');
  const removed = changes.filter(({ action }) => action === 'remove').map(keyOf);
  const lines = told.flatMap((change) => {
    const peer = wanted.peers.get(keyOf(change));
    const key = keyOf(change);
    const roamed = endpointOf(wanted.key.fingerprint, key, peer?.endpoint);
    return peer ? renderPeer(key, peer, known?.peers.get(key), roamed) : renderLink(wanted);
  });
  if (lines.length > 0)
    await wg(run, {
      argv: ['wg', 'addconf', name, '/dev/stdin'],
      stdin: `${lines.join('\n')}\n`,
      opensStdin: true,
      recurs: true,
    });
  if (removed.length > 0)
    await wg(run, { argv: ['wg', 'set', name, ...removed.flatMap((key) => ['peer', key, 'remove'])] });
  // After the telling: a life that ends in between tells it again.
  if (!known || endpointsText(known) !== endpointsText(wanted))
    await run.run({ argv: ['ip', 'link', 'set', 'dev', name, 'alias', aliasOf(wanted)] });
}

/** `wg` repeats a line that it does not understand. */
export async function wg(run: CommandRunner, command: Command): Promise<void> {
  try {
    await run.run(command);
  } catch (error) {
    const message = (error as Error).message.replace(/[A-Za-z0-9+/]{40,}=*/g, '(key)');
    throw new VpcgwError('CommandFailed', message);
  }
}

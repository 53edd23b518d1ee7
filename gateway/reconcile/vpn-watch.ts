/**
 * How the tunnels in force stand: looked at every few seconds, told when it changes. It changes nothing itself; without a
 * tunnel it does nothing.
 */
import { firstEndOf, troubleOf, linkOf } from '../features/sites.js';
import { lookAtEnd } from '../health/certificate-end.js';
import type { Endpoints } from '../health/endpoints.js';
import { type ConnectionLook, lookAtConnection, lookAtPeer, type PeerLook } from '../health/peer-state.js';
import { lookAtIpsec } from '../health/ipsec-state.js';
import { type PingOptions, PingWatch } from '../health/ping-watch.js';
import type { CommandRunner } from '../kernel/command.js';
import { nearest } from '../documents/explain.js';
import { VpcgwError } from '../errors.js';
import { readDump } from '../kernel/wireguard/subsystem.js';
import { isPair } from '../model/high-availability.js';
import { peerNameOf, type TunnelProbe, type VpnConnection, type WireGuardConnection } from '../model/vpn.js';
import { onBeat } from '../system/beat.js';
import type { Clock } from '../system/clock.js';
import { EchoProbe } from '../system/echo-probe.js';
import { type CompileInput, contextOf } from './compile.js';
import type { Ipsec } from './ipsec.js';
import { ipsecPeerConfig, peerConfig } from './peer-config.js';
import { TunnelDoubts } from './tunnel-doubts.js';

const EVERY_MS = 2_000;
/** So many lost probes in a row, and it does not carry. */
const LOST_IN_ROW = 3;
const RESTING: ConnectionLook = { state: 'Idle', reason: 'this member is not the active one', peers: [] };

export interface VpnWatchOptions {
  readonly ipsec: Pick<Ipsec, 'look' | 'stateOf'>;
  readonly run: CommandRunner;
  readonly clock: Clock;
  /** What is in force, and what it was compiled with. */
  readonly inForce: () => CompileInput | undefined;
  /** Whether this member of a pair is, or is about to be: a role that ends is known here before it is in force. */
  readonly isActive: () => boolean;
  readonly endpoints: Endpoints;
  readonly tell: (type: string, message: string) => void;
  /** Peers have roamed. */
  readonly onRoamed: () => void;
  /** Documents of tunnels that do not carry, where others could; resolves when the kernel holds what follows. */
  readonly onDoubtful: (doubtful: ReadonlySet<string>) => Promise<void>;
}

export class VpnWatch {
  #looks: ReadonlyMap<string, ConnectionLook> = new Map();
  /** When something was sent last, by connection and peer. */
  readonly #spokenTo = new Map<string, ReadonlyMap<string, number>>();
  /** By connection and peer. */
  readonly #pings = new Map<string, PingWatch>();
  #endLooks: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  /** The version of the endpoints that was told. */
  #told = 0;

  readonly #doubts: TunnelDoubts;
  readonly #echo = new EchoProbe();

  constructor(private readonly options: VpnWatchOptions) {
    this.#doubts = new TunnelDoubts(options);
  }

  start(): void {
    this.#endLooks = onBeat(EVERY_MS, () => void this.look());
    // The other member may take over before the next.
    void this.look();
  }

  stop(): void {
    this.#endLooks?.();
    for (const ping of this.#pings.values()) ping.stop();
    this.#pings.clear();
    this.#echo.stop();
  }

  /** By connection, as they were found last. */
  get looks(): ReadonlyMap<string, ConnectionLook> {
    return this.#looks;
  }

  /** Afresh. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** For the other end: of all peers, or of the one that is named. */
  peerConfig(name: string, peerName?: string): string {
    const inForce = this.options.inForce();
    const all = inForce?.model.vpnConnections ?? [];
    const connection = all.find((each) => each.name === name);
    if (!inForce || !connection)
      throw new VpcgwError(
        'NotFound',
        `there is no VpnConnection ${name}${nearest(
          name,
          all.map((each) => each.name),
        )}`,
      );
    const context = contextOf(inForce);
    if (connection.type === 'IPsec') return ipsecPeerConfig(connection, context);
    const { peers } = connection.wireGuard;
    const named = peers.filter((peer) => peerName === undefined || peer.name === peerName);
    if (named.length === 0 && peerName !== undefined)
      throw new VpcgwError(
        'NotFound',
        `${name} has no peer ${peerName}${nearest(
          peerName,
          peers.map((peer) => peer.name),
        )}`,
      );
    return named.map((peer) => peerConfig(connection, peer, context)).join('\n');
  }

  async #look(): Promise<void> {
    const inForce = this.options.inForce();
    const connections = inForce?.model.vpnConnections ?? [];
    if (inForce) this.#followProbes(inForce);
    await this.options.ipsec.look();
    const looks = new Map<string, ConnectionLook>();
    for (const connection of connections)
      if (inForce) looks.set(connection.name, await this.#lookAt(connection, inForce));
    for (const [name, { state, reason, certificate }] of looks) {
      const known = this.#looks.get(name);
      const before = known?.state ?? 'Idle';
      if (before !== state) this.options.tell('Vpn', `${name}: ${before} → ${state}: ${reason}`);
      const { warning } = certificate ?? {};
      if (warning !== undefined && known?.certificate?.warning === undefined)
        this.options.tell('Vpn', `${name}: ${warning}`);
    }
    this.#looks = looks;
    for (const name of this.#spokenTo.keys()) if (!looks.has(name)) this.#spokenTo.delete(name);
    for (const connection of connections) this.#judge(connection, looks.get(connection.name));
    if (this.options.endpoints.version !== this.#told) this.options.onRoamed();
    this.#told = this.options.endpoints.version;
  }

  async #lookAt(connection: VpnConnection, input: CompileInput): Promise<ConnectionLook> {
    const end = firstEndOf(connection, input.facts);
    const certificate = end && lookAtEnd(end, this.options.clock.nowMs());
    return { ...(await this.#lookAtTunnel(connection, input)), certificate };
  }

  async #lookAtTunnel(connection: VpnConnection, { facts, model, pressure }: CompileInput): Promise<ConnectionLook> {
    const rests = (): boolean => isPair(model) && !(pressure.active && this.options.isActive());
    if (rests()) return RESTING;
    const trouble = troubleOf(connection, facts);
    if (trouble) return { state: 'Down', reason: trouble.message, trouble: trouble.reason, peers: [] };
    if (connection.type === 'IPsec') {
      const { name, ipsec } = connection;
      const probe = this.#pings.get(`${name}/${peerNameOf(ipsec)}`)?.look;
      return lookAtIpsec(connection, this.options.ipsec.stateOf(name), probe);
    }
    const look = await this.#lookAtPeers(connection, linkOf(connection, facts));
    // With its role, its peers went from the tunnel that was just read.
    return rests() ? RESTING : look;
  }

  async #lookAtPeers({ name, wireGuard }: WireGuardConnection, link: string): Promise<ConnectionLook> {
    const dump = await readDump(this.options.run, link).catch(() => undefined);
    if (!dump) return { state: 'Down', reason: 'the tunnel is not there', peers: [] };
    this.options.endpoints.follow(dump.publicKey, new Set(wireGuard.peers.map(({ publicKey }) => publicKey)));
    for (const { publicKey, endpoint } of dump.peers)
      if (endpoint !== undefined) this.options.endpoints.saw(dump.publicKey, publicKey, endpoint);
    const known = new Map(dump.peers.map((peer) => [peer.publicKey, peer]));
    const before = new Map(this.#looks.get(name)?.peers.map((peer) => [peer.peer, peer.sentBytes]));
    const nowS = Math.floor(this.options.clock.nowMs() / 1000);
    const spokenTo = new Map<string, number>();
    for (const { name: peer, publicKey } of wireGuard.peers) {
      const sent = known.get(publicKey)?.sentBytes ?? 0;
      const atS = sent > (before.get(peer) ?? sent) ? nowS : this.#spokenTo.get(name)?.get(peer);
      if (atS !== undefined) spokenTo.set(peer, atS);
    }
    this.#spokenTo.set(name, spokenTo);
    return lookAtConnection(
      wireGuard.peers.map((peer): PeerLook => {
        const seen = known.get(peer.publicKey);
        return lookAtPeer({
          connection: name,
          peer,
          dump: seen,
          spokenToS: spokenTo.get(peer.name),
          probe: this.#pings.get(`${name}/${peer.name}`)?.look,
          nowS,
        });
      }),
    );
  }

  /** By what was seen of its keys, and where it has probes by those. */
  #judge(connection: VpnConnection, look: ConnectionLook | undefined): void {
    if (!look || look.state === 'Idle') return;
    const probed = this.#pingsOf(connection).length > 0;
    const keyless = connection.type === 'IPsec' && !this.options.ipsec.stateOf(connection.name).state?.installed;
    if (look.state === 'Down' && (!probed || keyless)) this.#doubts.found(connection, look.reason);
    else if (!probed) this.#doubts.found(connection, undefined);
  }

  /** Probes tell sooner than looks do. */
  #judgeProbes(connection: VpnConnection): void {
    const pings = this.#pingsOf(connection);
    if (pings.some(({ lostInRow }) => lostInRow === 0)) this.#doubts.found(connection, undefined);
    else if (pings.every(({ lostInRow }) => lostInRow >= LOST_IN_ROW))
      this.#doubts.found(connection, `the last ${LOST_IN_ROW} probes are unanswered`);
  }

  #pingsOf(connection: VpnConnection): PingWatch[] {
    return probesOf(connection).flatMap(([key]) => this.#pings.get(key) ?? []);
  }

  /** A member of a pair that is not active asks nobody, and knows nothing of before when it becomes active. */
  #followProbes({ model, facts, pressure }: CompileInput): void {
    const active = !isPair(model) || pressure.active;
    const connections = active ? model.vpnConnections.filter((each) => !troubleOf(each, facts)) : [];
    this.#doubts.follow(connections);
    const wanted = new Map(
      connections.flatMap((connection) =>
        probesOf(connection).flatMap(([key, { address, intervalMs }]): [string, [VpnConnection, PingOptions]][] => {
          const own = model.internal.addresses.find((each) => each.address.family === address.family);
          const link = linkOf(connection, facts);
          return own ? [[key, [connection, { address: address.text, from: own.address.text, link, intervalMs }]]] : [];
        }),
      ),
    );
    for (const [key, ping] of this.#pings) {
      if (JSON.stringify(wanted.get(key)?.[1]) === JSON.stringify(ping.options)) continue;
      ping.stop();
      this.#pings.delete(key);
    }
    for (const [key, [connection, options]] of wanted)
      if (!this.#pings.has(key))
        this.#pings.set(key, new PingWatch(options, this.#echo, () => this.#judgeProbes(connection)));
  }
}

/** By connection and peer. */
function probesOf(connection: VpnConnection): [string, TunnelProbe][] {
  const { name } = connection;
  const peers =
    connection.type === 'IPsec'
      ? [{ name: peerNameOf(connection.ipsec), probe: connection.ipsec.probe }]
      : connection.wireGuard.peers;
  return peers.flatMap(({ name: peer, probe }): [string, TunnelProbe][] => (probe ? [[`${name}/${peer}`, probe]] : []));
}

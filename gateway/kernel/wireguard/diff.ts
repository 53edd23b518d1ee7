/** Desired and observed WireGuard links → changes: of the link itself, and of each peer by itself. */
import type { WireGuardLink, WireGuardPeer } from '../state.js';
import { keysOfDifference } from '../patched-map.js';
import type { Change } from '../subsystem.js';
import { describeLink, describePeer } from './render.js';

export type WireGuardLinks = ReadonlyMap<string, WireGuardLink>;

export function diff(observed: WireGuardLinks, desired: WireGuardLinks): Change[] {
  const changes: Change[] = [];
  // What is not wanted goes with its link.
  for (const [name, wanted] of desired) {
    const known = observed.get(name);
    if (known === wanted) continue;
    if (!known || describeLink(known) !== describeLink(wanted))
      changes.push({
        phase: 'switch',
        action: known ? 'replace' : 'add',
        key: name,
        lines: [{ text: describeLink(wanted), origin: wanted.origin }],
      });
    const keys = known && keysOfDifference(known.peers, wanted.peers);
    for (const key of keys ?? wanted.peers.keys()) {
      const [before, peer] = [known?.peers.get(key), wanted.peers.get(key)];
      if (!peer || before === peer || (before && samePeer(before, peer))) continue;
      changes.push({
        phase: 'switch',
        action: before ? 'replace' : 'add',
        key: `${name} ${key}`,
        lines: [{ text: describePeer(peer), origin: wanted.origin }],
      });
    }
    for (const key of keys ?? known?.peers.keys() ?? []) {
      const peer = known?.peers.get(key);
      if (peer && !wanted.peers.has(key))
        changes.push({
          phase: 'prune',
          action: 'remove',
          key: `${name} ${key}`,
          lines: [{ text: describePeer(peer) }],
        });
    }
  }
  return changes;
}

/** Where a peer is said to be nowhere, it may be anywhere. */
const samePeer = (known: WireGuardPeer, wanted: WireGuardPeer): boolean =>
  known.presharedKey?.fingerprint === wanted.presharedKey?.fingerprint &&
  (wanted.endpoint === undefined || known.endpoint === wanted.endpoint) &&
  known.keepaliveS === wanted.keepaliveS &&
  known.networks.join() === wanted.networks.join();

/** The store that a `Strict` pair's third voter is kept in. */
import type { VoteStore } from '../failover/ballot.js';
import { type HighAvailability, type Vote, type VoteCredentials, voteEndsAfterMs } from '../model/high-availability.js';
import { EtcdVote } from './vote-etcd.js';
import { VoteHttp } from './vote-http.js';
import { KubernetesVote } from './vote-kubernetes.js';

export function voteStore(
  highAvailability: HighAvailability & { readonly vote: Vote },
  credentials: VoteCredentials,
): VoteStore {
  const { engine, servers, namespace, name } = highAvailability.vote;
  const http = new VoteHttp(servers, credentials);
  return engine === 'Etcd'
    ? new EtcdVote(http, name)
    : new KubernetesVote(http, namespace ?? 'default', name, voteEndsAfterMs(highAvailability), () => Date.now());
}

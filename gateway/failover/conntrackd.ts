/**
 * conntrackd's configuration: every connection of the active member stands in the other's kernel too, with its mark, so
 * that nothing has to be committed at a takeover. Pure.
 */
import type { GatewayModel } from '../model/gateway-model.js';
import { isPair, type Member } from '../model/high-availability.js';
import { SYNC_PORT } from '../model/ownership.js';

export interface SyncFiles {
  readonly lock: string;
  readonly control: string;
}

/** Buckets, and the most that is held: as many as the largest table that a gateway may ask for in practice. */
const HASH_SIZE = 32_768;
const DEFAULT_HASH_LIMIT = 1_048_576;
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/**
 * Of what the kernel may keep of its events. Each connection that a standby puts in is told of as well, before it reads on;
 * what is too much makes it tell the active member all that it has, old as that may be. Nothing is taken until it is needed.
 */
const EVENT_BUFFER_BYTES = 64 * 1024 * 1024;

/**
 * Not of one that is only being opened. The end of a connection is told with the state that it had, so the filter must let
 * pass all in which one may end: else the other member kept it, and a later one between the same ports was not taken over.
 */
const TOLD_STATES = 'ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSED';

export function conntrackdConfig(model: GatewayModel, member: Member, files: SyncFiles): string {
  if (!isPair(model)) return '';
  const [path] = member.paths;
  const { family } = path.address;
  return `Sync {
  Mode FTFW {
    DisableExternalCache On
    ResendQueueSize 131072
    ACKWindowSize 300
  }
  UDP {
    IPv${family}_address ${path.address.text}
    IPv${family}_Destination_Address ${path.peer.text}
    Port ${SYNC_PORT}
    Interface ${path.interface}
    SndSocketBuffer ${SOCKET_BUFFER_BYTES}
    RcvSocketBuffer ${SOCKET_BUFFER_BYTES}
    Checksum on
  }
}
General {
  HashSize ${HASH_SIZE}
  HashLimit ${Math.max(DEFAULT_HASH_LIMIT, 2 * (model.conntrackSize ?? 0))}
  LogFile off
  Syslog off
  LockFile ${files.lock}
  UNIX {
    Path ${files.control}
  }
  NetlinkBufferSize ${EVENT_BUFFER_BYTES}
  NetlinkBufferSizeMaxGrowth ${2 * EVENT_BUFFER_BYTES}
  NetlinkOverrunResync On
  Filter From Kernelspace {
    Protocol Accept {
      TCP
      SCTP
      UDP
      ICMP
      IPv6-ICMP
    }
    Address Ignore {
      IPv4_address 127.0.0.1
      IPv6_address ::1
    }
    State Accept {
      ${TOLD_STATES} for TCP
    }
  }
}
`;
}

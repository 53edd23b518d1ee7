import type { Flow } from '../../gateway/model/flow.js';

interface FlowOptions {
  from: string;
  to: string;
  /** The address that the far end sees, where it was translated. */
  seenAs?: string;
  /** Where it was led, where it was translated. */
  endsAt?: string;
  port?: number;
  protocol?: string;
}

/** A tracked connection to port 80, unless it says otherwise. */
export function flowOf({ from, to, seenAs = from, endsAt = to, port = 80, protocol = 'tcp' }: FlowOptions): Flow {
  return {
    family: from.includes(':') ? 6 : 4,
    protocol,
    original: { source: from, destination: to, sourcePort: 4000, destinationPort: port },
    reply: { source: endsAt, destination: seenAs, sourcePort: port, destinationPort: 4000 },
    mark: 0,
    bytes: 0,
    replyBytes: 0,
  };
}

/** What `conntrackd -s` tells of how far the other member knows our connections. Pure. */
export interface SyncState {
  /** That this member tells of: those it carries, or carried. */
  readonly connections: number;
  /** That the other member told of and this kernel holds. */
  readonly injected: number;
  /** Messages that the other member has not confirmed yet. */
  readonly backlog: number;
  /** Messages of the other member that never came, even when asked for again. */
  readonly lost: number;
}

/** Of `-s`, `-s queue` and `-s network`, one after the other. */
export function parseSyncState(text: string): SyncState {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  return {
    connections: number(/current active connections:\s+(\d+)/),
    injected: number(/external inject:\s+connections created:\s+(\d+)/),
    backlog: number(/queue rsqueue:\s+current elements:\s+(\d+)/),
    lost: number(/(\d+) Lost msgs/),
  };
}

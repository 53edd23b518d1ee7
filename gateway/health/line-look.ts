/** How a dedicated line stands. */
import type { BgpFault } from './bgp-look.js';
import type { LineTrouble } from '../features/sites.js';
import type { SiteState } from './site-state.js';

export interface LineLook {
  readonly line: string;
  /** Such as `line0` or `line0.100`. */
  readonly port: string;
  /** `Idle`: this member of a pair is not the active one. */
  readonly state: SiteState;
  readonly reason: string;
  /** ISO 8601; since it stands so. */
  readonly since: string;
  /** What is wrong with it, where that has a name. */
  readonly trouble?: LineTrouble['reason'] | BgpFault;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Times that its networks went elsewhere or came back, since the supervisor began. */
  readonly switchOvers: number;
  /** From the last sign of life to the other way in the kernel, the last time that it went down. */
  readonly switchOverMs: number | undefined;
}

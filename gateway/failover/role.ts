/** What keepalived's notices mean. Pure. */
export type Role = 'Active' | 'Standby' | 'Fault' | 'Unknown';

export interface RoleReport {
  readonly role: Role;
  readonly since: string;
  /** Why it changed last, as far as this member knows. */
  readonly reason: string;
}

const ROLES: Readonly<Record<string, Role>> = { MASTER: 'Active', BACKUP: 'Standby', FAULT: 'Fault', STOP: 'Unknown' };

/** Said, of whichever path, by one that believes to be active and hears the other, of lower priority, say the same. */
export const hearsRival = (line: string): boolean => /^INSTANCE "\w+" MASTER_RX_LOWER_PRI( |$)/.test(line);

/** The role that a line of keepalived's pipe tells; `undefined` for what tells none. `notice` names whose lines count. */
export function roleIn(line: string, notice: string): Role | undefined {
  return line.startsWith(`${notice} `) ? ROLES[line.slice(notice.length + 1).split(' ')[0] ?? ''] : undefined;
}

export function reasonOf(from: Role, to: Role, standingDown: readonly string[]): string {
  switch (to) {
    case 'Active':
      return from === 'Standby' ? 'the other member gave way or was not heard any more' : 'no other member was heard';
    case 'Standby':
      return from === 'Active' ? 'the other member is active' : 'ready to take over';
    case 'Fault':
      return standingDown.length > 0 ? standingDown.join(', ') : 'an interface of the gateway is down';
    case 'Unknown':
      return 'keepalived does not run';
  }
}

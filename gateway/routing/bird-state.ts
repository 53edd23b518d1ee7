/** What BIRD says of its sessions. Pure. */
export interface SessionState {
  readonly name: string;
  /** As BGP calls it: `Established`, `Active`, `Connect`, `Idle`, … */
  readonly state: string;
  /** Of the session's last end; empty when there was none. */
  readonly lastError: string;
  readonly taken: number;
  readonly passedOver: number;
  readonly told: number;
  /** More was told than the document's maximum. */
  readonly overMaximum: boolean;
}

/** The lines of `show protocols all`, without their codes. */
export function parseSessions(lines: readonly string[]): SessionState[] {
  const sessions: SessionState[] = [];
  let own: string[] = [];
  const end = (): void => {
    const session = sessionIn(own);
    if (session) sessions.push(session);
    own = [];
  };
  for (const line of lines) {
    if (/^\S/.test(line)) end();
    own.push(line);
  }
  end();
  return sessions;
}

function sessionIn([head = '', ...lines]: readonly string[]): SessionState | undefined {
  const [name = '', protocol] = head.split(/\s+/);
  if (protocol !== 'BGP') return undefined;
  const text = lines.join('\n');
  const find = (pattern: RegExp): string => pattern.exec(text)?.[1]?.trim() ?? '';
  const [, taken = '0', passedOver = '0'] = /Routes:\s+(\d+) imported(?:, (\d+) filtered)?/.exec(text) ?? [];
  const lastError = find(/Last error:\s+(.+)/);
  return {
    name,
    state: find(/BGP state:\s+(.+)/),
    lastError,
    taken: Number(taken),
    passedOver: Number(passedOver),
    told: Number(find(/Routes:.* (\d+) exported/)),
    overMaximum: /limit/i.test(lastError) || /limit/i.test(head),
  };
}

/** By neighbour, the lines of `show bfd sessions`. */
export const parseBfd = (lines: readonly string[]): ReadonlyMap<string, string> =>
  new Map(
    lines.flatMap((line): [string, string][] => {
      const [, address = '', state = ''] =
        /^([0-9a-f.:]+)(?:%\S+)?\s+\S+\s+(Up|Down|Init|AdminDown)\s/i.exec(line) ?? [];
      return address === '' ? [] : [[address, state]];
    }),
  );

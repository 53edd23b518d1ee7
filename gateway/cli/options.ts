/** What the commands are given. */
import type { Format } from './output.js';

export interface Process {
  readonly env: NodeJS.ProcessEnv;
  readonly exit: (code: number) => never;
}

export interface Common {
  readonly socket: string;
  readonly output: Format;
}

export interface RunFlags {
  readonly source: 'folder' | 'api' | 'kubernetes';
  readonly config: string;
  readonly state: string;
  readonly socket: string;
  readonly listen?: string;
  readonly logLevel: string;
}

export type ShowWhat = 'nat' | 'conntrack' | 'ports';

/** What the commands are given. */
import type { ListenFlags } from '../http/listen.js';
import type { Format } from './output.js';

export interface Process {
  readonly env: NodeJS.ProcessEnv;
  readonly exit: (code: number) => never;
}

/** The supervisor that is spoken to: by its socket, or by the URL of its management address. */
export interface Target {
  readonly socket: string;
  readonly server?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface Common {
  readonly target: Target;
  readonly output: Format;
}

export interface RunFlags extends ListenFlags {
  readonly source: 'folder' | 'api' | 'kubernetes';
  readonly config: string;
  readonly state: string;
  readonly keys: string;
  readonly socket: string;
  readonly member?: string;
  readonly logLevel: string;
}

export type ShowWhat =
  'nat' | 'lb' | 'conntrack' | 'ports' | 'bandwidth' | 'failover' | 'vpn' | 'line' | 'bgp' | 'routes';

/** `token new`: a token for the management address, shown once, and its line for the tokens file. */
import { newToken } from '../http/token-file.js';
import { print } from './output.js';
import type { Format } from './output.js';

export function tokenNew(name: string, { role, output }: { role: string; output: Format }): void {
  const { token, sha256 } = newToken();
  print(
    output,
    { token, account: { name, role, sha256 } },
    () => `${token}\n\nThe line for the tokens file:\n- {name: ${name}, role: ${role}, sha256: ${sha256}}\n`,
  );
}

/** The program `vpcgw`: the only reader of the environment, and the only caller of exit. */
import { createProgram } from './cli/program.js';
import { printFailure } from './cli/failure.js';
import { ERRORS } from './errors.js';

// Who reads has seen enough, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`vpcgw: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? 0 : ERRORS.StateUnwritable.exit);
});

createProgram({ env: process.env, exit: (code) => process.exit(code) })
  .parseAsync(process.argv)
  // By force: a server that listens already would keep half a supervisor alive.
  .catch((error: unknown) => process.exit(printFailure(error)));

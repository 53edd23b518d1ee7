/** The program `vpcgw`: the only reader of the environment, and the only caller of exit. */
import { createProgram } from './cli/program.js';
import { printFailure } from './cli/failure.js';

createProgram({ env: process.env, exit: (code) => process.exit(code) })
  .parseAsync(process.argv)
  // By force: a server that listens already would keep half a supervisor alive.
  .catch((error: unknown) => process.exit(printFailure(error)));

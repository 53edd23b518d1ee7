/**
 * The one table of errors: code, HTTP status, exit code, and whether trying again can help. User faults and system
 * faults are apart; every error that leaves the process is one of these.
 */
import type { Diagnostic } from './model/diagnostic.js';

export const ERRORS = {
  ConfigInvalid: { status: 422, exit: 2, retryable: false, title: 'The documents are not valid' },
  NotWriter: { status: 409, exit: 3, retryable: false, title: 'Documents are edited elsewhere' },
  NotActive: { status: 409, exit: 3, retryable: false, title: 'The role of this member does not allow it' },
  NothingToConfirm: { status: 409, exit: 3, retryable: false, title: 'No change waits for a confirmation' },
  ConfirmPending: { status: 409, exit: 3, retryable: true, title: 'A change waits for its confirmation' },
  UnknownRevision: { status: 404, exit: 3, retryable: false, title: 'No such revision' },
  NotFound: { status: 404, exit: 3, retryable: false, title: 'No such thing' },
  BadRequest: { status: 400, exit: 2, retryable: false, title: 'The request is not valid' },
  Unauthorized: { status: 401, exit: 3, retryable: false, title: 'Nobody known asks' },
  Forbidden: { status: 403, exit: 3, retryable: false, title: 'The role does not allow it' },
  PreconditionFailed: { status: 412, exit: 3, retryable: false, title: 'It has changed meanwhile' },
  PayloadTooLarge: { status: 413, exit: 2, retryable: false, title: 'The request is too large' },
  UnsupportedMediaType: { status: 415, exit: 2, retryable: false, title: 'The content type is not taken' },
  TooManyRequests: { status: 429, exit: 5, retryable: true, title: 'Too many requests' },
  Overloaded: { status: 503, exit: 5, retryable: true, title: 'Too much is under way' },
  CommandFailed: { status: 503, exit: 4, retryable: true, title: 'A command failed' },
  CommandMissing: { status: 503, exit: 4, retryable: false, title: 'A program is not installed' },
  KernelRejected: { status: 500, exit: 4, retryable: false, title: 'The kernel refused the change' },
  NotConverged: { status: 503, exit: 4, retryable: true, title: 'The kernel is not as it should be' },
  ObserveFailed: { status: 503, exit: 4, retryable: true, title: 'The kernel could not be read' },
  StateUnwritable: { status: 507, exit: 4, retryable: true, title: 'The state directory cannot be written' },
  SupervisorUnreachable: { status: 503, exit: 5, retryable: true, title: 'No supervisor answers' },
  Invariant: { status: 500, exit: 70, retryable: false, title: 'A defect of vpcgw' },
} as const satisfies Record<string, { status: number; exit: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

export class VpcgwError extends Error {
  readonly code: ErrorCode;
  readonly diagnostics: readonly Diagnostic[];
  /** Of what was not as the caller believed. */
  readonly etag: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { diagnostics?: readonly Diagnostic[]; etag?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = code;
    this.code = code;
    this.diagnostics = options.diagnostics ?? [];
    this.etag = options.etag;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Errors of operations of which nobody knows, of those that wait for a person, and of sagas. */

import { StatewardenError, type ErrorDetails } from './errors.js';

const terminal = 'terminal' as const;

/** Nobody knows whether an operation was carried out: its process died, or the connection went, before its outcome came. */
export class OutcomeUnknownError extends StatewardenError {
  readonly code = 'OUTCOME_UNKNOWN';
  readonly disposition = terminal;
  readonly operationId: string;

  constructor(message: string, details: ErrorDetails & { readonly operationId: string }) {
    super(message, details);
    this.operationId = details.operationId;
  }
}

/** A saga could not be undone whole: one of its compensations has failed for good, or a person has given it up. */
export class CompensationFailedError extends StatewardenError {
  readonly code = 'COMPENSATION_FAILED';
  readonly disposition = terminal;
  /** The scope. */
  readonly saga: string;
  /** What was to be undone. */
  readonly operationId: string;

  constructor(message: string, details: ErrorDetails & Pick<CompensationFailedError, 'saga' | 'operationId'>) {
    super(message, details);
    this.saga = details.saga;
    this.operationId = details.operationId;
  }
}

/** A saga has passed the point after which it only goes forward. */
export class PivotPassedError extends StatewardenError {
  readonly code = 'PIVOT_PASSED';
  readonly disposition = terminal;
  readonly saga: string;
  /** The pivot's. */
  readonly operationId: string;

  constructor(message: string, details: ErrorDetails & Pick<PivotPassedError, 'saga' | 'operationId'>) {
    super(message, details);
    this.saga = details.saga;
    this.operationId = details.operationId;
  }
}

/** There is no recorded outcome that a compensation could undo. */
export class NoOutcomeError extends StatewardenError {
  readonly code = 'NO_OUTCOME';
  readonly disposition = terminal;
}

/** A person has said of a held operation that it failed. */
export class ResolvedAsFailedError extends StatewardenError {
  readonly code = 'RESOLVED_AS_FAILED';
  readonly disposition = terminal;
  /** Who. */
  readonly by: string;

  constructor(message: string, details: ErrorDetails & { readonly by: string }) {
    super(message, details);
    this.by = details.by;
  }
}

/** What waited for a person waits no more: somebody has answered, or it was never held. */
export class NotHeldError extends StatewardenError {
  readonly code = 'NOT_HELD';
  readonly disposition = terminal;
  /** Who answered, if somebody did. */
  readonly by: string | undefined;

  constructor(message: string, details: ErrorDetails & { readonly by?: string | undefined }) {
    super(message, details);
    this.by = details.by;
  }
}

/** Nobody decided before the deadline. */
export class ApprovalExpiredError extends StatewardenError {
  readonly code = 'APPROVAL_EXPIRED';
  readonly disposition = terminal;
}

/** No operation has this id. */
export class UnknownOperationError extends StatewardenError {
  readonly code = 'UNKNOWN_OPERATION';
  readonly disposition = terminal;
}

/** Two operations of an activity have the same user key and different inputs: which of them the result belongs to cannot be told. */
export class KeyConflictError extends StatewardenError {
  readonly code = 'KEY_CONFLICT';
  readonly disposition = terminal;
}

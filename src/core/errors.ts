/**
 * Every error a user can meet. One base class: a stable `code`, a `hint` that says what to do, and a
 * `disposition` that says whether trying again can help. Expected outcomes (a duplicate, a conflict) are
 * return values and have no class here.
 */

/** `retry`: the same call may succeed later. `terminal`: it never will. `defect`: a bug in Statewarden. */
export type Disposition = 'retry' | 'terminal' | 'defect';

export interface ErrorDetails {
  readonly hint: string;
  readonly cause?: unknown;
}

/** Base of all errors thrown by Statewarden. `code` is stable across releases; `message` is for people. */
export abstract class StatewardenError extends Error {
  abstract readonly code: string;
  abstract readonly disposition: Disposition;
  /** What to do about it, in one sentence. */
  readonly hint: string;

  constructor(message: string, { hint, cause }: ErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.hint = hint;
    this.name = new.target.name;
  }
}

const terminal = 'terminal' as const;
const retry = 'retry' as const;

/** An option, argument or event that cannot be used; nothing was changed. */
export class BadInputError extends StatewardenError {
  readonly code = 'BAD_INPUT';
  readonly disposition = terminal;
}

/** Somebody else listens on the port. */
export class PortInUseError extends StatewardenError {
  readonly code = 'PORT_IN_USE';
  readonly disposition = terminal;
}

/** The kind is not registered with this runtime. */
export class UnknownKindError extends StatewardenError {
  readonly code = 'UNKNOWN_KIND';
  readonly disposition = terminal;
}

/** The id exists already, with another kind. */
export class KindConflictError extends StatewardenError {
  readonly code = 'KIND_CONFLICT';
  readonly disposition = terminal;
}

/** No agent has this id. */
export class UnknownAgentError extends StatewardenError {
  readonly code = 'UNKNOWN_AGENT';
  readonly disposition = terminal;
}

/** The event is not an object with a string `type`, or its type is reserved. */
export class BadEventError extends StatewardenError {
  readonly code = 'BAD_EVENT';
  readonly disposition = terminal;
}

/** The encoded event is larger than `limits.eventBytes`. */
export class EventTooLargeError extends StatewardenError {
  readonly code = 'EVENT_TOO_LARGE';
  readonly disposition = terminal;
}

/** A value cannot be encoded without loss; `path` says where in it. */
export class NotSerializableError extends StatewardenError {
  readonly code = 'NOT_SERIALIZABLE';
  readonly disposition = terminal;
  readonly path: string;

  constructor(message: string, details: ErrorDetails & { readonly path: string }) {
    super(message, details);
    this.path = details.path;
  }
}

/** A machine that cannot be made durable, refused when it is registered. */
export class UnsupportedMachineError extends StatewardenError {
  readonly code = 'UNSUPPORTED_MACHINE';
  readonly disposition = terminal;
}

/** A checkpoint does not fit the machine that is registered now; the agent is parked, nothing is lost. */
export class SnapshotVersionError extends StatewardenError {
  readonly code = 'SNAPSHOT_VERSION';
  readonly disposition = terminal;
  /** One line for each difference, for example `state "b" is gone`. */
  readonly differences: readonly string[];

  constructor(message: string, details: ErrorDetails & { readonly differences: readonly string[] }) {
    super(message, details);
    this.differences = details.differences;
  }
}

/** The agent ended in an error; `cause` is what its machine threw. */
export class AgentFailedError extends StatewardenError {
  readonly code = 'AGENT_FAILED';
  readonly disposition = terminal;
}

/** A turn of the agent did not end within `limits.turnMs`, and the process that ran it was ended. */
export class EndlessTurnError extends StatewardenError {
  readonly code = 'ENDLESS_TURN';
  readonly disposition = terminal;
}

/** The agent was stopped before it produced a result. */
export class AgentStoppedError extends StatewardenError {
  readonly code = 'AGENT_STOPPED';
  readonly disposition = terminal;
}

/** The agent is down: its supervisor has not brought it back yet, or will not. */
export class AgentSuspendedError extends StatewardenError {
  readonly code = 'AGENT_SUSPENDED';
  readonly disposition = retry;
}

/** The agent took no turn for longer than its `heartbeatMs`, although it had work under way. */
export class HungAgentError extends StatewardenError {
  readonly code = 'HUNG_AGENT';
  readonly disposition = retry;
}

/** A supervisor could not do what it was asked to; `reason` says why. */
export class SupervisionError extends StatewardenError {
  readonly code = 'SUPERVISION';
  readonly disposition = terminal;
  readonly reason: string;

  constructor(message: string, details: ErrorDetails & { readonly reason: string }) {
    super(message, details);
    this.reason = details.reason;
  }
}

/** No agent could take the event; it is kept among the dead letters. */
export class DeadLetterError extends StatewardenError {
  readonly code = 'DEAD_LETTER';
  readonly disposition = terminal;
}

/** The agent's mailbox holds as many events as it may. */
export class MailboxFullError extends StatewardenError {
  readonly code = 'MAILBOX_FULL';
  readonly disposition = retry;
}

/** Another live node runs this agent. */
export class AgentOwnedError extends StatewardenError {
  readonly code = 'AGENT_OWNED';
  readonly disposition = retry;
}

/** This node no longer holds the agent: another one took it over. Nothing it did since was recorded. */
export class LeaseLostError extends StatewardenError {
  readonly code = 'LEASE_LOST';
  readonly disposition = terminal;
}

/** The store cannot be reached or is busy; nothing is known to have been written. */
export class StoreUnavailableError extends StatewardenError {
  readonly code = 'STORE_UNAVAILABLE';
  readonly disposition = retry;
}

/** The store refused to write for good (failed fsync, disk full, read-only file): the writer is poisoned. */
export class StorePoisonedError extends StatewardenError {
  readonly code = 'STORE_POISONED';
  readonly disposition = terminal;
}

/** The store cannot be opened: not a database, a folder, no permission. */
export class StoreOpenError extends StatewardenError {
  readonly code = 'STORE_OPEN';
  readonly disposition = terminal;
}

/** The store was written by a newer Statewarden. */
export class StoreSchemaError extends StatewardenError {
  readonly code = 'STORE_SCHEMA';
  readonly disposition = terminal;
}

/** A record's checksum or shape is wrong. */
export class CorruptRecordError extends StatewardenError {
  readonly code = 'CORRUPT_RECORD';
  readonly disposition = terminal;
}

/** The store is encrypted, and a key that its data needs was not given; nothing was changed. */
export class KeyMissingError extends StatewardenError {
  readonly code = 'KEY_MISSING';
  readonly disposition = terminal;
}

/** A key does not open what it should: it is another key of the same name, or what it was to open was changed. Nothing was written. */
export class DecryptionError extends StatewardenError {
  readonly code = 'DECRYPTION';
  readonly disposition = terminal;
}

/** A file of keys cannot be used: missing, readable for others, not what it should be. No key of it is ever part of the message. */
export class KeyFileError extends StatewardenError {
  readonly code = 'KEY_FILE';
  readonly disposition = terminal;
}

/** The store holds records that are not encrypted, and was to be opened as one that is; nothing was changed. */
export class StoreNotEncryptedError extends StatewardenError {
  readonly code = 'STORE_NOT_ENCRYPTED';
  readonly disposition = terminal;
}

/** A record points to an artifact that its store does not have: removed, or put elsewhere. */
export class ArtifactMissingError extends StatewardenError {
  readonly code = 'ARTIFACT_MISSING';
  readonly disposition = terminal;
}

/** The agent is archived, and cannot be brought back here: there is no artifact store, or another one. */
export class AgentArchivedError extends StatewardenError {
  readonly code = 'AGENT_ARCHIVED';
  readonly disposition = terminal;
}

/** The store's agents have moved to another one, or are on their way there or here: no runtime may run them here. */
export class StoreMovedError extends StatewardenError {
  readonly code = 'STORE_MOVED';
  readonly disposition = terminal;
}

/** What is there is not what was copied, or the place to copy to has agents of its own. */
export class CopyError extends StatewardenError {
  readonly code = 'COPY_FAILED';
  readonly disposition = terminal;
}

/** An activity was carried out, and its result is larger than may be kept: in the ledger it is `unknown`. */
export class ResultTooLargeError extends StatewardenError {
  readonly code = 'RESULT_TOO_LARGE';
  readonly disposition = terminal;
}

/** The store lacks something that an option asks for. */
export class CapabilityMissingError extends StatewardenError {
  readonly code = 'CAPABILITY_MISSING';
  readonly disposition = terminal;
}

/** An activity or a question took longer than it may. */
export class TimeoutError extends StatewardenError {
  readonly code = 'TIMEOUT';
  readonly disposition = retry;
}

/** An activity's state was left, or its agent ended, before it finished. */
export class CancelledError extends StatewardenError {
  readonly code = 'CANCELLED';
  readonly disposition = terminal;
}

/** No budget of this name is declared with this runtime. */
export class UnknownBudgetError extends StatewardenError {
  readonly code = 'UNKNOWN_BUDGET';
  readonly disposition = terminal;
}

/** A budget has less left than was asked for; nothing was spent. `retry`: its period begins anew, or permits under way may be settled for less. */
export class BudgetExhaustedError extends StatewardenError {
  readonly code = 'BUDGET_EXHAUSTED';
  readonly disposition: Disposition;
  /** Its name. */
  readonly budget: string;
  readonly limit: number;
  readonly spent: number;
  /** Held by permits of activities under way. */
  readonly reserved: number;
  readonly requested: number;
  /** Until its period begins anew; undefined when there is none, or more was asked for than there is in one. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    details: ErrorDetails &
      Pick<BudgetExhaustedError, 'budget' | 'limit' | 'spent' | 'reserved' | 'requested' | 'retryAfterMs' | 'disposition'>,
  ) {
    super(message, details);
    this.budget = details.budget;
    this.limit = details.limit;
    this.spent = details.spent;
    this.reserved = details.reserved;
    this.requested = details.requested;
    this.retryAfterMs = details.retryAfterMs;
    this.disposition = details.disposition;
  }
}

/** A guard gave no leave: the call was not made. `retry` after `retryAfterMs`. Made without a stack: it is thrown often, and where is no riddle. */
export class BreakerOpenError extends StatewardenError {
  readonly code = 'BREAKER_OPEN';
  readonly disposition = retry;
  /** Who refused: the name of a breaker, a bulkhead or a retry budget, or its key in a registry. */
  readonly key: string;
  /** Of a breaker: `call`, `service` or `stage`. */
  readonly level: string | undefined;
  /** `open`, `ramping`, `degraded` or `isolated` of a breaker, `full` of a bulkhead, `spent` of a retry budget. */
  readonly state: string;
  /** Infinity: only a person can change it. */
  readonly retryAfterMs: number;

  constructor(message: string, details: ErrorDetails & Pick<BreakerOpenError, 'key' | 'level' | 'state' | 'retryAfterMs'>) {
    super(message, details);
    this.key = details.key;
    this.level = details.level;
    this.state = details.state;
    this.retryAfterMs = details.retryAfterMs;
  }

  static of(refusal: Pick<BreakerOpenError, 'key' | 'level' | 'state' | 'retryAfterMs'>): BreakerOpenError {
    const { key, level, state, retryAfterMs } = refusal;
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return new BreakerOpenError(`${level ?? 'guard'} "${key}" is ${state}`, {
        hint: hintOf(retryAfterMs),
        key,
        level,
        state,
        retryAfterMs,
      });
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}

function hintOf(retryAfterMs: number): string {
  if (retryAfterMs === Infinity) return 'It was isolated by hand: release it with `statewarden breakers release`, or breaker.release().';
  return `The call was not made. Try again in ${String(Math.ceil(retryAfterMs))} ms, or let an activity wait for it: whenOpen: 'park'.`;
}

/** No breaker has this name. */
export class UnknownBreakerError extends StatewardenError {
  readonly code = 'UNKNOWN_BREAKER';
  readonly disposition = terminal;
}

/** The runtime is closed or closing. */
export class RuntimeClosedError extends StatewardenError {
  readonly code = 'RUNTIME_CLOSED';
  readonly disposition = terminal;
}

/** Something that cannot be: please report it. */
export class InvariantViolationError extends StatewardenError {
  readonly code = 'INVARIANT_VIOLATION';
  readonly disposition = 'defect' as const;
}

/** For people, of whatever was thrown. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What the main thread and the writer thread say to each other. Requests are answered in order, one answer each. */

import * as errors from '../../core/errors.js';
import type { DatabaseOptions } from './database.js';
import type { Moment } from './liveness.js';

export interface WriterData {
  readonly options: DatabaseOptions;
  readonly signal: SharedArrayBuffer;
}

export interface Request {
  readonly method: string;
  /** A commit of one agent: whoever sends one event after another soon sends the next. Both threads look out for each other. */
  readonly lone: boolean;
  /** It is lone, and nothing else is under way: it may be answered by a word. */
  readonly alone: boolean;
  readonly parameters: readonly unknown[];
  /** By the caller's clock. */
  readonly at: Moment;
}

export type Answer =
  | { readonly value: unknown }
  /** It was answered by a word, which the main thread may not have seen. */
  | { readonly told: true }
  | { readonly thrown: { readonly name: string; readonly message: string; readonly hint: string; readonly cause: string | undefined } }
  /** Unasked: agents with new mail from another process. */
  | { readonly mail: readonly number[] }
  /** Unasked: how far a long check has come. */
  | { readonly progress: readonly [number, number] };

export function toThrown(error: unknown): Answer {
  const { name, message, hint, cause } = error as { name?: string; message?: string; hint?: string; cause?: unknown };
  return {
    thrown: {
      name: hint === undefined ? '' : (name ?? ''),
      message: message ?? String(error),
      hint: hint ?? '',
      cause: cause instanceof Error ? cause.message : undefined,
    },
  };
}

/** The error again, of the class it had. */
export function fromThrown({ name, message, hint, cause }: Extract<Answer, { thrown: unknown }>['thrown']): Error {
  const Class = (errors as unknown as Record<string, new (message: string, details: errors.ErrorDetails) => Error>)[name];
  if (Class === undefined)
    return new errors.InvariantViolationError(message, { hint: 'The store met something it does not know; please report it.' });
  return new Class(message, { hint, ...(cause === undefined ? {} : { cause: new Error(cause) }) });
}

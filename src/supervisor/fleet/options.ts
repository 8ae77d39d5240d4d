/** What a fleet is to look like: as declared, checked, and with nothing left to default. */

import { BadInputError, UnknownKindError } from '../../core/errors.js';
import { isAmount } from '../../effects/budget/reducer.js';

/** At most `limit` jobs begin in any `periodMs` milliseconds. A job of a fleet with a budget begins when that is asked. */
export interface JobRate {
  readonly limit: number;
  readonly periodMs: number;
}

/** What each job spends of a budget before it is given to a member. */
export interface JobBudget {
  /** As declared with `createRuntime({ budgets })`. */
  readonly name: string;
  /** Default 1. */
  readonly amount?: number;
}

export interface FleetOptions<TKind extends string = string> {
  /** Of the members. */
  readonly kind: TKind;
  /** How many members. */
  readonly size: number;
  /** What each member is made with. */
  readonly input?: unknown;
  /** Jobs under way at once. Default: as many as there are members. */
  readonly concurrency?: number;
  /** How many jobs may begin in a time. Default: no limit. */
  readonly rate?: JobRate;
  /** Default: none. When it is exhausted the fleet waits for its next period; when there is none, jobs fail with `BudgetExhaustedError`. */
  readonly budget?: JobBudget;
  /** A job that takes longer has failed, and its member begins anew. Milliseconds; default: none. */
  readonly jobTimeoutMs?: number;
  /** A job whose member failed so often while it was at it has failed. Default 3. */
  readonly attempts?: number;
  /** Members that are started at once. Default 32. */
  readonly startConcurrency?: number;
  /** Results that are kept to be asked for. Default 1,000. */
  readonly keepResults?: number;
  /** See `ChildSpec`: of each member. */
  readonly heartbeatMs?: number;
  /** How long a member's activities may take to end after they were told to. Milliseconds; default 5,000. */
  readonly memberShutdownMs?: number;
}

export interface ResolvedFleet {
  readonly kind: string;
  readonly size: number;
  readonly input: unknown;
  readonly concurrency: number;
  readonly rate: JobRate | undefined;
  readonly budget: Required<JobBudget> | undefined;
  readonly jobTimeoutMs: number | undefined;
  readonly attempts: number;
  readonly startConcurrency: number;
  readonly keepResults: number;
  readonly heartbeatMs: number | undefined;
  readonly memberShutdownMs: number;
}

export function resolveFleet(options: FleetOptions): ResolvedFleet {
  const { kind, size, input, concurrency, rate, jobTimeoutMs, attempts, startConcurrency, keepResults, heartbeatMs } = options;
  return {
    kind,
    size,
    input,
    concurrency: concurrency ?? Infinity,
    rate,
    budget: options.budget === undefined ? undefined : { amount: 1, ...options.budget },
    jobTimeoutMs,
    attempts: attempts ?? 3,
    startConcurrency: startConcurrency ?? 32,
    keepResults: keepResults ?? 1_000,
    heartbeatMs,
    memberShutdownMs: options.memberShutdownMs ?? 5_000,
  };
}

/** @throws BadInputError, UnknownKindError */
export function checkFleet(options: FleetOptions, where: string, kinds: ReadonlySet<string>): void {
  const { kind, size, concurrency, rate, jobTimeoutMs, attempts, startConcurrency, keepResults, heartbeatMs, memberShutdownMs } = options;
  if (!kinds.has(kind)) {
    const known = [...kinds].map((name) => JSON.stringify(name)).join(', ');
    throw new UnknownKindError(`${where}: no agents of kind ${JSON.stringify(kind) ?? 'undefined'} are registered`, {
      hint: `Registered kinds: ${known === '' ? 'none' : known}.`,
    });
  }
  checkSize(size, where);
  whole(concurrency, 'concurrency', where, 1, true);
  whole(attempts, 'attempts', where, 1, true);
  whole(startConcurrency, 'startConcurrency', where, 1, true);
  whole(keepResults, 'keepResults', where, 0, false);
  positive(jobTimeoutMs, 'jobTimeoutMs', where);
  positive(heartbeatMs, 'heartbeatMs', where);
  if (memberShutdownMs !== undefined && !(memberShutdownMs >= 0)) {
    throw new BadInputError(`${where}: memberShutdownMs is ${String(memberShutdownMs)}`, {
      hint: 'Give milliseconds from 0, or Infinity.',
    });
  }
  checkBudget(options.budget, where);
  if (rate === undefined) return;
  whole(rate.limit, 'rate.limit', where, 1, false, true);
  if (!(rate.periodMs > 0 && rate.periodMs < Infinity)) {
    throw new BadInputError(`${where}: rate.periodMs is ${String(rate.periodMs)}`, { hint: 'Give milliseconds greater than 0.' });
  }
}

function checkBudget(budget: JobBudget | undefined, where: string): void {
  if (budget === undefined) return;
  if (typeof budget.name !== 'string' || budget.name === '') {
    throw new BadInputError(`${where}: budget.name is ${JSON.stringify(budget.name) ?? 'undefined'}`, {
      hint: 'Give the name of a budget that is declared with createRuntime({ budgets }).',
    });
  }
  if (budget.amount !== undefined && !isAmount(budget.amount)) {
    throw new BadInputError(`${where}: budget.amount is ${String(budget.amount)}`, { hint: 'Give a finite number from 0.' });
  }
}

/** More would not fit into one supervisor's state. */
const largest = 100_000;

/** @throws BadInputError */
export function checkSize(size: unknown, where: string): asserts size is number {
  if (Number.isSafeInteger(size) && (size as number) >= 0 && (size as number) <= largest) return;
  throw new BadInputError(`${where}: size is ${String(size)}`, { hint: `Give a whole number of members from 0 to ${String(largest)}.` });
}

function whole(value: number | undefined, option: string, where: string, least: number, unbounded: boolean, required = false): void {
  if (value === undefined && !required) return;
  if (unbounded && value === Infinity) return;
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new BadInputError(`${where}: ${option} is ${String(value)}`, {
    hint: `Give a whole number from ${String(least)}${unbounded ? ', or Infinity' : ''}.`,
  });
}

function positive(value: number | undefined, option: string, where: string): void {
  if (value === undefined || (typeof value === 'number' && value > 0)) return;
  throw new BadInputError(`${where}: ${option} is ${String(value)}`, { hint: 'Give milliseconds greater than 0, or leave it out.' });
}

/**
 * Operations of which nobody knows whether they were carried out: the outside is asked, the machine is told, or a person is waited for. What a person says arrives by mail and
 * is taken once.
 *
 * Invariant: an operation leaves doubt only by an answer, of the outside or of a person, that is written before anything is done about it.
 */

import { decode, encodeThrown, errorOf } from '../core/codec.js';
import type { Clock } from '../core/clock.js';
import { TimeoutError } from '../core/errors.js';
import { OutcomeUnknownError, ResolvedAsFailedError } from '../core/operation-errors.js';
import { failpoint } from '../core/failpoint.js';
import type { Random } from '../core/random.js';
import type { AlertEvent } from '../core/runtime-event.js';
import type { OperationRecord } from '../persistence/store.js';
import type { Agent } from '../actors/agent.js';
import { holdName, withResolution, type Operation, type OperationOutcome, type Resolution } from '../actors/operation.js';
import { activityOf, isActivity, type ResolvedActivity } from './activity.js';
import { decided, isApproval, type ApprovalRequest } from './approval.js';
import type { Reconciled } from './caution.js';
import { classOf } from './failure-class.js';
import { limited } from './limits.js';
import { backoffMs } from './retry.js';
import type { Run } from './run.js';

export interface DoubtOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** It is there, and to be run. */
  readonly wanted: (run: Run) => boolean;
  /** It was not carried out: it begins again. */
  readonly begin: (run: Run) => void;
  readonly settle: (run: Run, outcome: OperationOutcome) => void;
  readonly report: (run: Run, phase: 'unknown' | 'reconciled' | 'held' | 'retrying', told: { error?: Error; nextRetryAt?: number }) => void;
  /** It is looked at again then: epoch milliseconds. */
  readonly wake: (run: Run, at: number) => void;
  readonly alert: (alert: AlertEvent) => void;
}

/** Longest that one question to the outside may take when the activity says nothing of its own time. */
const longestQuestionMs = 60_000;

/** Whether it must not be run again before somebody has said that it was not carried out. */
export function isCareful({ caution }: Pick<ResolvedActivity, 'caution'>): boolean {
  return caution.onUnknown !== 'retry';
}

export class Doubt {
  readonly #options: DoubtOptions;

  constructor(options: DoubtOptions) {
    this.#options = options;
  }

  /** Whether it stands still until there is an answer about it. Who has not said what is to be done is run again after a failure of this life, not after one that nobody saw. */
  concerns({ doubt, inherited, activity }: Run): boolean {
    return doubt && isCareful(activity) && (inherited || activity.caution.declared);
  }

  /** Its last attempt may have been carried out. `cause`: what it failed with; undefined: its process is gone. */
  meet(run: Run, cause?: unknown): void {
    const { clock } = this.#options;
    const { agent, operation, activity } = run;
    run.doubt = true;
    clock.clearTimeout(run.deadline);
    run.deadline = undefined;
    if (cause !== undefined) agent.updateOperation(operation, { outcome: encodeThrown(cause), nextRetryAt: undefined });
    const error = unknownOutcome(run, cause);
    this.#options.report(run, 'unknown', { error });
    if (activity.caution.onUnknown === 'reconcile') void this.#ask(run, error);
    else if (activity.caution.onUnknown === 'fail') this.#options.settle(run, { ok: false, error });
    else this.hold(run, error);
  }

  /** Another operation with its key may have been carried out. */
  meetOther(run: Run, other: Pick<OperationRecord, 'id'>): void {
    const { activity, operation } = run;
    const what = `activity "${activity.name}" was carried out with the key ${JSON.stringify(operation.record.userKey)}`;
    const hint = `Find out what became of operation ${JSON.stringify(other.id)} and say so, then of this one: statewarden holds.`;
    this.hold(run, new OutcomeUnknownError(`nobody knows whether ${what}`, { hint, operationId: other.id }));
  }

  /** Asks again, after a time or a restart. */
  goOn(run: Run): void {
    if (run.activity.caution.onUnknown === 'reconcile') void this.#ask(run, unknownOutcome(run, undefined));
    else this.meet(run);
  }

  /** Waits for a person. The alert follows when that is durable. */
  hold(run: Run, error: Error, alert: AlertEvent['alert'] = 'held'): void {
    const { agent, operation } = run;
    agent.updateOperation(operation, { status: 'held', outcome: encodeThrown(error), nextRetryAt: undefined, parkedBy: undefined });
    failpoint('hold:write');
    this.#options.report(run, 'held', { error });
    if (agent.gone) return;
    const raised = heldAlert(agent.id, operation.record, error, alert);
    agent.draft().releases.push(() => this.#options.alert(raised));
  }

  /** A person's word on one that is held; on any other it means nothing any more. */
  ordered(run: Run, resolution: Resolution): OperationOutcome | undefined {
    const { agent, operation, activity } = run;
    if (operation.record.status !== 'held' || (resolution.order === 'expired' && !isApproval(operation.logic))) return undefined;
    failpoint('hold:resolve');
    operation.record = withResolution(operation.record, resolution);
    run.doubt = run.inherited = false;
    run.countsFrom = resolution.at;
    if (isApproval(operation.logic)) return decided(operation.input as ApprovalRequest, resolution);
    if (activity.resolve !== undefined && resolution.order !== 'retry') {
      agent.updateOperation(operation, { resolutions: operation.record.resolutions });
      this.carryOut(run, resolution);
      return undefined;
    }
    if (resolution.order === 'done') return { ok: true, value: resolution.result };
    if (resolution.order === 'failed') {
      const { by, note } = resolution;
      const error = new ResolvedAsFailedError(
        `activity "${activity.name}" was said to have failed by ${by}${note === undefined ? '' : `: ${note}`}`,
        {
          hint: 'A person has decided so: handle it in onError.',
          by,
        },
      );
      return { ok: false, error };
    }
    agent.updateOperation(operation, { status: 'intended', attempts: 0, resolutions: operation.record.resolutions });
    this.#options.begin(run);
    return undefined;
  }

  /** What a person said and what is written already; false: nothing is. */
  carryOut(run: Run, resolution: Resolution | undefined): boolean {
    if (resolution === undefined || resolution.order === 'retry' || run.activity.resolve === undefined) return false;
    void run.activity.resolve(resolution).then((outcome) => this.#options.settle(run, outcome));
    return true;
  }

  async #ask(run: Run, error: Error): Promise<void> {
    const { clock, random, wanted, settle, report } = this.#options;
    const { agent, operation, activity, profile } = run;
    const { reconcile } = activity.caution;
    if (reconcile === undefined || !wanted(run)) return;
    const controller = new AbortController();
    const abort = (reason: Error): void => controller.abort(reason);
    run.abort = abort;
    run.questions += 1;
    failpoint('reconcile:ask');
    let said: Reconciled<unknown> | undefined;
    let failure: unknown;
    try {
      const { id, userKey } = operation.record;
      const context = { signal: controller.signal, agentId: agent.id, operationId: id, attempt: run.questions };
      const asking = Promise.resolve(reconcile(operation.input, userKey ?? id, context));
      said = (await limited(clock, run, asking, activity.timeoutMs ?? longestQuestionMs)) as Reconciled<unknown>;
    } catch (thrown) {
      failure = thrown;
    }
    run.ended?.();
    if (run.abort !== abort || !wanted(run)) return;
    run.abort = undefined;
    if (said?.outcome === 'done') {
      run.doubt = run.inherited = false;
      report(run, 'reconciled', {});
      settle(run, { ok: true, value: said.result });
    } else if (said?.outcome === 'not-done') {
      run.doubt = run.inherited = false;
      report(run, 'reconciled', {});
      agent.updateOperation(operation, { status: 'intended', nextRetryAt: undefined });
      this.#options.begin(run);
    } else if (failure === undefined) this.hold(run, error);
    else if (classOf(failure, activity) === 'persistent' || run.questions >= profile.attempts) this.hold(run, withCause(run, failure));
    else {
      const nextRetryAt = clock.now() + Math.ceil(backoffMs(profile, run.questions, random));
      agent.updateOperation(operation, { nextRetryAt });
      report(run, 'retrying', { error: errorOf(failure), nextRetryAt });
      this.#options.wake(run, nextRetryAt);
    }
  }
}

/** Whether an attempt of an earlier life may have been carried out although no outcome came. */
export function inheritsDoubt({ record }: Operation, activity: ResolvedActivity, now: number): boolean {
  const { status, parkedBy, nextRetryAt = -Infinity, outcome } = record;
  if (status !== 'started' || parkedBy !== undefined) return false;
  // Its last attempt failed and the next was not due yet: then it is as that failure says.
  return isCareful(activity) || nextRetryAt <= now || outcome === undefined || classOf(decode(outcome), activity) === 'partial';
}

/** Whether one that nobody wants any more may have been carried out all the same. `run`: undefined when it has not begun in this life. */
export function mayBeDone(agent: Agent, { record, logic }: Operation, run: Run | undefined): boolean {
  const careful = isActivity(logic) && isCareful(activityOf(logic, ''));
  if (record.saga === undefined && !careful) return false;
  if (run !== undefined) return run.doubt || run.abort !== undefined || record.status === 'held';
  // It was read from the store, or its intent is not there yet.
  return record.status !== 'intended' && record.intendedIn <= agent.committedSequenceNumber;
}

export function heldAlert(agentId: string, record: OperationRecord, error: Error, alert: AlertEvent['alert'] = 'held'): AlertEvent {
  const { id, activity, saga } = record;
  const told = { type: 'alert', id: holdName(record), alert, agentId, operationId: id, activity, message: error.message, error } as const;
  return saga === undefined ? told : { ...told, saga };
}

function unknownOutcome({ activity, operation }: Run, cause: unknown): OutcomeUnknownError {
  const why =
    cause === undefined
      ? 'its process ended before it was known'
      : cause instanceof TimeoutError
        ? 'it took too long'
        : errorOf(cause).message;
  return new OutcomeUnknownError(`nobody knows whether activity "${activity.name}" was carried out: ${why}`, {
    hint: `Find out, then say so: statewarden holds done|retry|fail ${JSON.stringify(operation.record.id)}. If it may be run twice, pass its idempotencyKey on or say onUnknown: 'retry'.`,
    cause,
    operationId: operation.record.id,
  });
}

function withCause({ activity, operation }: Run, cause: unknown): OutcomeUnknownError {
  return new OutcomeUnknownError(`activity "${activity.name}" could not be reconciled: ${errorOf(cause).message}`, {
    hint: `Find out, then say so: statewarden holds done|retry|fail ${JSON.stringify(operation.record.id)}.`,
    cause,
    operationId: operation.record.id,
  });
}

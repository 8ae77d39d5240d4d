/**
 * Runs operations whose intent is durable: attempts, timeouts, retries, concurrency limits, reuse by the user's key. Outcomes
 * go back to the agent, which records them with the turn that takes them. A retry is written down before it is waited for, so that a
 * restart waits for the rest and does not begin to count again.
 */

import type { AnyActorLogic } from 'xstate';
import type { Permit } from '../breakers/contract.js';
import { encodeThrown } from '../core/codec.js';
import { CancelledError } from '../core/errors.js';
import { CompensationFailedError } from '../core/operation-errors.js';
import { failpoint } from '../core/failpoint.js';
import type { OperationRecord } from '../persistence/store.js';
import type { Agent } from '../actors/agent.js';
import { resolutionsOf, stopWaking, wakeAt, type Answer, type Asked } from '../actors/operation.js';
import type { Operation, OperationOutcome, OperationRunner, OperationTraits } from '../actors/operation.js';
import { activityOf, isActivity, type ResolvedActivity } from './activity.js';
import { Abort, activityEvent, attempted, begin, writeStarted, type ActivityPhase, type Told } from './attempt.js';
import { isApproval, lookAgain } from './approval.js';
import { isQuestion, unanswered } from './ask.js';
import { Doubt, inheritsDoubt, isCareful, mayBeDone } from './doubt.js';
import { Dispatching } from './dispatching.js';
import { Entrance } from './entrance.js';
import { guardOf, priorityOf } from './guarding.js';
import { Keyed } from './keyed.js';
import { deadlineOf, limited, limitOf, watchDeadline } from './limits.js';
import { isMonitor } from './monitor.js';
import { isForOthers } from './others.js';
import { Permits } from './permits.js';
import { askedMs, classOf, type FailureClass } from './failure-class.js';
import { Results } from './results.js';
import { backoffMs } from './retry.js';
import { newRun, type Run } from './run.js';
import type { RunnerOptions } from './runner-options.js';
import { isDoubtful, Sagas } from './saga/sagas.js';
import { traitsOf } from './traits.js';
import { monitoring, plain } from './unnamed.js';
import { endAll, whileAny } from './wind-down.js';

export class Runner implements OperationRunner {
  readonly results: Results;
  readonly #options: RunnerOptions;
  readonly dispatching: Dispatching;
  readonly #permits: Permits;
  readonly #runs = new Map<Operation, Run>();
  readonly #entrance: Entrance;
  readonly #keyed: Keyed;
  readonly #doubt: Doubt;
  readonly #sagas: Sagas;
  readonly #monitor: ResolvedActivity;
  #draining = false;
  #paused = false;
  #attemptEnded: () => void = () => undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.dispatching = new Dispatching(options);
    this.#permits = new Permits(options.budgets);
    const { clock, random, board, store } = options;
    this.#monitor = monitoring(options.ending);
    this.#entrance = new Entrance({
      clock,
      random,
      board,
      wanted: (run) => this.#wanted(run),
      parked: (run, breaker, nextRetryAt) => this.#report(run, 'parked', run.operation.record.attempts + 1, { breaker, nextRetryAt }),
      refused: (run, error) => this.#settle(run, { ok: false, error }),
    });
    const results = (this.results = new Results({
      ...options.results,
      clock,
      random,
      delayed: (run, error, nextRetryAt) => this.#report(run, 'keeping', run.operation.record.attempts + 1, { error, nextRetryAt }),
    }));
    this.#sagas = new Sagas({ store, clock, results, activities: options.activities });
    this.#doubt = new Doubt({
      clock,
      random,
      wanted: (run) => this.#wanted(run),
      begin: (run) => {
        this.#limit(run);
        if (this.#runs.has(run.operation)) this.#begin(run, false);
      },
      settle: (run, outcome) => this.#settle(run, outcome),
      report: (run, phase, told) => this.#report(run, phase, run.operation.record.attempts, told),
      wake: (run, at) => this.#wake(run, at),
      alert: options.alert,
    });
    this.#keyed = new Keyed({
      store,
      results,
      now: () => clock.now(),
      has: (run) => this.#runs.has(run.operation),
      enter: (run, resumed) => this.#enter(run, resumed),
      reused: (run, outcome) => {
        this.#permits.reused(run.operation);
        this.#report(run, 'reused', run.operation.record.attempts + 1);
        this.#settle(run, outcome);
      },
      lost: (run, error) => this.#doubt.hold(run, error),
      doubtful: (run, other) => this.#doubt.meetOther(run, other),
      failed: (run, error) => this.#settle(run, { ok: false, error }),
    });
  }

  traits(logic: AnyActorLogic, path: string): OperationTraits {
    return traitsOf(logic, path, this.#permits, this.#options.board.stages.size > 0);
  }

  start(agent: Agent, operation: Operation, resumed: boolean): void {
    if (this.#paused) return;
    const { record, logic } = operation;
    const named = isActivity(logic) ? activityOf(logic, record.activity) : this.#sagas.activityOf(agent, operation);
    const activity = named ?? (isMonitor(logic) ? this.#monitor : plain(operation));
    const doubt = (resumed && inheritsDoubt(operation, activity, this.#options.clock.now())) || isDoubtful(operation);
    const last = resolutionsOf(record).at(-1);
    const run = newRun(agent, operation, activity, this.#options.profiles.of(activity), doubt, last?.at ?? record.intendedAt);
    this.#runs.set(operation, run);
    if (isForOthers(run, resumed, this.#options.alert)) return;
    if (record.status === 'succeeded') {
      // Its machine could not take the outcome: it is told again.
      void this.results.reused(record, run).then(
        (outcome) => this.#settle(run, outcome),
        (error: unknown) => this.#doubt.meet(run, error),
      );
      return;
    }
    const isHeld = record.status === 'held';
    if (isHeld && this.#doubt.carryOut(run, last)) return;
    const proceed = (): void => (isHeld ? undefined : this.#proceed(run, resumed));
    // Who waits for an answer about it waits for as long as that takes.
    if (!isHeld && !this.#doubt.concerns(run)) this.#limit(run);
    if (!this.#runs.has(operation)) return;
    try {
      run.guard = guardOf(activity, operation, this.#options.board);
      run.priority = priorityOf(activity, operation) ?? run.profile.priority;
      if (!this.#permits.wait(run, resumed, proceed)) proceed();
    } catch (error) {
      this.#settle(run, { ok: false, error });
    }
  }

  #limit(run: Run): void {
    watchDeadline(this.#options.clock, run, (error) => {
      const failure = run.doubt ? 'partial' : 'transient';
      void this.#end(run, run.operation.record.attempts, { outcome: { ok: false, error }, failure, waited: true });
    });
  }

  /** With its permit, if it needs one. */
  #proceed(run: Run, resumed: boolean): void {
    const { nextRetryAt, parkedBy } = run.operation.record;
    if (parkedBy !== undefined) {
      // Its breaker says when; one that knows nothing of it is not to be trusted.
      this.#options.board.suspect(parkedBy);
      if (run.guard === undefined) this.#entrance.unpark(run);
      this.#begin(run, resumed);
      return;
    }
    const waitMs = nextRetryAt === undefined ? 0 : nextRetryAt - this.#options.clock.now();
    if (waitMs > 0) {
      // Whether its queue had the call before the crash nobody knows: it takes no second one.
      this.#wake(run, nextRetryAt as number);
    } else {
      stopWaking(run.agent, run.operation);
      this.#goOn(run, resumed);
    }
  }

  due(operation: Operation): void {
    const run = this.#runs.get(operation);
    if (run === undefined) return;
    if (isApproval(operation.logic)) lookAgain(run, this.#options.clock.now(), this.#options.alert);
    else if (isQuestion(operation.logic)) this.#settle(run, { ok: false, error: unanswered(operation.input) });
    else this.#goOn(run, false);
  }

  #goOn(run: Run, resumed: boolean): void {
    if (this.#doubt.concerns(run)) this.#doubt.goOn(run);
    else this.#begin(run, resumed);
  }

  mayBeDone(agent: Agent, operation: Operation): boolean {
    return mayBeDone(agent, operation, this.#runs.get(operation));
  }

  along(operation: Operation, outcome: OperationOutcome): OperationRecord | undefined {
    return this.#sagas.along(operation, outcome);
  }

  rest(operations: Iterable<Operation>): void {
    for (const operation of operations) {
      const run = this.#runs.get(operation);
      if (run !== undefined) this.#forget(run);
    }
  }

  answered(operation: Operation, { value, error, parked, resolution }: Answer): OperationOutcome | undefined {
    const run = this.#runs.get(operation);
    if (resolution !== undefined) return run && this.#doubt.ordered(run, resolution);
    if (parked !== undefined) return this.#entrance.ordered(operation, run, parked);
    if (this.#permits.answered(operation, error === undefined)) return undefined;
    return error === undefined ? { ok: true, value } : { ok: false, error };
  }

  settlement(operation: Operation, outcome: OperationOutcome | undefined): Asked | undefined {
    return this.#permits.settlement(operation, outcome);
  }

  cancel(operation: Operation): void {
    const run = this.#runs.get(operation);
    if (run === undefined) return;
    this.#forget(run);
    const { status, attempts } = run.operation.record;
    if (status === 'cancelled' || status === 'unknown') this.#report(run, status, attempts + 1);
    run.abort?.(
      new CancelledError(`activity "${run.activity.name}" is not wanted any more`, { hint: 'Its state was left or its agent ended.' }),
    );
  }

  /** Ends what runs, recording nothing, and begins nothing more: somebody else may have it by now. */
  pause(): void {
    this.#paused = true;
    this.#endAll('the term of its node is over');
  }

  /** What these agents have open goes on, as after a crash. */
  resume(agents: readonly Agent[]): void {
    this.#paused = false;
    for (const agent of agents) {
      const open = [...agent.operations.values()].filter(({ record }) => record.intendedIn <= agent.committedSequenceNumber);
      if (!agent.gone) for (const operation of open) this.start(agent, operation, true);
    }
  }

  /** Aborts everything that runs, recording nothing: for the end of the node. */
  abandon(): void {
    this.#entrance.close();
    this.#endAll('the runtime is closing');
  }

  #endAll(why: string): void {
    for (const run of [...this.#runs.values()]) {
      this.#forget(run);
      run.abort?.(new CancelledError(why, { hint: 'What becomes of the activity when it goes on, its onUnknown says.' }));
    }
  }

  /** Begins nothing more; resolves when the attempts that run have ended and are recorded, or after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    this.#entrance.close();
    // Whoever only waits for somebody else's end does so again at the next start.
    const running = (): boolean => [...this.#runs.values()].some((run) => run.abort !== undefined && run.activity !== this.#monitor);
    await whileAny(this.#options.clock, graceMs, running, (ended) => (this.#attemptEnded = ended));
  }

  /** How many wait for a breaker here. */
  waiting(breaker: string): number {
    return this.#entrance.waiting(breaker);
  }

  #begin(run: Run, resumed: boolean): void {
    const { userKey } = run.operation.record;
    if (run.activity.key !== undefined && userKey !== undefined) void this.#keyed.begin(run, userKey, resumed);
    else void this.#enter(run, resumed);
  }

  /** Attempts it when its activity's limit and its guard allow. */
  #enter(run: Run, resumed: boolean): Promise<void> {
    if (run.guard !== undefined) {
      return this.#entrance
        .enter(run, run.guard, resumed)
        .then((permit) => (permit === undefined ? undefined : this.#attempt(run, permit)));
    }
    const waiting = this.#entrance.place(run, resumed);
    return waiting === undefined ? this.#attempt(run) : waiting.then(() => this.#attempt(run));
  }

  halt(operations: Iterable<Operation>, graceMs: number): Promise<void> | undefined {
    const runs = [...operations].flatMap((operation) => this.#runs.get(operation) ?? []);
    for (const run of runs) this.#forget(run);
    return endAll(this.#options.clock, runs, graceMs);
  }

  #wanted(run: Run): boolean {
    return this.#runs.has(run.operation) && !this.#draining;
  }

  async #attempt(run: Run, permit?: Permit): Promise<void> {
    const { clock } = this.#options;
    const { agent, operation, activity } = run;
    const careful = isCareful(activity);
    if (careful && this.#wanted(run) && operation.record.status !== 'started') await writeStarted(run);
    const confirming = this.#options.confirmed();
    if (confirming !== undefined) await confirming;
    if (!this.#wanted(run)) {
      permit?.cancel();
      this.#entrance.leavePlace(run);
      if (careful && !run.doubt && this.#runs.has(operation)) agent.updateOperation(operation, { status: 'intended' });
      return;
    }
    const attempt = operation.record.attempts + 1;
    const abort = new Abort();
    run.abort = abort.now;
    run.startedAt = clock.elapsed();
    this.#permits.begun(operation);
    this.#report(run, 'started', attempt);
    failpoint('activity:begin');
    let outcome: OperationOutcome;
    try {
      const running = begin(run, attempt, abort);
      const limitMs = limitOf(run, clock.now());
      const value = limitMs === Infinity ? await running : await limited(clock, run, Promise.resolve(running), limitMs);
      outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    attempted(run, outcome);
    this.#entrance.leavePlace(run);
    const cancelled = !this.#runs.has(operation) || run.abort !== abort.now;
    if (permit !== undefined) this.#entrance.handBack(run.guard, permit, cancelled ? undefined : outcome);
    if (cancelled) return;
    run.abort = undefined;
    if (outcome.ok) {
      const ending = this.#end(run, attempt, { outcome });
      if (ending !== undefined) await ending;
    } else {
      const failure = classOf(outcome.error, activity);
      if (failure === 'partial') run.doubt = true;
      if (failure === 'partial' && careful && activity.caution.declared) {
        agent.updateOperation(operation, { attempts: attempt });
        this.#doubt.meet(run, outcome.error);
      } else if (failure === 'persistent' || attempt >= run.profile.attempts) void this.#end(run, attempt, { outcome, failure });
      else this.#retry(run, attempt, outcome, failure);
    }
    this.#attemptEnded();
  }

  /** Undefined when it has ended: no result of it is on its way. */
  #end(run: Run, attempt: number, told: Told & { readonly outcome: OperationOutcome }): Promise<void> | undefined {
    const { outcome } = told;
    if (outcome.ok && outcome.kept === undefined) {
      const ready = this.results.ready(run, outcome, (kept) => void this.#end(run, attempt, { ...told, outcome: kept }));
      return ready instanceof Promise ? ready : this.#end(run, attempt, { ...told, outcome: ready });
    }
    this.#report(run, outcome.ok ? 'succeeded' : outcome.unknown === true ? 'unknown' : 'failed', attempt, told);
    const last = outcome.ok ? undefined : run.activity.lastWord?.(outcome.error);
    if (last === undefined) this.#settle(run, outcome);
    else {
      run.agent.updateOperation(run.operation, { attempts: attempt });
      this.#doubt.hold(run, last, last instanceof CompensationFailedError ? 'compensation-failed' : 'held');
    }
    return undefined;
  }

  #retry(run: Run, failures: number, outcome: OperationOutcome & { readonly ok: false }, failure: FailureClass): void {
    const { clock, random } = this.#options;
    const nextRetryAt = clock.now() + Math.ceil(Math.max(askedMs(outcome.error, clock), backoffMs(run.profile, failures, random)));
    if (nextRetryAt >= deadlineOf(run)) {
      void this.#end(run, failures, { outcome, failure });
      return;
    }
    const status = isCareful(run.activity) && !run.doubt ? { status: 'intended' as const } : {};
    run.agent.updateOperation(run.operation, { ...status, attempts: failures, outcome: encodeThrown(outcome.error), nextRetryAt });
    this.#report(run, 'retrying', failures, { outcome, failure, nextRetryAt });
    this.#wake(run, nextRetryAt);
  }

  /** It is looked at again then: by its timer, and by the queue that its profile names. */
  #wake(run: Run, at: number): void {
    this.dispatching.put(run, at);
    wakeAt(run.agent, run.operation, at);
  }

  #settle(run: Run, outcome: OperationOutcome): void {
    if (!this.#runs.has(run.operation)) return;
    if (outcome.ok && outcome.kept === undefined) {
      const ready = this.results.ready(run, outcome, (kept) => this.#settle(run, kept));
      return ready instanceof Promise ? void ready.then(() => this.#attemptEnded()) : this.#settle(run, ready);
    }
    this.#forget(run);
    run.agent.settleOperation(run.operation, outcome.ok || !run.doubt ? outcome : { ...outcome, unknown: true });
  }

  #forget(run: Run): void {
    this.#runs.delete(run.operation);
    run.stop?.();
    if (run.deadline !== undefined) this.#options.clock.clearTimeout(run.deadline);
    run.deadline = undefined;
    this.#entrance.forget(run);
    this.dispatching.forget(run);
  }

  #report(run: Run, phase: ActivityPhase, attempt: number, told: Told = {}): void {
    this.dispatching.changed(run.agent);
    if (this.#options.observed()) this.#options.tell(activityEvent(this.#options.clock, run, phase, attempt, told));
  }
}

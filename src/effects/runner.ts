/**
 * Runs operations whose intent is durable: attempts, timeouts, retries, concurrency limits, reuse by the user's key. Outcomes
 * go back to the agent, which records them with the turn that takes them. A retry is written down before it is waited for, so that a
 * restart waits for the rest and does not begin to count again.
 */

import type { AnyActorLogic } from 'xstate';
import type { BreakerBoard } from '../breakers/board.js';
import type { Permit } from '../breakers/contract.js';
import { encodeThrown, errorOf } from '../core/codec.js';
import type { Clock, TimerHandle } from '../core/clock.js';
import { CancelledError, TimeoutError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { Random } from '../core/random.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { OpenedStore } from '../persistence/store.js';
import type { Agent } from '../actors/agent.js';
import type { WithoutTime } from '../actors/host.js';
import type { Answer, Asked, Operation, OperationOutcome, OperationRunner, OperationTraits } from '../actors/operation.js';
import { activityOf, isActivity, type ResolvedActivity } from './activity.js';
import { isQuestion, type Question } from './ask.js';
import { isSpending } from './budget/spend.js';
import { Entrance } from './entrance.js';
import { guardOf, priorityOf } from './guarding.js';
import { Keyed } from './keyed.js';
import { deadlineOf, limited, limitOf, watchDeadline } from './limits.js';
import { isMonitor, type Down } from './monitor.js';
import { Permits } from './permits.js';
import { askedMs, classOf, type FailureClass } from './failure-class.js';
import type { Profiles } from './profiles.js';
import { backoffMs } from './retry.js';
import type { Run } from './run.js';
import { traitsOf } from './traits.js';
import { monitoring, plain } from './unnamed.js';

export interface RunnerOptions {
  readonly store: Pick<OpenedStore, 'succeeded'>;
  readonly clock: Clock;
  readonly random: Random;
  /** Resolves when an agent has ended, or has failed since a time. */
  readonly ending: (id: string, since: number, signal: AbortSignal) => Promise<Down>;
  readonly tell: (event: WithoutTime<RuntimeEvent>) => void;
  readonly observed: () => boolean;
  /** Names of those that are declared. */
  readonly budgets: ReadonlySet<string>;
  readonly board: BreakerBoard;
  readonly profiles: Profiles;
}

/** Longest that an error (a breaker's, or a service's `Retry-After`) may ask it to wait before it is tried again. */
const longestPauseMs = 60_000;

/** What is told of an attempt besides that it was. */
interface Told {
  readonly outcome?: OperationOutcome;
  /** It ended while no attempt ran. */
  readonly waited?: boolean;
  readonly failure?: FailureClass | undefined;
  readonly nextRetryAt?: number | undefined;
  readonly breaker?: string;
}

type ActivityPhase = Extract<RuntimeEvent, { type: 'activity' }>['phase'];

export class Runner implements OperationRunner {
  readonly #options: RunnerOptions;
  readonly #permits: Permits;
  readonly #runs = new Map<Operation, Run>();
  readonly #entrance: Entrance;
  readonly #keyed: Keyed;
  readonly #monitor: ResolvedActivity;
  #draining = false;
  #attemptEnded: () => void = () => undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
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
    this.#keyed = new Keyed({
      store,
      has: (run) => this.#runs.has(run.operation),
      enter: (run, resumed) => this.#enter(run, resumed),
      reused: (run, value) => {
        this.#permits.reused(run.operation);
        this.#report(run, 'reused', run.operation.record.attempts + 1);
        this.#settle(run, { ok: true, value });
      },
      failed: (run, error) => this.#settle(run, { ok: false, error }),
    });
  }

  traits(logic: AnyActorLogic, path: string): OperationTraits {
    return traitsOf(logic, path, this.#permits);
  }

  start(agent: Agent, operation: Operation, resumed: boolean): void {
    const { clock } = this.#options;
    const { record, logic } = operation;
    const activity = isActivity(logic) ? activityOf(logic, record.activity) : isMonitor(logic) ? this.#monitor : plain(operation);
    const nothing = { abort: undefined, timer: undefined, deadline: undefined, guard: undefined, priority: undefined, parked: undefined };
    const run: Run = { agent, operation, activity, profile: this.#options.profiles.of(activity), startedAt: 0, ...nothing };
    this.#runs.set(operation, run);
    if (isSpending(logic)) return;
    if (isQuestion(logic)) {
      this.#limitQuestion(run);
      return;
    }
    const proceed = (): void => this.#proceed(run, resumed);
    watchDeadline(clock, run, (error) => {
      // With no attempt behind it nothing was done; one of an earlier life may have come to nobody's knowledge.
      const failure = operation.record.attempts === 0 && !resumed ? 'transient' : 'partial';
      this.#end(run, operation.record.attempts, { outcome: { ok: false, error }, failure, waited: true });
    });
    if (!this.#runs.has(operation)) return;
    try {
      run.guard = guardOf(activity, operation, this.#options.board);
      run.priority = priorityOf(activity, operation) ?? run.profile.priority;
      if (!this.#permits.wait(run, resumed, proceed)) proceed();
    } catch (error) {
      this.#settle(run, { ok: false, error });
    }
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
    if (waitMs > 0) this.#after(run, waitMs, () => this.#begin(run, resumed));
    else this.#begin(run, resumed);
  }

  answered(operation: Operation, { value, error, parked }: Answer): OperationOutcome | undefined {
    if (parked !== undefined) return this.#entrance.ordered(operation, this.#runs.get(operation), parked);
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
    if (run.operation.record.status === 'cancelled') this.#report(run, 'cancelled', run.operation.record.attempts + 1);
    run.abort?.(
      new CancelledError(`activity "${run.activity.name}" is not wanted any more`, { hint: 'Its state was left or its agent ended.' }),
    );
  }

  /** Aborts everything that runs, recording nothing: for the end of the node. */
  abandon(): void {
    this.#entrance.close();
    for (const run of [...this.#runs.values()]) {
      this.#forget(run);
      run.abort?.(new CancelledError('the runtime is closing', { hint: 'The activity runs again when it is started.' }));
    }
  }

  /** Begins nothing more; resolves when the attempts that run have ended and are recorded, or after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    this.#entrance.close();
    const { clock } = this.#options;
    const until = clock.elapsed() + graceMs;
    for (;;) {
      // Whoever only waits for somebody else's end does so again at the next start.
      const running = [...this.#runs.values()].filter((run) => run.abort !== undefined && run.activity !== this.#monitor);
      if (running.length === 0 || clock.elapsed() >= until) return;
      await new Promise<void>((resolve) => {
        const handle = clock.setTimeout(resolve, until - clock.elapsed());
        this.#attemptEnded = () => {
          clock.clearTimeout(handle);
          resolve();
        };
      });
    }
  }

  /** How many operations run, wait for their turn, or wait to be tried again. */
  get size(): number {
    return this.#runs.size;
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
    const ends: Promise<void>[] = [];
    for (const operation of operations) {
      const run = this.#runs.get(operation);
      if (run === undefined) continue;
      this.#forget(run);
      if (run.abort === undefined) continue;
      ends.push(new Promise((resolve) => (run.ended = resolve)));
      run.abort(
        new CancelledError(`activity "${run.activity.name}" was told to end: its agent goes down`, {
          hint: 'It is run again, with the same idempotency key, when the agent comes back.',
        }),
      );
    }
    if (ends.length === 0) return undefined;
    const { clock } = this.#options;
    let handle: TimerHandle;
    const late = new Promise<void>((resolve) => {
      if (graceMs !== Infinity) handle = clock.setTimeout(resolve, graceMs);
    });
    const all = Promise.all(ends).then(() => undefined);
    return Promise.race([all, late]).finally(() => clock.clearTimeout(handle));
  }

  #wanted(run: Run): boolean {
    return this.#runs.has(run.operation) && !this.#draining;
  }

  async #attempt(run: Run, permit?: Permit): Promise<void> {
    const { clock } = this.#options;
    const { agent, operation, activity } = run;
    if (!this.#wanted(run)) {
      permit?.cancel();
      this.#entrance.leavePlace(run);
      return;
    }
    const attempt = operation.record.attempts + 1;
    // A controller costs more than the rest of an attempt: it is made for those that look at the signal.
    let controller: AbortController | undefined;
    let aborted: Error | undefined;
    const abort = (reason: Error): void => {
      aborted = reason;
      controller?.abort(reason);
    };
    run.abort = abort;
    run.startedAt = clock.elapsed();
    this.#permits.begun(operation);
    this.#report(run, 'started', attempt);
    failpoint('activity:begin');
    let outcome: OperationOutcome;
    try {
      const running = activity.run(operation.input, {
        get signal() {
          if (controller === undefined) {
            controller = new AbortController();
            if (aborted !== undefined) controller.abort(aborted);
          }
          return controller.signal;
        },
        idempotencyKey: operation.record.userKey ?? operation.record.id,
        attempt,
        agentId: agent.id,
        operationId: operation.record.id,
        intendedAt: operation.record.intendedAt,
        heartbeat: () => {
          agent.beats += 1;
        },
      });
      const limitMs = limitOf(run, clock.now());
      const value = limitMs === Infinity ? await running : await limited(clock, run, Promise.resolve(running), limitMs);
      outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    failpoint('activity:end');
    run.ended?.();
    this.#entrance.leavePlace(run);
    const cancelled = !this.#runs.has(operation) || run.abort !== abort;
    if (permit !== undefined) this.#entrance.handBack(run.guard, permit, cancelled ? undefined : outcome);
    if (cancelled) return;
    run.abort = undefined;
    if (outcome.ok) this.#end(run, attempt, { outcome });
    else {
      const failure = classOf(outcome.error, activity.classify);
      if (failure === 'persistent' || attempt >= run.profile.attempts) this.#end(run, attempt, { outcome, failure });
      else this.#retry(run, attempt, outcome, failure);
    }
    this.#attemptEnded();
  }

  #end(run: Run, attempt: number, told: Told & { readonly outcome: OperationOutcome }): void {
    this.#report(run, told.outcome.ok ? 'succeeded' : 'failed', attempt, told);
    this.#settle(run, told.outcome);
  }

  #retry(run: Run, failures: number, outcome: OperationOutcome & { readonly ok: false }, failure: FailureClass): void {
    const { clock, random } = this.#options;
    const { error } = outcome;
    const waitMs = Math.max(Math.min(askedMs(error, clock), longestPauseMs), backoffMs(run.profile, failures, random));
    const nextRetryAt = clock.now() + Math.ceil(waitMs);
    if (nextRetryAt >= deadlineOf(run)) {
      this.#end(run, failures, { outcome, failure });
      return;
    }
    run.agent.updateOperation(run.operation, { attempts: failures, outcome: encodeThrown(outcome.error), nextRetryAt });
    this.#report(run, 'retrying', failures, { outcome, failure, nextRetryAt });
    this.#after(run, waitMs, () => this.#begin(run, false));
  }

  #settle(run: Run, outcome: OperationOutcome): void {
    if (!this.#runs.has(run.operation)) return;
    this.#forget(run);
    run.agent.settleOperation(run.operation, outcome);
  }

  #limitQuestion(run: Run): void {
    const { to, timeoutMs } = run.operation.input as Question;
    if (timeoutMs === undefined) return;
    const { clock } = this.#options;
    const left = run.operation.record.intendedAt + timeoutMs - clock.now();
    this.#after(run, Math.max(0, left), () => {
      const error = new TimeoutError(`agent "${to}" did not answer within ${String(timeoutMs)} ms`, {
        hint: 'Look at it with `statewarden show`; its machine answers with reply(…).',
      });
      this.#settle(run, { ok: false, error });
    });
  }

  #after(run: Run, ms: number, callback: () => void): void {
    run.timer = this.#options.clock.setTimeout(() => {
      run.timer = undefined;
      if (this.#runs.has(run.operation)) callback();
    }, ms);
  }

  #forget(run: Run): void {
    this.#runs.delete(run.operation);
    if (run.timer !== undefined) this.#options.clock.clearTimeout(run.timer);
    run.timer = undefined;
    if (run.deadline !== undefined) this.#options.clock.clearTimeout(run.deadline);
    run.deadline = undefined;
    this.#entrance.forget(run);
  }

  #report(run: Run, phase: ActivityPhase, attempt: number, { outcome, waited, failure, nextRetryAt, breaker }: Told = {}): void {
    if (!this.#options.observed()) return;
    this.#options.tell({
      type: 'activity',
      agentId: run.agent.id,
      activity: run.activity.name,
      operationId: run.operation.record.id,
      phase,
      attempt,
      ...(outcome === undefined || waited === true ? {} : { durationMs: this.#options.clock.elapsed() - run.startedAt }),
      ...(nextRetryAt === undefined ? {} : { nextRetryAt }),
      ...(breaker === undefined ? {} : { breaker }),
      ...(failure === undefined ? {} : { failure }),
      ...(outcome === undefined || outcome.ok ? {} : { error: errorOf(outcome.error) }),
    });
  }
}

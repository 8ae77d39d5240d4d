/**
 * Runs operations whose intent is durable: attempts, timeouts, retries, concurrency limits, reuse by the user's key. Outcomes
 * go back to the agent, which records them with the turn that takes them. A retry is written down before it is waited for, so that a
 * restart waits for the rest and does not begin to count again.
 */

import type { AnyActorLogic } from 'xstate';
import type { BreakerBoard } from '../breakers/board.js';
import type { Guard, Permit } from '../breakers/contract.js';
import { decode, encodeThrown, errorOf } from '../core/codec.js';
import type { Clock, TimerHandle } from '../core/clock.js';
import { BreakerOpenError, CancelledError, TimeoutError } from '../core/errors.js';
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
import { isMonitor, type Down, type Monitored } from './monitor.js';
import { callOf, freeLeave, guardOf } from './guarding.js';
import { Lanes } from './lanes.js';
import { Parking, type Parked, type Refused } from './parking.js';
import { Permits } from './permits.js';
import { backoffMs, isTerminal, resolveRetry, TerminalError } from './retry.js';
import { traitsOf } from './traits.js';

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
}

interface Run {
  readonly agent: Agent;
  readonly operation: Operation;
  readonly activity: ResolvedActivity;
  /** Of the attempt that runs now; aborts its signal. */
  abort: ((reason: Error) => void) | undefined;
  timer: TimerHandle;
  startedAt: number;
  /** Told when the attempt that runs has ended, whatever came of it. */
  ended?: () => void;
  guard: Guard | undefined;
  /** It waits for its guard. */
  parked: (Parked & { readonly go: (permit: Permit | undefined) => void }) | undefined;
}

/** Longest that an activity's own breaker may ask it to wait before it is tried again. */
const longestPauseMs = 60_000;

type ActivityPhase = Extract<RuntimeEvent, { type: 'activity' }>['phase'];

export class Runner implements OperationRunner {
  readonly #options: RunnerOptions;
  readonly #permits: Permits;
  readonly #runs = new Map<Operation, Run>();
  readonly #lanes = new Lanes();
  readonly #parking: Parking;
  /** Let go by a person before they waited again. */
  readonly #freed = new WeakSet<Operation>();
  /** Operations with a user key that run now: others with the same key wait for them. */
  readonly #keyed = new Map<string, Promise<OperationOutcome>>();

  readonly #monitor: ResolvedActivity = {
    name: 'monitor',
    run: (input, { intendedAt, signal }) => {
      const id = (input as Monitored | undefined)?.id;
      if (typeof id === 'string' && id !== '') return this.#options.ending(id, intendedAt, signal);
      throw new TerminalError(`monitor() was given ${JSON.stringify(input) ?? 'nothing'}: give its input as { id: 'the agent' }`);
    },
    retry: resolveRetry({ attempts: Infinity, maximumMs: 5_000 }, 'monitor'),
    timeoutMs: undefined,
    concurrency: Infinity,
    key: undefined,
  };
  #draining = false;
  #attemptEnded: () => void = () => undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#permits = new Permits(options.budgets);
    this.#parking = new Parking(options.clock, options.random);
    options.board.changes$.subscribe(() => this.#parking.changed());
  }

  traits(logic: AnyActorLogic, path: string): OperationTraits {
    return traitsOf(logic, path, this.#permits);
  }

  start(agent: Agent, operation: Operation, resumed: boolean): void {
    const { record, logic } = operation;
    const activity = isActivity(logic) ? activityOf(logic, record.activity) : isMonitor(logic) ? this.#monitor : plain(operation);
    const run: Run = { agent, operation, activity, abort: undefined, timer: undefined, startedAt: 0, guard: undefined, parked: undefined };
    this.#runs.set(operation, run);
    if (isSpending(logic)) return;
    if (isQuestion(logic)) {
      this.#limitQuestion(run);
      return;
    }
    const proceed = (): void => this.#proceed(run, resumed);
    try {
      run.guard = guardOf(activity, operation, this.#options.board);
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
      this.#options.board.obtain(parkedBy)?.suspect();
      this.#begin(run, resumed);
      return;
    }
    const waitMs = nextRetryAt === undefined ? 0 : nextRetryAt - this.#options.clock.now();
    if (waitMs > 0) this.#after(run, waitMs, () => this.#begin(run, resumed));
    else this.#begin(run, resumed);
  }

  answered(operation: Operation, { value, error, parked }: Answer): OperationOutcome | undefined {
    if (parked !== undefined) return this.#ordered(operation, parked);
    if (this.#permits.answered(operation, error === undefined)) return undefined;
    return error === undefined ? { ok: true, value } : { ok: false, error };
  }

  /** A person's word on one that waits for its breaker; on any other it means nothing any more. */
  #ordered(operation: Operation, order: 'release' | 'cancel'): OperationOutcome | undefined {
    const { activity, parkedBy } = operation.record;
    if (parkedBy === undefined) return undefined;
    if (order === 'cancel') {
      return {
        ok: false,
        error: new CancelledError(`activity "${activity}" was cancelled while it waited for breaker "${parkedBy}"`, {
          hint: 'Somebody did so with `statewarden breakers cancel` or runtime.breakers.cancel(); the call was not made.',
        }),
      };
    }
    const parked = this.#runs.get(operation)?.parked;
    if (parked === undefined) this.#freed.add(operation);
    else if (this.#parking.leave(parked)) parked.go(freeLeave);
    return undefined;
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
    for (const run of [...this.#runs.values()]) {
      this.#forget(run);
      run.abort?.(new CancelledError('the runtime is closing', { hint: 'The activity runs again when it is started.' }));
    }
  }

  /** Begins nothing more; resolves when the attempts that run have ended and are recorded, or after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
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

  #begin(run: Run, resumed: boolean): void {
    if (run.activity.key !== undefined && run.operation.record.userKey !== undefined) {
      void this.#beginKeyed(run, run.operation.record.userKey, resumed);
      return;
    }
    void this.#enter(run, resumed);
  }

  /** Attempts it when its activity's limit and its guard allow. */
  #enter(run: Run, resumed: boolean): Promise<void> {
    if (run.guard !== undefined) return this.#enterGuarded(run, run.guard, resumed);
    const { concurrency, name } = run.activity;
    // A resumed operation was begun before those that wait.
    const waiting = this.#lanes.enter(name, concurrency, resumed);
    return waiting === undefined ? this.#attempt(run) : waiting.then(() => this.#attempt(run));
  }

  /** A place first, then leave: who waits for leave takes nobody's place. */
  async #enterGuarded(run: Run, guard: Guard, resumed: boolean): Promise<void> {
    const { concurrency, name } = run.activity;
    let permit: Permit | undefined;
    for (;;) {
      const waiting = this.#lanes.enter(name, concurrency, resumed);
      if (waiting !== undefined) {
        permit?.cancel();
        permit = undefined;
        await waiting;
      }
      if (permit !== undefined || !this.#wanted(run)) break;
      const asked = this.#freed.delete(run.operation) ? freeLeave : this.#parking.ask(guard, callOf(run));
      if ('refused' in asked) {
        permit = asked;
        break;
      }
      this.#lanes.leave(name, concurrency);
      permit = await this.#park(run, guard, asked);
      if (permit === undefined) return;
    }
    await this.#attempt(run, permit);
  }

  /** Leave, once there is some; undefined: it is not wanted any more, or has failed. */
  #park(run: Run, guard: Guard, { by, retryAfterMs, error }: Refused): Promise<Permit | undefined> | undefined {
    const { agent, operation, activity } = run;
    if (activity.guarding?.whenOpen === 'fail') {
      this.#settle(run, { ok: false, error: error() });
      return undefined;
    }
    const nextRetryAt = retryAfterMs === Infinity ? undefined : this.#options.clock.now() + Math.ceil(retryAfterMs);
    agent.updateOperation(operation, { parkedBy: by, nextRetryAt });
    failpoint('parking:park');
    this.#report(run, 'parked', operation.record.attempts + 1, undefined, nextRetryAt, by);
    return new Promise((resolve) => {
      const go = (permit: Permit | undefined): void => {
        run.parked = undefined;
        if (permit !== undefined) {
          failpoint('parking:go');
          agent.updateOperation(operation, { parkedBy: undefined, nextRetryAt: undefined });
        }
        resolve(permit);
      };
      const call = callOf(run);
      run.parked = { caller: agent.id, priority: call.priority ?? 'normal', guard, call, go };
      this.#parking.wait(run.parked);
    });
  }

  async #beginKeyed(run: Run, userKey: string, resumed: boolean): Promise<void> {
    const { name } = run.activity;
    const slot = `${name} ${userKey}`;
    for (let other = this.#keyed.get(slot); other !== undefined; other = this.#keyed.get(slot)) await other;
    if (!this.#runs.has(run.operation)) return;
    let release: (outcome: OperationOutcome) => void = () => undefined;
    this.#keyed.set(slot, new Promise((resolve) => (release = resolve)));
    try {
      const known = await this.#options.store.succeeded(name, userKey);
      if (known?.outcome !== undefined && this.#runs.has(run.operation)) {
        this.#permits.reused(run.operation);
        this.#report(run, 'reused', run.operation.record.attempts + 1);
        this.#settle(run, { ok: true, value: decode(known.outcome) });
        return;
      }
      await this.#enter(run, resumed);
    } catch (error) {
      this.#settle(run, { ok: false, error });
    } finally {
      this.#keyed.delete(slot);
      release({ ok: true, value: undefined });
    }
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
      this.#leaveLane(run);
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
      const value = activity.timeoutMs === undefined ? await running : await this.#limit(run, Promise.resolve(running), activity.timeoutMs);
      outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    failpoint('activity:end');
    run.ended?.();
    this.#leaveLane(run);
    const cancelled = !this.#runs.has(operation) || run.abort !== abort;
    if (permit !== undefined) this.#handBack(run, permit, cancelled ? undefined : outcome);
    if (cancelled) return;
    run.abort = undefined;
    if (outcome.ok || attempt >= activity.retry.attempts || isTerminal(outcome.error)) {
      this.#report(run, outcome.ok ? 'succeeded' : 'failed', attempt, outcome);
      this.#settle(run, outcome);
    } else this.#retry(run, attempt, outcome);
    this.#attemptEnded();
  }

  #handBack(run: Run, permit: Permit, outcome: OperationOutcome | undefined): void {
    if (outcome === undefined) permit.cancel();
    else permit.settle(outcome);
    if (run.guard !== undefined) this.#parking.ended(run.guard);
  }

  #retry(run: Run, failures: number, outcome: OperationOutcome & { readonly ok: false }): void {
    const { clock, random } = this.#options;
    const { error } = outcome;
    const asked = error instanceof BreakerOpenError ? Math.min(error.retryAfterMs, longestPauseMs) : 0;
    const waitMs = Math.max(asked, backoffMs(run.activity.retry, failures, random));
    const nextRetryAt = clock.now() + Math.ceil(waitMs);
    run.agent.updateOperation(run.operation, { attempts: failures, outcome: encodeThrown(outcome.error), nextRetryAt });
    this.#report(run, 'retrying', failures, outcome, nextRetryAt);
    this.#after(run, waitMs, () => this.#begin(run, false));
  }

  #settle(run: Run, outcome: OperationOutcome): void {
    if (!this.#runs.has(run.operation)) return;
    this.#forget(run);
    run.agent.settleOperation(run.operation, outcome);
  }

  async #limit(run: Run, running: Promise<unknown>, timeoutMs: number): Promise<unknown> {
    const { clock } = this.#options;
    running.catch(() => undefined); // its late failure has been answered by the time limit
    let handle: TimerHandle;
    const expired = new Promise<never>((_, reject) => {
      handle = clock.setTimeout(() => {
        const error = new TimeoutError(`activity "${run.activity.name}" took longer than ${String(timeoutMs)} ms`, {
          hint: 'Raise timeoutMs, or find out why the other side is slow; the call may still have had its effect.',
        });
        run.abort?.(error);
        reject(error);
      }, timeoutMs);
    });
    try {
      return await Promise.race([running, expired]);
    } finally {
      clock.clearTimeout(handle);
    }
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

  #leaveLane({ activity: { name, concurrency } }: Run): void {
    this.#lanes.leave(name, concurrency);
  }

  #forget(run: Run): void {
    this.#runs.delete(run.operation);
    if (run.timer !== undefined) this.#options.clock.clearTimeout(run.timer);
    run.timer = undefined;
    const { parked } = run;
    if (parked === undefined) return;
    this.#parking.leave(parked);
    parked.go(undefined);
  }

  #report(run: Run, phase: ActivityPhase, attempt: number, outcome?: OperationOutcome, nextRetryAt?: number, breaker?: string): void {
    if (!this.#options.observed()) return;
    this.#options.tell({
      type: 'activity',
      agentId: run.agent.id,
      activity: run.activity.name,
      operationId: run.operation.record.id,
      phase,
      attempt,
      ...(outcome === undefined ? {} : { durationMs: this.#options.clock.elapsed() - run.startedAt }),
      ...(nextRetryAt === undefined ? {} : { nextRetryAt }),
      ...(breaker === undefined ? {} : { breaker }),
      ...(outcome === undefined || outcome.ok ? {} : { error: errorOf(outcome.error) }),
    });
  }
}

/** A plain `fromPromise`: its creator is called as XState would call it. */
function plain(operation: Operation): ResolvedActivity {
  const creator = (operation.logic as unknown as { config: (argument: object) => unknown }).config;
  const { actor } = operation;
  const base = activityOf(operation.logic, operation.record.activity);
  return {
    ...base,
    run: (input, context) =>
      creator({
        input,
        self: actor,
        system: actor.system,
        get signal() {
          return context.signal;
        },
        emit: () => undefined,
      }),
  };
}

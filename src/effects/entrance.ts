/**
 * What an operation passes before an attempt: a place, where its activity has a limit, and leave, where it is guarded. A place first, then leave: who waits for leave takes nobody's place. Who gets none is parked: that is
 * written with the agent's next commit, and again when it goes.
 */

import type { Operation, OperationOutcome } from '../actors/operation.js';
import type { BreakerBoard } from '../breakers/board.js';
import type { Guard, Permit } from '../breakers/contract.js';
import type { Clock } from '../core/clock.js';
import { CancelledError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { Random } from '../core/random.js';
import { callOf, freeLeave } from './guarding.js';
import { Lanes } from './lanes.js';
import { Parking, type Refused } from './parking.js';
import type { Run } from './run.js';

export interface EntranceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly board: BreakerBoard;
  /** Whether an attempt is still to be made. */
  readonly wanted: (run: Run) => boolean;
  readonly parked: (run: Run, by: string, nextRetryAt: number | undefined) => void;
  /** Of `whenOpen: 'fail'`. */
  readonly refused: (run: Run, error: Error) => void;
}

export class Entrance {
  readonly #options: EntranceOptions;
  readonly #lanes = new Lanes();
  readonly #parking: Parking;
  /** Let go by a person before they waited again. */
  readonly #freed = new WeakSet<Operation>();

  constructor(options: EntranceOptions) {
    this.#options = options;
    this.#parking = new Parking(options.clock, options.random);
    options.board.changes$.subscribe(() => this.#parking.changed());
  }

  /** Takes a place; undefined: there was one. Else resolves when there is. A resumed operation was begun before those that wait. */
  place({ activity: { name, concurrency }, priority }: Run, resumed: boolean): Promise<void> | undefined {
    return this.#lanes.enter(name, concurrency, resumed, priority ?? 'normal');
  }

  leavePlace({ activity: { name, concurrency } }: Run): void {
    this.#lanes.leave(name, concurrency);
  }

  /** A place and leave, whenever there is both; undefined, with neither: it is not wanted any more, or has failed. */
  async enter(run: Run, guard: Guard, resumed: boolean): Promise<Permit | undefined> {
    let permit: Permit | undefined;
    for (;;) {
      const waiting = this.place(run, resumed);
      if (waiting !== undefined) {
        if (permit !== freeLeave) {
          permit?.cancel();
          permit = undefined;
        }
        await waiting;
      }
      if (!this.#options.wanted(run)) {
        permit?.cancel();
        this.leavePlace(run);
        return undefined;
      }
      if (permit !== undefined) return permit;
      const asked = this.#freed.delete(run.operation) ? freeLeave : this.#parking.ask(guard, callOf(run));
      if ('refused' in asked) {
        this.unpark(run);
        return asked;
      }
      this.leavePlace(run);
      permit = await this.#park(run, guard, asked);
      if (permit === undefined) return undefined;
    }
  }

  /** It does not wait any more, now or from an earlier life. */
  unpark({ agent, operation }: Run): void {
    if (operation.record.parkedBy === undefined) return;
    failpoint('parking:go');
    agent.updateOperation(operation, { parkedBy: undefined, nextRetryAt: undefined });
  }

  /** An attempt has ended; undefined: its outcome is nobody's. */
  handBack(guard: Guard | undefined, permit: Permit, outcome: OperationOutcome | undefined): void {
    if (outcome === undefined) permit.cancel();
    else permit.settle(outcome);
    if (guard !== undefined) this.#parking.ended(guard);
  }

  /** A person's word on one that waits for its breaker; on any other it means nothing any more. */
  ordered(operation: Operation, run: Run | undefined, order: 'release' | 'cancel'): OperationOutcome | undefined {
    const { activity, parkedBy } = operation.record;
    if (parkedBy === undefined) return undefined;
    if (order === 'cancel') {
      return {
        ok: false,
        error: new CancelledError(`activity "${activity}" was cancelled while it waited for breaker "${parkedBy}"`, {
          hint: 'Somebody did so with `statewarden breakers cancel` or runtime.breakers.cancelParked(); the call was not made.',
        }),
      };
    }
    const parked = run?.parked;
    if (parked === undefined) this.#freed.add(operation);
    else if (this.#parking.leave(parked)) parked.go(freeLeave);
    return undefined;
  }

  /** It is not wanted any more. */
  forget({ parked }: Run): void {
    if (parked === undefined) return;
    this.#parking.leave(parked);
    parked.go(undefined);
  }

  /** How many wait for a breaker here. */
  waiting(breaker: string): number {
    return this.#parking.waiting(breaker);
  }

  /** Lets nobody in any more: those who wait do so in the next life. */
  close(): void {
    this.#parking.clear();
  }

  /** Leave, once there is some; undefined: it is not wanted any more, or has failed. */
  #park(run: Run, guard: Guard, { by, retryAfterMs, error }: Refused): Promise<Permit | undefined> | undefined {
    const { agent, operation, activity } = run;
    if (activity.guarding?.whenOpen === 'fail') {
      this.#options.refused(run, error());
      return undefined;
    }
    const nextRetryAt = retryAfterMs === Infinity ? undefined : this.#options.clock.now() + Math.ceil(retryAfterMs);
    agent.updateOperation(operation, { parkedBy: by, nextRetryAt });
    failpoint('parking:park');
    this.#options.parked(run, by, nextRetryAt);
    return new Promise((resolve) => {
      const go = (permit: Permit | undefined): void => {
        run.parked = undefined;
        if (permit !== undefined) this.unpark(run);
        resolve(permit);
      };
      const call = callOf(run);
      run.parked = { caller: agent.id, priority: call.priority ?? 'normal', by, guard, call, go };
      this.#parking.wait(run.parked);
    });
  }
}

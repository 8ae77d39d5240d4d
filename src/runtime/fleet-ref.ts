/** A fleet as code sees it: it is given jobs, looked at, and told how many members to have. What it is told is an event of its agent, answered when it has come true. */

import { Observable } from '../core/observables.js';
import type { AnyStateMachine, EventFrom } from 'xstate';
import type { Agent } from '../actors/agent.js';
import { BadInputError, MailboxFullError, SupervisionError } from '../core/errors.js';
import { checkSize } from '../supervisor/fleet/options.js';
import { isQueued } from '../supervisor/fleet/queue.js';
import { statusOf, type FleetEvent, type FleetState, type FleetStatus, type JobResult } from '../supervisor/fleet/state.js';
import { fleetType, type FleetCarrier, type Mind } from '../supervisor/mind.js';
import type { CallError } from '../supervisor/state.js';
import { JobWaits } from './job-waits.js';
import { checkId } from './kinds.js';
import type { Node } from './node.js';
import type { ResolvedOptions } from './options.js';
import { Reference } from './reference.js';
import { mindOf } from './supervision.js';
import { callFailed, present } from './supervisor-presence.js';

export interface JobRef<TOutput = unknown> {
  readonly id: string;
  /** What the member answered with `reply(…)`, or its output when the job was its end. @throws why it failed; BadInputError when nothing is known of it */
  result(): Promise<TOutput>;
}

export interface ProgressOptions {
  /** Called about ten times a second until it is done. */
  readonly onProgress?: (status: FleetStatus) => void;
}

export interface FleetRef<TMachine extends AnyStateMachine = AnyStateMachine, TOutput = unknown> {
  readonly id: string;
  /**
   * Hands in a job: an event for a member. Resolves once it is durable. The same `id` twice is one job.
   * @throws BadEventError, NotSerializableError, EventTooLargeError, SupervisionError when there is no such fleet
   */
  submit(event: EventFrom<TMachine>, options?: { readonly id?: string }): Promise<JobRef<TOutput>>;
  /** A job that was handed in before. */
  job(id: string): JobRef<TOutput>;
  /** The results that are kept, oldest first, and then each as it becomes durable. */
  readonly results$: Observable<JobResult<TOutput>>;
  status(): Promise<FleetStatus>;
  /** The current one, and then each that is another. */
  readonly status$: Observable<FleetStatus>;
  /** How many members there are to be. Resolves when they are up; members that are too many go when they have no job. @throws BadInputError, SupervisionError */
  resize(size: number, options?: ProgressOptions): Promise<void>;
  /** Begins no job that is handed in from now on. Resolves when all others have ended. */
  drain(options?: ProgressOptions): Promise<void>;
  /** Takes up work again after `drain`. */
  open(): Promise<void>;
  /**
   * Stops each member when it has no job and starts it with the machine that is registered now: its state is migrated, or it begins anew. Resolves when all had their turn.
   * @throws SupervisionError when one does not come up: the others stay as they are
   */
  roll(options?: ProgressOptions & { /** Members that are away at a time. Default 1. */ readonly atOnce?: number }): Promise<void>;
}

const progressMs = 100;

export class Fleet implements FleetRef {
  readonly id: string;
  readonly #node: Node;
  readonly #options: ResolvedOptions;

  constructor(node: Node, options: ResolvedOptions, id: string) {
    this.#node = node;
    this.#options = options;
    this.id = id;
  }

  async submit(event: never, options: { readonly id?: string } = {}): Promise<JobRef<never>> {
    const text = this.#node.encodeEvent(event);
    if (options.id !== undefined) checkId(options.id);
    const agent = await this.#present();
    const id = options.id ?? this.#options.random.id();
    const carrier: FleetCarrier = { type: fleetType, do: { type: 'submit', id, event } };
    const carried = `{"type":"${fleetType}","do":{"type":"submit","id":${JSON.stringify(id)},"event":${text}}}`;
    for (;;) {
      // Whoever hands in many waits for those that are on their way.
      while (agent.isFull && !agent.gone) await agent.whenCommitted();
      try {
        const messageId = options.id === undefined ? undefined : `submit ${id}`;
        const { sequenceNumber } = await this.#reference.deliver(carrier, carried, messageId, undefined);
        // One that waits in the mailbox is not among the fleet's jobs yet.
        return sequenceNumber === 0 ? { id, result: () => this.#result(id, () => true) } : this.job(id);
      } catch (error) {
        if (!(error instanceof MailboxFullError)) throw error;
      }
    }
  }

  job(id: string): JobRef<never> {
    const isKnown = ({ queue, running }: FleetState): boolean =>
      isQueued(queue, (job) => job.id === id) || isQueued(running, (job) => job.id === id);
    return { id, result: () => this.#result(id, isKnown) };
  }

  async #result(id: string, isKnown: (fleet: FleetState) => boolean): Promise<never> {
    await this.#present();
    const { jobWaits } = this.#node;
    let waits = jobWaits.get(this.id);
    if (waits === undefined) jobWaits.set(this.id, (waits = new JobWaits(this.#minds$)));
    const result = await waits.wait(id, isKnown, () => this.#ended());
    if (result?.status === 'done') return result.output as never;
    if (result !== undefined) throw result.error;
    throw new BadInputError(`fleet "${this.id}" knows no job ${JSON.stringify(id)}`, {
      hint: 'Its result may be too old: `keepResults` says how many are kept.',
    });
  }

  /** Why nothing more is to be heard of it. */
  #ended(): unknown {
    try {
      this.#node.assertOpen();
    } catch (error) {
      return error;
    }
    return new SupervisionError(`fleet "${this.id}" has ended`, { reason: 'ended', hint: 'Supervise it again; the job is kept.' });
  }

  get results$(): Observable<JobResult<never>> {
    return new Observable((subscriber) => {
      let told: number | undefined;
      return this.#minds$.subscribe({
        next: ({ fleet }) => {
          if (fleet === undefined) return;
          const total = fleet.done + fleet.failed;
          const fresh = told === undefined ? fleet.results.length : total - told;
          told = total;
          if (fresh > 0) for (const result of fleet.results.slice(-fresh)) subscriber.next(result as JobResult<never>);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
    });
  }

  async status(): Promise<FleetStatus> {
    return statusIn(mindOf(await this.#present()));
  }

  get status$(): Observable<FleetStatus> {
    return new Observable((subscriber) => {
      let last = '';
      return this.#minds$.subscribe({
        next: (mind) => {
          const status = statusIn(mind);
          const text = JSON.stringify(status);
          if (text !== last) subscriber.next(status);
          last = text;
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
    });
  }

  async resize(size: number, options: ProgressOptions = {}): Promise<void> {
    checkSize(size, `fleet ${JSON.stringify(this.id)}`);
    await this.#call((caller) => ({ type: 'resize', size, caller }), options);
  }

  async drain(options: ProgressOptions = {}): Promise<void> {
    await this.#call((caller) => ({ type: 'drain', caller }), options);
  }

  async open(): Promise<void> {
    const agent = await this.#present();
    this.#node.supervision.tellFleet(agent, { type: 'open' });
    await agent.whenCommitted();
  }

  async roll({ atOnce = 1, ...options }: ProgressOptions & { readonly atOnce?: number } = {}): Promise<void> {
    if (!(Number.isSafeInteger(atOnce) && atOnce >= 1)) {
      throw new BadInputError(`fleet ${JSON.stringify(this.id)}: atOnce is ${String(atOnce)}`, { hint: 'Give a whole number from 1.' });
    }
    await this.#call((caller) => ({ type: 'roll', atOnce, caller }), options);
  }

  get #reference(): Reference {
    return new Reference(this.#node, this.#options, this.id);
  }

  get #minds$(): Observable<Mind> {
    return new Observable((subscriber) => {
      let ended = false;
      this.#present().then(
        () => {
          if (ended) return;
          subscriber.add(
            this.#reference.snapshots$.subscribe({
              next: ({ context }) => subscriber.next(context as Mind),
              error: (error: unknown) => subscriber.error(error),
              complete: () => subscriber.complete(),
            }),
          );
        },
        (error: unknown) => subscriber.error(error),
      );
      return () => void (ended = true);
    });
  }

  /** @throws SupervisionError */
  async #present(): Promise<Agent> {
    const agent = await present(this.#node, this.id);
    if (mindOf(agent).fleet !== undefined) return agent;
    throw new SupervisionError(`supervisor "${this.id}" is no fleet`, {
      reason: 'no-fleet',
      hint: "Declare it with fleet('researchers', { kind, size }).",
    });
  }

  /** Asks the fleet's mind. @throws SupervisionError */
  async #call(make: (caller: string) => FleetEvent, { onProgress }: ProgressOptions): Promise<void> {
    const agent = await this.#present();
    const { clock } = this.#options;
    const question = this.#node.answers.ask();
    const stop = follow(clock, onProgress === undefined ? undefined : () => onProgress(statusIn(mindOf(agent))));
    try {
      this.#node.supervision.tellFleet(agent, make(question.address));
      const { error, message } = (await question.answer) as { readonly error: CallError | undefined; readonly message: string | undefined };
      if (error !== undefined) throw callFailed(`fleet "${this.id}"`, error, message);
    } finally {
      stop();
    }
  }
}

function statusIn({ state, fleet }: Mind): FleetStatus {
  return statusOf(fleet as NonNullable<typeof fleet>, state);
}

/** Calls now and then, until it is told to stop: then once more. */
export function follow(clock: ResolvedOptions['clock'], look: (() => void) | undefined): () => void {
  if (look === undefined) return () => undefined;
  let handle: unknown;
  const again = (): void => {
    look();
    handle = clock.setTimeout(again, progressMs);
  };
  again();
  return () => {
    clock.clearTimeout(handle);
    look();
  };
}

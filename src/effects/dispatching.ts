/**
 * Wake-up calls of a node on their way into a queue, and who waits for an agent to come to rest. A call leaves after the commit that wrote its timer, is tried again a few times, and is told as `dispatch` whatever comes of it.
 *
 * Invariant: nothing here changes when an operation runs; without it the durable timers do the same while a node is up.
 */

import { sleep, type Clock } from '../core/clock.js';
import { errorOf } from '../core/codec.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { Agent } from '../actors/agent.js';
import type { WithoutTime } from '../actors/host.js';
import type { OperationRecord } from '../persistence/store.js';
import { inProcess, wakeTask, type Dispatcher, type WakeTask } from './dispatch.js';
import { isTerminal } from './retry.js';
import type { Run } from './run.js';
import { whileAny } from './wind-down.js';

/** A wait that a queue ends. */
export interface HandedOver {
  readonly task: WakeTask;
  /** Whether the queue has it; undefined: it is on its way. */
  taken: boolean | undefined;
}

export interface DispatchingOptions {
  readonly dispatcher?: Dispatcher | undefined;
  readonly clock: Clock;
  readonly tell: (event: WithoutTime<RuntimeEvent>) => void;
}

const attempts = 4;
const firstWaitMs = 250;

export class Dispatching {
  readonly #options: DispatchingOptions & { readonly dispatcher: Dispatcher };
  /** By operation. */
  readonly #waits = new Map<string, HandedOver>();
  /** Who waits for something to happen to an agent's operations. */
  readonly #watchers = new Map<Agent, (() => void)[]>();
  #open = 0;
  #ended: () => void = () => undefined;
  #closed = false;

  constructor({ dispatcher = inProcess, ...options }: DispatchingOptions) {
    this.#options = { ...options, dispatcher };
  }

  /** A retry waits until then, and its timer is in the draft. */
  put({ agent, operation, profile }: Run, at: number): void {
    const { dispatcher, clock } = this.#options;
    const { id, attempts: failed } = operation.record;
    const dueAt = Math.ceil(at);
    if (agent.gone || profile.queue === undefined || dueAt - clock.now() < (dispatcher.minimumMs ?? 5_000)) return;
    const task = wakeTask({ agentId: agent.id, operationId: id, attempt: failed + 1, at: dueAt, queue: profile.queue });
    const wait: HandedOver = { task, taken: undefined };
    this.#waits.set(id, wait);
    agent.draft().releases.push(() => void this.#deliver(agent, wait));
  }

  /** A call that its queue would not take is tried again. */
  again(agent: Agent, { id }: Pick<OperationRecord, 'id'>): void {
    const wait = this.#waits.get(id);
    if (wait?.taken !== false) return;
    wait.taken = undefined;
    void this.#deliver(agent, wait);
  }

  /** Undefined: no queue has its wait. */
  of({ id }: Pick<OperationRecord, 'id'>): HandedOver | undefined {
    return this.#waits.get(id);
  }

  /** It waits no more, or not here. */
  forget({ agent, operation }: Run): void {
    if (this.#waits.size > 0) this.#waits.delete(operation.record.id);
    this.changed(agent);
  }

  /** Something has happened to an operation of the agent. */
  changed(agent: Agent): void {
    if (this.#watchers.size === 0) return;
    const watchers = this.#watchers.get(agent);
    this.#watchers.delete(agent);
    for (const told of watchers ?? []) told();
  }

  /** Resolves when something happens to an operation of the agent, after `ms` at the latest. */
  async change(agent: Agent, ms: number): Promise<void> {
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      const handle = clock.setTimeout(resolve, Math.max(0, ms));
      const told = (): void => {
        clock.clearTimeout(handle);
        resolve();
      };
      this.#watchers.set(agent, [...(this.#watchers.get(agent) ?? []), told]);
    });
  }

  /** Lets what is on its way arrive, for `graceMs`. Throws nothing. */
  async close(graceMs: number): Promise<void> {
    await whileAny(
      this.#options.clock,
      graceMs,
      () => this.#open > 0,
      (ended) => (this.#ended = ended),
    );
    this.#closed = true;
    for (const agent of [...this.#watchers.keys()]) this.changed(agent);
    try {
      await this.#options.dispatcher.close?.();
    } catch {
      // What it had to do is done.
    }
  }

  async #deliver(agent: Agent, wait: HandedOver): Promise<void> {
    wait.taken = await this.#tryToDeliver(wait.task);
    this.changed(agent);
  }

  async #tryToDeliver(task: WakeTask): Promise<boolean> {
    const { dispatcher, clock, tell } = this.#options;
    const { agentId, operationId, queue, name, at: dueAt } = task;
    this.#open += 1;
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await dispatcher.dispatch(task);
          tell({ type: 'dispatch', agentId, operationId, queue, name, dueAt });
          return true;
        } catch (thrown) {
          if (attempt === attempts || isTerminal(thrown)) {
            tell({ type: 'dispatch', agentId, operationId, queue, name, dueAt, error: errorOf(thrown) });
            return false;
          }
        }
        await sleep(clock, firstWaitMs * 2 ** (attempt - 1));
        if (this.#closed) return false;
      }
    } finally {
      this.#open -= 1;
      if (this.#open === 0) this.#ended();
    }
  }
}

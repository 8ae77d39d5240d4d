/** Agents that are down and brought up by their supervisors, or ended for good. */

import type { Agent } from '../actors/agent.js';
import type { AgentHost } from '../actors/host.js';
import type { Registration } from '../actors/registration.js';
import { cancelled } from '../actors/operation.js';
import { restore, startAnew } from '../actors/restore.js';
import { decode, errorOf } from '../core/codec.js';
import { SnapshotVersionError, SupervisionError } from '../core/errors.js';
import { cancellation } from '../effects/permits.js';
import type { LoadedAgent, LoadOutcome, MachineRecord, MessageRecord, OpenedStore } from '../persistence/store.js';
import { supervisorKind } from '../supervisor/machine.js';
import type { Renewal } from '../supervisor/state.js';
import type { Ends } from './ends.js';
import type { Kinds } from './kinds.js';
import type { Presence } from './presence.js';
import type { Residents } from './residents.js';

export interface RisingOptions {
  readonly host: AgentHost & { presence(id: string): Promise<Presence> };
  readonly store: OpenedStore;
  readonly kinds: Kinds;
  readonly residents: Residents;
  readonly ends: Ends;
  readonly machines: () => readonly MachineRecord[];
  /** With what its replay needs besides. */
  readonly load: (id: string) => Promise<readonly LoadOutcome[]>;
  /** There may be mail for an agent that its memory does not know of. */
  readonly nudge: (key: number) => void;
  /** Names of those that are declared. */
  readonly budgets: readonly string[];
}

export class Rising {
  readonly #options: RisingOptions;
  /** How many bring an agent up: one that fails at once is brought up again before the first has come to its end. */
  readonly #rising = new Map<string, number>();
  /** Those that a renewal has brought up. */
  readonly #renewed = new WeakSet<Agent>();

  constructor(options: RisingOptions) {
    this.#options = options;
  }

  /** Whether a suspended agent may leave its rest. */
  has(id: string): boolean {
    return this.#rising.has(id);
  }

  /** Resolves once that is durable. @throws SnapshotVersionError, SupervisionError */
  async bringUp(id: string, input: unknown, renewal: Renewal | undefined): Promise<void> {
    const { host, kinds, residents } = this.#options;
    if (renewal !== undefined && (await this.#renew(id, input, renewal))) return;
    this.#rising.set(id, (this.#rising.get(id) ?? 0) + 1);
    try {
      const presence = await host.presence(id);
      switch (presence.where) {
        case 'here':
          await presence.agent.whenCommitted();
          return;
        case 'ended': {
          const { record, loaded } = presence;
          const other = residents.get(id);
          if (other?.status === 'active') {
            // Whoever waited for the same presence was first.
            await other.whenCommitted();
            return;
          }
          if (other !== undefined) {
            // Its last actions are being settled.
            await new Promise<void>((resolve) => host.whenGone(other, resolve));
            await this.bringUp(id, input, undefined);
            return;
          }
          const registration = kinds.get(record.kind);
          if (registration === undefined) throw kinds.unknown(record.kind);
          const agent = startAnew(host, registration, loaded, input);
          residents.add(agent);
          await agent.whenDurable(agent.sequenceNumber);
          return;
        }
        case 'parked':
          throw presence.error;
        default:
          throw new SupervisionError(`agent "${id}" cannot be brought up: it is ${presence.where}`, {
            reason: presence.where,
            hint: 'A supervisor runs its children in its own process.',
          });
      }
    } finally {
      const others = (this.#rising.get(id) ?? 1) - 1;
      if (others === 0) this.#rising.delete(id);
      else this.#rising.set(id, others);
    }
  }

  /** Whether it is up as a new one, or with the machine that is registered now. */
  async #renew(id: string, input: unknown, renewal: Renewal): Promise<boolean> {
    const { host, load, kinds, residents, machines, nudge } = this.#options;
    const here = await this.#leftBehind(id);
    if (here !== undefined) {
      // Somebody else was faster.
      await here.whenCommitted();
      return true;
    }
    const [loaded] = await load(id);
    const { status } = residents.get(id) ?? {};
    if (status === 'active' || status === 'suspended') return this.#renew(id, input, renewal);
    if (loaded?.outcome !== 'loaded') return false;
    // It is at rest: from there it comes as it was.
    if (loaded.record.status === 'active') return (await host.presence(id)).where === 'here' && this.#renew(id, input, renewal);
    if (loaded.record.status !== 'suspended' && loaded.record.status !== 'parked') return false;
    const registration = kinds.get(loaded.record.kind);
    if (registration === undefined) throw kinds.unknown(loaded.record.kind);
    let agent: Agent;
    try {
      if (renewal === 'anew') agent = this.#anew(registration, loaded, input);
      else {
        agent = restore(host, registration, loaded, machines()).agent;
        // From here on it is of this version, whoever brings it back.
        agent.draft().checkpoint = true;
      }
    } catch (error) {
      if (renewal === 'anew' || !(error instanceof SnapshotVersionError)) throw error;
      agent = this.#anew(registration, loaded, input);
    }
    this.#renewed.add(agent);
    residents.add(agent);
    await agent.whenCommitted();
    nudge(agent.key);
    return true;
  }

  /**
   * The agent that has been renewed, if it is here. One that is here as it was goes down first: a start that was out of date, or the recovery after a crash, has brought
   * it up, with all that it is to leave behind.
   */
  async #leftBehind(id: string): Promise<Agent | undefined> {
    const { host, residents } = this.#options;
    const agent = residents.get(id);
    if (agent?.status === 'active') {
      if (this.#renewed.has(agent)) return agent;
      await agent.quiet(0);
      await agent.leave();
    } else if (agent?.status === 'suspended') await new Promise<void>((resolve) => host.whenGone(agent, resolve));
    return undefined;
  }

  #anew(registration: Registration, loaded: LoadedAgent, input: unknown): Agent {
    const agent = startAnew(this.#options.host, registration, loaded, input);
    const permits = this.#permitsOf(loaded);
    if (permits.length > 0) (agent.draft().messages ??= []).push(...permits);
    return agent;
  }

  /** What is held for calls that are under way no more. Which budget holds it is not in the ledger, and a budget does not mind what it does not hold. */
  #permitsOf({ record, operations }: LoadedAgent): MessageRecord[] {
    const at = this.#options.host.clock.now();
    const open = operations.filter(({ settledIn }) => settledIn === 0);
    return open.flatMap((operation) => this.#options.budgets.map((budget) => cancellation(record.id, budget, operation.id, at)));
  }

  /**
   * Ends a suspended agent for good: in error when that is what it went down with. What waits for it becomes dead letters, its activities are cancelled, and named
   * actions that a crash has kept from it are run.
   */
  async bury(id: string): Promise<void> {
    const { host, store, ends } = this.#options;
    const [outcome] = await store.load([id]);
    if (outcome?.outcome !== 'loaded' || outcome.record.status !== 'suspended') return;
    const { key, kind, fence, sequenceNumber, outcome: why } = outcome.record;
    const failed = why !== undefined && why !== 'null' && kind !== supervisorKind;
    const status = failed ? 'error' : 'stopped';
    const at = host.clock.now();
    const operations = outcome.operations.filter((one) => one.settledIn === 0).map((one) => cancelled(one, sequenceNumber, at));
    const busy = outcome.effects.length > 0;
    const messages = this.#permitsOf(outcome);
    const [done] = await store.commit([
      { key, id, fence, expected: sequenceNumber, sequenceNumber, at, status, busy, operations, timersCleared: 'all', messages },
    ]);
    if (done?.outcome === 'applied') messages.forEach((message, index) => host.routed(message, done.messages[index]));
    if (busy) await host.presence(id);
    else host.tell({ type: 'ended', agentId: id, kind, status, ...(failed ? { error: errorOf(decode(why)) } : {}) });
    ends.wake(id, undefined);
  }
}

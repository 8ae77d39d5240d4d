/**
 * Group commit. Agents with something to write enlist; a group is sealed when the store is free, so groups grow with
 * load and a lone commit waits for nobody. When much waits, further groups are sealed while the store works on the first.
 *
 * Invariant: groups reach the store, and their outcomes reach the agents, in the order in which they were sealed. A lost reply is
 * resolved by reading back, never assumed; a store that is away is waited for; a poisoned one stops everything.
 */

import { setImmediate } from 'node:timers';
import type { Clock } from '../core/clock.js';
import { StatewardenError, StorePoisonedError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { AgentCommit, CommitOutcome, OpenedStore } from './store.js';

/** A place in a trace, as the W3C's `traceparent`. */
export interface Traced {
  readonly trace: string | undefined;
}

/** Follows a group on its way. */
export interface GroupSpan {
  failed(error: unknown): void;
  ended(): void;
}

/** One agent's part of a group, and whom to tell. */
export interface SealedCommit {
  readonly commit: AgentCommit;
  readonly turns: number;
  readonly bytes: number;
  /** Of its turns, while somebody traces. */
  readonly traces?: readonly Traced[] | undefined;
  settled(outcome: CommitOutcome): void;
  /** The store is poisoned: nothing more will be written. */
  failed(error: StatewardenError): void;
}

/** An agent that may have something to write. */
export interface Participant {
  /** Takes everything written so far into one commit; undefined when there is nothing. */
  seal(): SealedCommit | undefined;
}

export interface CommitterOptions {
  readonly store: OpenedStore;
  readonly clock: Clock;
  /** Called only when `observed()`. */
  readonly emit: (event: RuntimeEvent) => void;
  readonly observed: () => boolean;
  readonly poisoned: (error: StatewardenError) => void;
  /** A group goes to the store. */
  readonly traced?: ((group: readonly SealedCommit[]) => GroupSpan | undefined) | undefined;
}

/** A group that the store has not answered. */
interface Sent {
  readonly group: readonly SealedCommit[];
  /** In elapsed milliseconds. */
  readonly at: number;
  readonly span: GroupSpan | undefined;
}

/**
 * So many turns waiting make it worth to seal a group while none is written; four times as many while one is, and so on: the store
 * always has something to do, and the longer its queue the more turns of one agent share a row.
 */
const earlyTurns = 256;
const groupsUnderWay = 4;
/** So many agents waiting make a group worth its while at all: to be the second, for a store that gathers, as soon as there is nothing else to do; or one half of all. */
const earlyAgents = 64;
const retryMs = { initial: 10, maximum: 1_000 };

export class Committer {
  readonly #options: CommitterOptions;
  #waiting: Participant[] = [];
  #waitingTurns = 0;
  #inFlight = 0;
  #scheduled = false;
  #sealsAhead = false;
  /** In the group that was written last. */
  #appliedAgents = 2 * earlyTurns;
  #failed: StatewardenError | undefined;
  #idle: (() => void)[] = [];
  /** Groups are answered in order: each waits for the one before. */
  #last: Promise<void> = Promise.resolve();
  /** Faults met so far: a group sealed before one may have been refused only because its forerunner was late. */
  #faults = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** The participant has something to write; it enlists once until it is sealed. */
  enlist(participant: Participant): void {
    this.#waiting.push(participant);
    this.#schedule();
  }

  /** While the store writes one group the next is got ready for it, out of all that this turn of the event loop brings. */
  #sealAhead(): void {
    if (this.#sealsAhead) return;
    this.#sealsAhead = true;
    setImmediate(() => {
      this.#sealsAhead = false;
      if (this.#inFlight === 1 && this.#waiting.length >= earlyAgents) this.#seal();
    });
  }

  /** A participant is about to take a turn: when much is waiting, that is sealed first. */
  turning(): void {
    this.#waitingTurns += 1;
    if (this.#inFlight < groupsUnderWay && this.#waitingTurns >= this.#worthwhileTurns()) this.#seal();
  }

  /** Agents that go round all in one group would have the store wait for them, and they for the store: they are parted in two, where that costs no second round trip. */
  #worthwhileTurns(): number {
    if (this.#inFlight > 0 || this.#options.store.gathers !== true) return earlyTurns << (2 * this.#inFlight);
    return Math.min(earlyTurns, Math.max(earlyAgents, this.#appliedAgents / 2));
  }

  /** Resolves when nothing is waiting and nothing is in flight. */
  async quiesce(): Promise<void> {
    while (this.#inFlight > 0 || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  #schedule(): void {
    const { gathers } = this.#options.store;
    if (this.#inFlight === 1 && gathers === true && this.#waiting.length >= earlyAgents) this.#sealAhead();
    if (this.#scheduled || this.#inFlight > 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#inFlight === 0) this.#seal();
    });
  }

  #seal(): void {
    const participants = this.#waiting;
    this.#waiting = [];
    this.#waitingTurns = 0;
    const group: SealedCommit[] = [];
    for (const participant of participants) {
      const sealed = participant.seal();
      if (sealed !== undefined) group.push(sealed);
    }
    if (group.length === 0) {
      this.#settle();
      return;
    }
    if (this.#failed !== undefined) {
      const error = this.#failed;
      for (const sealed of group) sealed.failed(error);
      this.#settle();
      return;
    }
    this.#inFlight += 1;
    failpoint('commit:sealed');
    const sent = { group, at: this.#options.clock.elapsed(), span: this.#options.traced?.(group) };
    const answer = this.#options.store.commit(group.map((sealed) => sealed.commit));
    const previous = this.#last;
    const faults = this.#faults;
    const alone = this.#inFlight === 1;
    this.#last = answer.then(
      (outcomes) => {
        if (alone) this.#applied(sent, outcomes);
        else return previous.then(() => this.#follow(sent, outcomes, faults));
      },
      (error: unknown) => {
        this.#faults += 1;
        return previous.then(() => this.#recover(sent, error));
      },
    );
  }

  /** The answer of a group that was sent while another was under way. */
  async #follow(sent: Sent, outcomes: readonly CommitOutcome[], faults: number): Promise<void> {
    if (faults === this.#faults || outcomes.every(({ outcome }) => outcome !== 'refused')) {
      this.#applied(sent, outcomes);
      return;
    }
    const refused = sent.group.filter((_, index) => outcomes[index]?.outcome === 'refused');
    try {
      const again = await this.#complete(refused, this.#options.store);
      const settled = outcomes.map((outcome) => (outcome.outcome === 'refused' ? (again.shift() as CommitOutcome) : outcome));
      this.#applied(sent, settled);
    } catch (error) {
      await this.#recover(sent, error);
    }
  }

  #applied(sent: Sent, outcomes: readonly CommitOutcome[]): void {
    const { group, span } = sent;
    failpoint('commit:durable');
    span?.ended();
    this.#inFlight -= 1;
    this.#appliedAgents = group.length;
    // Seal the next group before its turns are told, so that the store never waits for the callbacks.
    if (this.#waiting.length > 0 && this.#inFlight === 0) this.#seal();
    if (this.#options.observed()) this.#report(sent);
    for (let index = 0; index < group.length; index += 1) {
      (group[index] as SealedCommit).settled(outcomes[index] as CommitOutcome);
    }
    if (this.#waiting.length > 0) this.#schedule();
    this.#settle();
  }

  #report({ group, at }: Sent): void {
    let turns = 0;
    let checkpoints = 0;
    let bytes = 0;
    for (const sealed of group) {
      turns += sealed.turns;
      bytes += sealed.bytes;
      if (sealed.commit.checkpoint !== undefined) checkpoints += 1;
    }
    const { clock, emit } = this.#options;
    emit({ type: 'commit', at: clock.now(), agents: group.length, turns, checkpoints, bytes, durationMs: clock.elapsed() - at });
  }

  /** The reply is lost or the store is away: ask what was written, write the rest again. */
  async #recover(sent: Sent, thrown: unknown): Promise<void> {
    const { clock, emit, store } = this.#options;
    const { group, span } = sent;
    let error = thrown;
    let waitMs = retryMs.initial;
    if (isTransient(error)) emit({ type: 'store', state: 'unavailable', at: clock.now(), error: error as Error });
    while (this.#failed === undefined && isTransient(error)) {
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, waitMs));
      waitMs = Math.min(waitMs * 2, retryMs.maximum);
      try {
        const outcomes = await this.#complete(group, store);
        emit({ type: 'store', state: 'available', at: clock.now() });
        this.#applied(sent, outcomes);
        return;
      } catch (again) {
        error = again;
      }
    }
    this.#poison(error);
    span?.failed(error);
    span?.ended();
    this.#inFlight -= 1;
    for (const sealed of group) sealed.failed(this.#failed as unknown as StatewardenError);
    this.#seal(); // whoever still waits fails too, and whoever waits for quiet has it
  }

  async #complete(group: readonly SealedCommit[], store: OpenedStore): Promise<CommitOutcome[]> {
    const heads = await store.heads(group.map((sealed) => sealed.commit.key));
    const outcomes: (CommitOutcome | undefined)[] = [];
    const missing: AgentCommit[] = [];
    for (let index = 0; index < group.length; index += 1) {
      const { commit } = group[index] as SealedCommit;
      const head = heads[index];
      const written =
        head?.fence === commit.fence && commit.sequenceNumber > commit.expected && head.sequenceNumber >= commit.sequenceNumber;
      // What a written commit's messages met is not known any more: their receivers find them in the store.
      if (written) outcomes.push({ outcome: 'applied', messages: [], spawned: [] });
      else {
        outcomes.push(undefined);
        missing.push(commit);
      }
    }
    const rest = missing.length === 0 ? [] : [...(await store.commit(missing))];
    return outcomes.map((outcome) => outcome ?? (rest.shift() as CommitOutcome));
  }

  #poison(error: unknown): void {
    if (this.#failed !== undefined) return;
    const failure =
      error instanceof StatewardenError
        ? error
        : new StorePoisonedError('the store failed in an unexpected way', {
            cause: error,
            hint: 'Nothing further is written. Look at the cause, then start the runtime again: it recovers from the store.',
          });
    this.#failed = failure;
    this.#options.emit({ type: 'store', state: 'poisoned', at: this.#options.clock.now(), error: failure });
    this.#options.poisoned(failure);
  }

  #settle(): void {
    if (this.#inFlight > 0 || this.#waiting.length > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof StatewardenError && error.disposition === 'retry';
}

/**
 * Commits, posts and what else is written: a draft is put together of what this node knows and sent as one request. When Firestore finds a document other than expected, or the draft needs to know more, what it is about is read and it is made again of that: so in quiet
 * times a group costs one request, and a commit that has to be refused never takes another one with it. Every request is atomic, and a group that is too large for one is cut between agents, in order.
 */

import { StoreUnavailableError } from '../../core/errors.js';
import { systemClock, sleep } from '../../core/clock.js';
import { failpoint } from '../../core/failpoint.js';
import type { AgentCommit, AgentKey, CommitOutcome, MessageRecord, PostOutcome, RedriveOutcome } from '../store.js';
import { Draft, type Author } from './draft.js';
import { isRace } from './faults.js';
import type { Facts } from './facts.js';
import { NotKnown } from './facts.js';
import { gather, type Subject } from './gathering.js';
import { buryLateMail } from './late-mail.js';
import type { Membership } from './membership.js';
import type { ServerClock } from './server-clock.js';
import { deadLetter, isFinal } from './rows.js';
import { padded } from './places.js';

/** After so many readings in a row that were outdated at once, the caller is to try again later. */
const attempts = 12;

/** One of several things to be written in order: what it is about, and what it does to a draft. */
interface Step<T> {
  readonly subject: Subject;
  apply(draft: Draft): T;
}

export class Writing {
  readonly #author: Author;
  readonly #membership: Membership;
  readonly #clock: ServerClock;
  readonly #now: () => number;

  constructor(author: Author, membership: Membership, clock: ServerClock, now: () => number) {
    this.#author = author;
    this.#membership = membership;
    this.#clock = clock;
    this.#now = now;
  }

  commit(commits: readonly AgentCommit[]): Promise<CommitOutcome[]> {
    return this.#write(commits.map((commit) => ({ subject: subjectOf(commit), apply: (draft) => draft.commit(commit) })));
  }

  post(messages: readonly MessageRecord[], cap: number): Promise<PostOutcome[]> {
    return this.#write(
      messages.map((message) => ({
        subject: { messages: [message], capped: cap !== Infinity },

        apply: (draft) => draft.post(message, cap, this.#now()),
      })),
    );
  }

  async redrive(positions: readonly number[], to: string | undefined, cap: number): Promise<RedriveOutcome[]> {
    const { calls } = this.#author;
    // Where each of them is to go: a letter is never changed, only taken away.
    const { docs } = await calls.get(positions.map((position) => calls.path('deadLetters', padded(position))));
    const steps = positions.map((position, index): Step<RedriveOutcome> => {
      const letter = docs[index] === undefined ? undefined : deadLetter(docs[index]);
      const message = (): MessageRecord => ({
        to: to ?? letter?.to ?? '',
        messageId: letter?.messageId,
        event: letter?.event ?? '',
        from: letter?.from,
        replyTo: undefined,
        acceptedAt: this.#now(),
      });
      return {
        subject: letter === undefined ? {} : { letters: [position], messages: [message()], capped: cap !== Infinity },

        apply: (draft) => {
          const unbury = draft.unbury(position);
          if (letter === undefined || unbury === undefined) return { outcome: 'absent' };
          const outcome = draft.deliver(message(), cap);
          if (outcome.outcome === 'dead-letter') return { outcome: 'kept', reason: outcome.reason };
          if (outcome.outcome === 'full') return { outcome: 'kept', reason: 'mailbox-full' };
          unbury();
          return outcome.outcome === 'accepted' ? { ...outcome, outcome: 'redriven' } : outcome;
        },
      };
    });
    return this.#write(steps, true);
  }

  async discard(positions: readonly number[]): Promise<number> {
    const gone = await this.#write(
      positions.map((position): Step<boolean> => ({
        subject: { letters: [position] },

        apply: (draft) => {
          const unbury = draft.unbury(position);
          unbury?.();
          return unbury !== undefined;
        },
      })),
      true,
    );
    return gone.filter(Boolean).length;
  }

  /** `informed`: cannot be said without looking anyway. */
  async #write<T>(steps: readonly Step<T>[], informed = false): Promise<T[]> {
    const outcomes: T[] = [];
    let isInformed = informed;
    let attempt = 0;
    while (outcomes.length < steps.length) {
      const rest = steps.slice(outcomes.length);
      try {
        const facts = await gather(
          this.#author,
          this.#membership,
          this.#clock,
          rest.map(({ subject }) => subject),
          isInformed,
        );
        const written = await this.#send(rest, facts);
        outcomes.push(...written);
        const ended = rest.slice(0, written.length).flatMap(({ subject: { ends } }) => ends ?? []);
        if (ended.length > 0) await this.#buryLate(ended);
        isInformed = informed;
        attempt = 0;
      } catch (error) {
        this.#forget(rest);
        if (!(error instanceof NotKnown) && !isRace(error)) throw error;
        isInformed = true;
        attempt += 1;
        if (attempt > attempts) {
          throw new StoreUnavailableError(`${this.#author.calls.name}: what was to be written changed again and again`, {
            hint: 'Others write the same documents; it is tried again.',
            cause: error,
          });
        }
        if (attempt > 2) await sleep(systemClock, Math.min(10 * 2 ** attempt, 500));
      }
    }
    return outcomes;
  }

  async #send<T>(steps: readonly Step<T>[], facts: Facts): Promise<T[]> {
    const draft = new Draft(this.#author, facts);
    const outcomes: T[] = [];
    for (const step of steps) {
      outcomes.push(step.apply(draft));
      if (draft.batch.isFull) break;
    }
    if (draft.batch.size === 0) return outcomes;
    // Of another database it must not be taken for a new one.
    if (!draft.batch.isAnchored && this.#author.node !== 0)
      draft.batch.verify('guards', this.#membership.guardName(this.#author.node), 'there');
    failpoint('firestore:before-commit');
    const { times, commitTime } = await draft.batch.send(this.#author.cache.chunksOf);
    failpoint('firestore:after-commit');
    this.#clock.heard(commitTime);
    draft.settle(times);
    return outcomes;
  }

  /** What is written stays written: should this fail, the next look at what can run does it. */
  async #buryLate(agents: readonly AgentKey[]): Promise<void> {
    await buryLateMail(this.#author, agents, this.#now).catch(() => undefined);
  }

  #forget(steps: readonly Step<unknown>[]): void {
    for (const { subject } of steps) {
      this.#author.cache.forget(
        [...(subject.agents ?? []), ...(subject.made ?? [])],
        [...(subject.ids ?? []), ...(subject.messages ?? []).map(({ to }) => to)],
      );
    }
  }
}

function subjectOf(commit: AgentCommit): Subject {
  const { key, id, create, taken, timersCleared, messages, spawns = [], status } = commit;
  const made = [...(create === undefined ? [] : [key]), ...spawns.map((spawn) => spawn.key)];
  const ids = [...(create === undefined ? [] : [id]), ...spawns.map((spawn) => spawn.id)];
  return {
    ...(create === undefined ? { agents: [key] } : {}),
    made,
    ids,
    ...(taken === undefined ? {} : { taken: taken.map((position) => ({ agent: key, position })) }),
    ...(timersCleared === 'all' && create === undefined ? { timersOf: key } : {}),
    ...(messages === undefined ? {} : { messages }),
    ...(status !== undefined && isFinal(status) && create === undefined ? { ends: key } : {}),
  };
}

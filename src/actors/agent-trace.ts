/** One agent's turns as spans: what the next one hangs from, and what is sent or begun in the one under way. There only while somebody traces. */

import type { Draft } from './draft.js';
import type { TracedAgent, Tracing, TurnSpan } from './tracing.js';

export class AgentTrace {
  readonly tracing: Tracing;
  readonly #agent: TracedAgent;
  /** What the turn that is taken next hangs from; undefined: the agent's own place. */
  #cause: string | undefined;
  #current: TurnSpan | undefined;
  /** Of the turn whose effects leave. */
  #released: string | undefined;

  constructor(tracing: Tracing, agent: TracedAgent) {
    this.tracing = tracing;
    this.#agent = agent;
  }

  /** Why the turn that is about to be taken is taken. */
  causedBy(trace: string | undefined): void {
    this.#cause = trace;
  }

  /** A turn begins; its span ends with the draft. */
  began(event: string, sequenceNumber: number, draft: Draft): void {
    this.#current = this.tracing.turn({ agent: this.#agent, event, sequenceNumber, parent: this.#cause });
    this.#cause = undefined;
    (draft.spans ??= []).push(this.#current);
  }

  /** Nothing of it happened but that it failed. */
  failed(error: unknown): void {
    this.#current?.failed(error);
  }

  /** It is taken; what is asked for from here on is no turn's. */
  over(): void {
    this.#current = undefined;
  }

  /** Where that which is asked for now belongs. */
  get place(): string | undefined {
    return this.#current === undefined ? (this.#released ?? this.#cause ?? this.#agent.trace) : this.#current.trace;
  }

  /** To be run later, as of the turn under way. */
  bound(run: () => void): () => void {
    const { place, tracing } = this;
    return () => {
      const before = this.#released;
      this.#released = place;
      try {
        tracing.within(place, run);
      } finally {
        this.#released = before;
      }
    };
  }
}

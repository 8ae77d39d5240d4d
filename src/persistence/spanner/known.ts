/**
 * What a store knows of agents without asking: where they stood when it last wrote or read them. It may be out of date, and is never believed: whatever is written by it carries its own condition. Bounded; what was not needed for longest goes first.
 */

import type { AgentKey, AgentRecord } from '../store.js';

/** A message in a mailbox, as far as taking it needs. */
export interface Waiting {
  readonly messageId: string | undefined;
  /** Whether its id's mark says that it waits; another event with the id may have been taken meanwhile. */
  readonly marked: boolean;
  readonly keptBySender: boolean;
  readonly isLong: boolean;
  /** For a dead letter; only when it was read to become one. */
  readonly letter?: { readonly event: string; readonly from: string | undefined };
}

export interface Known {
  readonly key: AgentKey;
  /** Where its rows stand. */
  readonly agent: number;
  readonly id: string;
  readonly fence: number;
  readonly sequenceNumber: number;
  /** Last position of its mailbox; undefined: not known. */
  readonly tail: number | undefined;
  /** All of its mailbox up to `tail`, oldest first; undefined: not known. */
  readonly waiting: Map<number, Waiting> | undefined;
  readonly ended: boolean | undefined;
  /** Whether its checkpoint may have a long text. */
  readonly longCheckpoint: boolean;
  /** Only when it was just read or made. */
  readonly record: AgentRecord | undefined;
}

const most = 50_000;

export class Memory {
  readonly #agents = new Map<AgentKey, Known>();
  readonly #ids = new Map<string, AgentKey>();

  agent(key: AgentKey): Known | undefined {
    const known = this.#agents.get(key);
    if (known !== undefined) {
      this.#agents.delete(key);
      this.#agents.set(key, known);
    }
    return known;
  }

  byId(id: string): Known | undefined {
    const key = this.#ids.get(id);
    return key === undefined ? undefined : this.agent(key);
  }

  keep(known: Known): void {
    const old = this.#agents.get(known.key);
    this.#agents.delete(known.key);
    // Its mailbox has not changed since, or its last position would have.
    const waiting = known.waiting ?? (old?.tail !== undefined && old.tail === known.tail ? old.waiting : undefined);
    this.#agents.set(known.key, { ...known, waiting, record: undefined });
    this.#ids.set(known.id, known.key);
    if (this.#agents.size <= most) return;
    const [oldest] = this.#agents.keys();
    this.forget(oldest as AgentKey);
  }

  forget(key: AgentKey): void {
    const known = this.#agents.get(key);
    this.#agents.delete(key);
    if (known !== undefined && this.#ids.get(known.id) === key) this.#ids.delete(known.id);
  }
}

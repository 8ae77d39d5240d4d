/** What was read of the database before something is written, as of now. What is not here was not read: see `NotKnown`. */

import type { AgentKey } from '../store.js';
import type { Doc } from './calls.js';
import type { Head, Name } from './cache.js';
import { partName } from './places.js';

/** It cannot be said without looking: nothing was written. Met inside this folder only. */
export class NotKnown extends Error {}

export class Facts {
  /** Everything that was asked about was looked up: what is not here is not there. */
  informed = false;
  readonly heads = new Map<AgentKey, Head | undefined>();
  readonly names = new Map<string, Name | undefined>();
  /** By name of the document: in which turn the message id was taken, 0 while it waits; undefined: never seen. */
  readonly marks = new Map<string, number | undefined>();
  /** By name of the document. */
  readonly mail = new Map<string, Doc | undefined>();
  /** Of agents that are about to end: all that waits, in order. */
  readonly mailOf = new Map<AgentKey, readonly Doc[]>();
  readonly timersOf = new Map<AgentKey, ReadonlySet<string>>();
  /** How much waits. */
  readonly waiting = new Map<AgentKey, number>();
  /** By position. */
  readonly letters = new Map<number, Doc | undefined>();

  mark(agent: AgentKey, messageId: string): number | undefined {
    const name = partName(agent, messageId);
    if (!this.marks.has(name)) throw new NotKnown(`message id ${messageId}`);
    return this.marks.get(name);
  }
}

/**
 * The agents of a plan: where each stood and where it is put, and the rows that say so. The mutations carry their own conditions, so that what was only believed of an agent need not be read: its row of `heads` under the expected fence and sequence number is updated before it
 * moves, and Spanner refuses the whole commit when there is none; its row of `tails` likewise, when its mailbox gets messages or has to be as it was. Several commits of one agent move it once, from where the first expects it to where the last puts it.
 */

import type { AgentCommit, AgentKey, AgentRecord } from '../store.js';
import { scatter, shardOf } from './keys.js';
import type { Known, Waiting } from './known.js';
import type { Cell, Mutations } from './mutations.js';
import { commitTimestamp } from './wire.js';

/** One agent in the plan. */
export interface Actor {
  readonly before: Known | undefined;
  now: Known;
  /** Changed columns of its row. */
  readonly cells: Record<string, Cell>;
  moves: boolean;
  /** Its mailbox must be as it was known. */
  guardsTail: boolean;
  readonly gone: Set<number>;
  readonly added: Map<number, Waiting>;
}

/** Where agents are found that the cast does not have yet. */
interface Agents {
  readonly isRead: boolean;
  agent(key: AgentKey): Known | undefined;
  byId(id: string): Known | undefined;
}

export class Cast {
  readonly #agents: Agents;
  readonly #actors = new Map<AgentKey, Actor>();
  readonly #ids = new Map<string, AgentKey>();

  constructor(agents: Agents) {
    this.#agents = agents;
  }

  actor(key: AgentKey): Actor | undefined {
    const actor = this.#actors.get(key);
    if (actor !== undefined) return actor;
    const known = this.#agents.agent(key);
    return known === undefined ? undefined : this.#enter(known, known);
  }

  byId(id: string): Actor | undefined {
    const key = this.#ids.get(id);
    if (key !== undefined) return this.#actors.get(key);
    const known = this.#agents.byId(id);
    return known === undefined ? undefined : (this.#actors.get(known.key) ?? this.#enter(known, known));
  }

  #enter(now: Known, before: Known | undefined): Actor {
    const actor: Actor = { before, now, cells: {}, moves: false, guardsTail: false, gone: new Set(), added: new Map() };
    this.#actors.set(now.key, actor);
    this.#ids.set(now.id, now.key);
    return actor;
  }

  /** One that nobody has seen stands where its commit says, or the commit is refused. Undefined: it was looked for, and is not there. */
  assumed({ key, id, fence, expected }: Pick<AgentCommit, 'key' | 'id' | 'fence' | 'expected'>): Actor | undefined {
    if (this.#agents.isRead) return undefined;
    const unknown = { tail: undefined, waiting: undefined, ended: undefined, record: undefined };
    const known: Known = { key, agent: scatter(key), id, fence, sequenceNumber: expected, longCheckpoint: true, ...unknown };
    return this.#enter(known, known);
  }

  born(record: AgentRecord, input: string | undefined): Actor {
    const { key, id, fence } = record;
    const known: Known = {
      key,
      agent: scatter(key),
      id,
      fence,
      sequenceNumber: 0,
      tail: 0,
      waiting: new Map(),
      ended: false,
      longCheckpoint: false,
      record,
    };
    const actor = this.#enter(known, undefined);
    Object.assign(actor.cells, {
      key,
      shard: shardOf(key),
      id,
      kind: record.kind,
      version: record.version,
      status: record.status,
      sequence_number: 0,
      fence,
      owner: record.owner,
      checkpoint_sequence_number: 0,
      busy_shard: record.busy ? shardOf(key) : undefined,
      supervisor: record.supervisor,
      trace: record.trace,
      input,
      created_at: record.createdAt,
      updated_at: record.updatedAt,
    });
    return actor;
  }

  /** Adds what the agents become, and on what conditions; belongs before the rows of theirs. */
  write(first: Mutations): void {
    const touched = [...this.#actors.values()];
    for (const { before, now, cells, moves } of touched) {
      const row = { agent: now.agent, ...cells, written: commitTimestamp };
      if (before === undefined) first.insert('agents', row);
      else if (moves) first.update('agents', row);
    }
    for (const { before, now, moves, guardsTail } of touched) {
      const { agent, fence, sequenceNumber, tail } = now;
      if (before === undefined) {
        first.insert('heads', { agent, fence, sequence_number: sequenceNumber, written: commitTimestamp });
        first.insert('tails', { agent, position: tail, written: commitTimestamp });
        continue;
      }
      if (moves) {
        first.update('heads', { agent, fence: before.fence, sequence_number: before.sequenceNumber, written: commitTimestamp });
        if (sequenceNumber !== before.sequenceNumber) {
          first.delete('heads', agent, before.fence, before.sequenceNumber);
          first.insert('heads', { agent, fence, sequence_number: sequenceNumber, written: commitTimestamp });
        }
      }
      if (guardsTail) {
        first.update('tails', { agent, position: before.tail, written: commitTimestamp });
        first.delete('tails', agent, before.tail);
        first.insert('tails', { agent, position: tail, written: commitTimestamp });
      }
    }
  }

  /** Where agents stand when it is written. */
  *known(marks: ReadonlyMap<string, number | undefined>): Iterable<Known> {
    for (const { now, gone, added } of this.#actors.values()) {
      const { waiting } = now;
      if (waiting !== undefined) {
        for (const [position, message] of added) waiting.set(position, message);
        for (const position of gone) waiting.delete(position);
        for (const [position, { messageId, marked, ...rest }] of marksOf(marks, now.key, waiting)) {
          waiting.set(position, { ...rest, messageId, marked });
        }
      }
      yield now;
    }
  }
}

/** Messages whose id was taken by another event in this plan. */
function* marksOf(
  marks: ReadonlyMap<string, number | undefined>,
  key: AgentKey,
  waiting: ReadonlyMap<number, Waiting>,
): Iterable<[number, Waiting]> {
  if (marks.size === 0) return;
  for (const [position, message] of waiting) {
    if (!message.marked || message.messageId === undefined) continue;
    if ((marks.get(markKey(key, message.messageId)) ?? 0) > 0) yield [position, { ...message, marked: false }];
  }
}

/** In `heads`; in `agents` it is raised by the caller. */
export function raiseFence(mutations: Mutations, agent: number, fence: number, sequence_number: number): void {
  mutations.update('heads', { agent, fence, sequence_number, written: commitTimestamp });
  mutations.delete('heads', agent, fence, sequence_number);
  mutations.insert('heads', { agent, fence: fence + 1, sequence_number, written: commitTimestamp });
}

/** A message id of an agent. */
export const markKey = (key: AgentKey, messageId: string): string => `${String(key)} ${messageId}`;

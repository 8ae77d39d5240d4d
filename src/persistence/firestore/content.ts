/**
 * All that there is of agents, in one consistent view: everything is read as it was at one moment of the database. What many agents have is asked for together; what an agent's own document says that it has not, is not asked for.
 */

import type { AgentKey, EffectRecord, JournalSegment, LoadedAgent, MailboxRecord, OperationRecord, TimerRecord } from '../store.js';
import type { Cache } from './cache.js';
import { mostInOne, type Calls, type Doc, type Query } from './calls.js';
import { agentName, numberName, padded, rangeOf } from './places.js';
import { agentRecord, checkpointRecord, effectRecord, journalSegment, mailboxRecord, operationRecord, timerRecord } from './rows.js';
import type { Stamp } from './values.js';

const newestMarks = 1_024;

export class Content {
  readonly #calls: Calls;
  readonly #cache: Cache;

  constructor(calls: Calls, cache: Cache) {
    this.#calls = calls;
    this.#cache = cache;
  }

  /** `docs`: of the agents, as they are at `readTime`. */
  async loaded(docs: readonly Doc[], readTime: Stamp | undefined): Promise<ReadonlyMap<AgentKey, LoadedAgent>> {
    const at = readTime === undefined ? {} : { readTime };
    const agents = docs.map((doc) => ({ record: agentRecord(doc), doc }));
    const keys = agents.map(({ record }) => record.key);
    const [checkpoints, timers, effects, mailbox, open, rest] = await Promise.all([
      this.#calls.get(
        keys.map((key) => this.#calls.path('checkpoints', agentName(key))),
        at,
      ),
      this.#of('timers', 'agent', keys, at),
      this.#of('effects', 'agent', keys, at),
      this.#of('mailbox', 'agent', keys, at),
      this.#of('ledger', 'openOf', keys, at),
      Promise.all(
        agents.map(async ({ record: { key, sequenceNumber, checkpointSequenceNumber: base }, doc }) => {
          const hasTail = sequenceNumber > base;
          const [tail, settled, marks] = await Promise.all([
            hasTail ? this.journal(key, base, Infinity, at) : [],
            hasTail ? this.#settled(key, base, at) : [],
            doc.fields['marked'] === true ? this.#marks(key, newestMarks + 1, at) : [],
          ]);
          return { tail, settled, marks };
        }),
      ),
    ]);
    return new Map(
      agents.map(({ record, doc }, index) => {
        const { key } = record;
        const checkpoint = checkpoints.docs[index];
        if (checkpoint !== undefined) this.#cache.setChunks(this.#calls.path('checkpoints', checkpoint.name), checkpoint.chunks);
        const { tail = [], settled = [], marks = [] } = rest[index] ?? {};
        const loaded: LoadedAgent = {
          record,
          input: record.sequenceNumber === 0 ? (doc.fields['input'] as string | undefined) : undefined,
          checkpoint: checkpoint && checkpointRecord(checkpoint),
          tail,
          timers: (timers.get(key) ?? []).map(timerRecord),
          operations: [...(open.get(key) ?? []).map(operationRecord), ...settled],
          effects: (effects.get(key) ?? []).map(effectRecord).sort(byPlace),
          mailbox: (mailbox.get(key) ?? []).map(mailboxRecord),
          marks: marks.slice(0, newestMarks),
          marksComplete: marks.length <= newestMarks,
          downSince: undefined,
        };
        return [key, loaded];
      }),
    );
  }

  /** Documents of agents, by agent, in order of name. */
  async #of(
    collection: Query['collection'],
    field: string,
    keys: readonly AgentKey[],
    at: Pick<Query, 'readTime'>,
  ): Promise<ReadonlyMap<AgentKey, readonly Doc[]>> {
    const parts: AgentKey[][] = [];
    for (let index = 0; index < keys.length; index += mostInOne) parts.push(keys.slice(index, index + mostInOne));
    const found = new Map<AgentKey, Doc[]>();
    await Promise.all(
      parts.map(async (part) => {
        const { docs } = await this.#calls.query({ collection, where: [[field, 'IN', part]], ...at });
        for (const doc of docs) {
          const key = doc.fields['agent'] as number;
          const list = found.get(key) ?? [];
          if (list.length === 0) found.set(key, list);
          list.push(doc);
          this.#cache.setChunks(this.#calls.path(collection, doc.name), doc.chunks);
        }
      }),
    );
    for (const list of found.values()) list.sort((one, other) => (one.name < other.name ? -1 : 1));
    return found;
  }

  async journal(agent: AgentKey, after: number, limit: number, at: Pick<Query, 'readTime'> = {}): Promise<JournalSegment[]> {
    const { from, to } = rangeOf(agent);
    const names = { from, to, after: numberName(agent, after) };
    const { docs } = await this.#calls.query({ collection: 'journal', names, limit, ...at });
    return docs.map(journalSegment);
  }

  async #settled(agent: AgentKey, base: number, at: Pick<Query, 'readTime'>): Promise<OperationRecord[]> {
    const { docs } = await this.#calls.query({
      collection: 'ledger',
      where: [
        ['settledPlace', 'GREATER_THAN', `${padded(agent)} ${padded(base)}`],
        ['settledPlace', 'LESS_THAN', `${padded(agent)}!`],
      ],
      ...at,
    });
    for (const doc of docs) this.#cache.setChunks(this.#calls.path('ledger', doc.name), doc.chunks);
    return docs.map(operationRecord);
  }

  /** The newest first. */
  async #marks(agent: AgentKey, limit: number, at: Pick<Query, 'readTime'>): Promise<{ messageId: string; sequenceNumber: number }[]> {
    const { docs } = await this.#calls.query({
      collection: 'marks',
      where: [
        ['newest', 'GREATER_THAN', padded(agent)],
        ['newest', 'LESS_THAN', `${padded(agent)}!`],
      ],
      order: [['newest', 'DESCENDING']],
      limit,
      ...at,
    });
    return docs.map(({ fields }) => ({ messageId: fields['messageId'] as string, sequenceNumber: fields['sequenceNumber'] as number }));
  }

  async mailbox(agent: AgentKey, after: number, at: Pick<Query, 'readTime'> = {}): Promise<MailboxRecord[]> {
    const { from, to } = rangeOf(agent);
    const { docs } = await this.#calls.query({ collection: 'mailbox', names: { from, to, after: numberName(agent, after) }, ...at });
    for (const doc of docs) this.#cache.setChunks(this.#calls.path('mailbox', doc.name), doc.chunks);
    return docs.map(mailboxRecord);
  }

  /** In the order in which they were intended. */
  async operations(agent: AgentKey, at: Pick<Query, 'readTime'> = {}): Promise<OperationRecord[]> {
    const { docs } = await this.#calls.query({ collection: 'ledger', names: rangeOf(agent), ...at });
    return docs
      .map(operationRecord)
      .sort((one, other) => one.intendedIn - other.intendedIn || one.intendedAt - other.intendedAt || (one.id < other.id ? -1 : 1));
  }

  async timers(agent: AgentKey, at: Pick<Query, 'readTime'> = {}): Promise<TimerRecord[]> {
    return (await this.#calls.query({ collection: 'timers', names: rangeOf(agent), ...at })).docs.map(timerRecord);
  }

  async effects(agent: AgentKey, at: Pick<Query, 'readTime'> = {}): Promise<EffectRecord[]> {
    return (await this.#calls.query({ collection: 'effects', names: rangeOf(agent), ...at })).docs.map(effectRecord).sort(byPlace);
  }

  marks(agent: AgentKey, at: Pick<Query, 'readTime'> = {}): Promise<{ messageId: string; sequenceNumber: number }[]> {
    return this.#marks(agent, Infinity, at);
  }
}

/** Effect ids are `turn.place`: in the order in which they were asked for. */
function byPlace(one: { readonly id: string }, other: { readonly id: string }): number {
  const [turn = 0, place = 0] = one.id.split('.').map(Number);
  const [otherTurn = 0, otherPlace = 0] = other.id.split('.').map(Number);
  return turn - otherTurn || place - otherPlace;
}

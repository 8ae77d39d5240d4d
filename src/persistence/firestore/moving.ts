/**
 * Agents as wholes: read, put in, laid aside, brought back, taken away, given up. Each changes the agent's own document once, on condition that it is as it was read; that is the moment at which it happens. What is too much for one request is written before it where nobody looks yet, or taken away after it for as long as the
 * agent's document stays as it was left: so that whoever dies in between leaves what is used by nobody.
 */

import { StoreUnavailableError } from '../../core/errors.js';
import type {
  AgentKey,
  AgentRecord,
  CheckpointRecord,
  EffectRecord,
  JournalSegment,
  MailboxRecord,
  OperationRecord,
  TimerRecord,
} from '../store.js';
import { Batch } from './batch.js';
import { nameFields } from './cache.js';
import type { Doc, Query } from './calls.js';
import type { Content } from './content.js';
import type { Author } from './draft.js';
import { isRace } from './faults.js';
import type { Loading } from './loading.js';
import type { Membership } from './membership.js';
import { agentName, idName, numberName, partName, rangeOf, type Collection } from './places.js';
import {
  agentFields,
  agentRecord,
  checkpointFields,
  checkpointRecord,
  effectFields,
  mailFields,
  markFields,
  operationFields,
  segmentFields,
  timerFields,
} from './rows.js';
import type { Stamp } from './values.js';

/** All that a store keeps of one agent. */
export interface WholeAgent {
  readonly record: AgentRecord & { readonly archive?: string | undefined };
  readonly input: string | undefined;
  readonly checkpoint: CheckpointRecord | undefined;
  readonly journal: readonly JournalSegment[];
  readonly timers: readonly TimerRecord[];
  readonly operations: readonly OperationRecord[];
  readonly effects: readonly EffectRecord[];
  readonly mailbox: readonly MailboxRecord[];
  readonly marks: readonly { readonly messageId: string; readonly sequenceNumber: number }[];
}

/** An agent, and how it is thought to stand. */
export interface Standing {
  readonly key: AgentKey;
  readonly fence: number;
  readonly sequenceNumber: number;
}

const attempts = 10;
const together = 200;
/** In the order in which they go: what lists of all agents show first. */
const parts: readonly Collection[] = ['timers', 'effects', 'ledger', 'checkpoints', 'journal', 'marks'];

export class Moving {
  readonly #author: Author;
  readonly #membership: Membership;
  readonly #content: Content;
  readonly #loading: Loading;

  constructor(author: Author, membership: Membership, content: Content, loading: Loading) {
    this.#author = author;
    this.#membership = membership;
    this.#content = content;
    this.#loading = loading;
  }

  async whole(agents: readonly AgentKey[]): Promise<(WholeAgent | undefined)[]> {
    const { docs, readTime } = await this.#loading.documents(agents);
    const at = readTime === undefined ? {} : { readTime };
    return Promise.all(docs.map(async (doc) => (doc === undefined ? undefined : this.#whole(doc, at))));
  }

  async #whole(doc: Doc, at: Pick<Query, 'readTime'>): Promise<WholeAgent> {
    const { calls } = this.#author;
    const record = agentRecord(doc);
    const { key } = record;
    const [{ docs }, journal, timers, operations, effects, mailbox, marks] = await Promise.all([
      calls.get([calls.path('checkpoints', agentName(key))], at),
      this.#content.journal(key, 0, Infinity, at),
      this.#content.timers(key, at),
      this.#content.operations(key, at),
      this.#content.effects(key, at),
      this.#content.mailbox(key, 0, at),
      this.#content.marks(key, at),
    ]);
    const input = doc.fields['input'];
    return {
      record,
      input: typeof input === 'string' ? input : undefined,
      checkpoint: docs[0] && checkpointRecord(docs[0]),
      journal,
      timers,
      operations,
      effects,
      mailbox,
      marks,
    };
  }

  async install(agents: readonly WholeAgent[]): Promise<('installed' | 'exists')[]> {
    const outcomes: ('installed' | 'exists')[] = [];
    for (const agent of agents) outcomes.push(await this.#install(agent));
    return outcomes;
  }

  async #install(agent: WholeAgent): Promise<'installed' | 'exists'> {
    const { calls } = this.#author;
    const record = { ...agent.record, owner: undefined };
    const { key, id } = record;
    const { docs } = await calls.get([calls.root, calls.path('agents', agentName(key)), calls.path('names', idName(id))]);
    this.#membership.checkRoot(docs[0]);
    if (docs[1] !== undefined || docs[2] !== undefined) return 'exists';
    const batch = await this.#contents(agent);
    batch.put(
      'agents',
      agentName(key),
      { ...agentFields(record), input: agent.input, marked: agent.marks.length > 0 },
      { expected: 'absent' },
    );
    batch.put('names', idName(id), nameFields(record), { expected: 'absent' });
    for (const message of agent.mailbox) {
      const position = this.#author.nextPosition();
      batch.put('mailbox', numberName(key, position), mailFields(key, position, message, 0, this.#author.by), { expected: 'absent' });
      if (message.messageId !== undefined) batch.put('marks', partName(key, message.messageId), markFields(key, message.messageId, 0));
    }
    return (await this.#happens(batch)) === undefined ? 'exists' : 'installed';
  }

  /** A batch with what belongs to an agent but for its own document and its mailbox; what there may be very much of is written already. */
  async #contents({ record, checkpoint, journal, timers, operations, effects, marks }: WholeAgent): Promise<Batch> {
    const { calls } = this.#author;
    const { key, id } = record;
    let before = new Batch(calls);
    const flush = async (): Promise<void> => {
      if (before.size > 0) await before.send(this.#author.cache.chunksOf);
      before = new Batch(calls);
    };
    for (const segment of journal) {
      before.put('journal', numberName(key, segment.lastSequenceNumber), segmentFields(key, segment));
      if (before.isFull) await flush();
    }
    for (const { messageId, sequenceNumber } of marks) {
      before.put('marks', partName(key, messageId), markFields(key, messageId, sequenceNumber));
      if (before.isFull) await flush();
    }
    await flush();
    const batch = new Batch(calls);
    if (checkpoint !== undefined) batch.put('checkpoints', agentName(key), checkpointFields(key, checkpoint));
    for (const timer of timers) batch.put('timers', partName(key, timer.id), timerFields(key, timer));
    for (const operation of operations) batch.put('ledger', partName(key, operation.id), operationFields(key, id, operation));
    for (const effect of effects) batch.put('effects', partName(key, effect.id), effectFields(key, effect));
    return batch;
  }

  async archive(agents: readonly (Standing & { readonly archive: string })[]): Promise<('archived' | 'changed' | 'absent')[]> {
    const outcomes: ('archived' | 'changed' | 'absent')[] = [];
    for (const agent of agents) outcomes.push(await this.#archive(agent));
    return outcomes;
  }

  async #archive({ archive, ...standing }: Standing & { readonly archive: string }): Promise<'archived' | 'changed' | 'absent'> {
    const doc = await this.#standing(standing);
    if (typeof doc === 'string') return doc;
    const batch = new Batch(this.#author.calls);
    batch.put('agents', doc.name, { archive, input: undefined }, { merge: true, expected: doc.updateTime });
    const time = await this.#happens(batch, doc.name);
    if (time === undefined) return 'changed';
    await this.#clear(standing.key, parts, time);
    return 'archived';
  }

  async restore(agent: WholeAgent): Promise<'restored' | 'changed' | 'absent'> {
    const { calls } = this.#author;
    const { key } = agent.record;
    const path = calls.path('agents', agentName(key));
    const { docs } = await calls.get([calls.root, path]);
    this.#membership.checkRoot(docs[0]);
    const doc = docs[1];
    if (doc === undefined) return 'absent';
    if (doc.fields['archive'] === undefined || doc.fields['archive'] !== agent.record.archive) return 'changed';
    // From here on whoever still clears away what was archived finds the agent changed.
    const bump = new Batch(calls);
    bump.put('agents', doc.name, { restoring: this.#author.nextPosition() }, { merge: true, expected: doc.updateTime });
    const time = await this.#happens(bump, doc.name);
    if (time === undefined) return 'changed';
    const batch = await this.#contents(agent);
    const fields = { archive: undefined, restoring: undefined, input: agent.input, marked: agent.marks.length > 0 };
    batch.put('agents', doc.name, fields, { merge: true, expected: time });
    return (await this.#happens(batch)) === undefined ? 'changed' : 'restored';
  }

  async remove(agents: readonly Standing[]): Promise<('removed' | 'changed' | 'absent')[]> {
    const outcomes: ('removed' | 'changed' | 'absent')[] = [];
    for (const agent of agents) outcomes.push(await this.#remove(agent));
    return outcomes;
  }

  async #remove(standing: Standing): Promise<'removed' | 'changed' | 'absent'> {
    const doc = await this.#standing(standing);
    if (typeof doc === 'string') return doc;
    const batch = new Batch(this.#author.calls);
    batch.remove('agents', doc.name, doc.updateTime);
    batch.remove('names', idName(doc.fields['id'] as string));
    this.#author.cache.setChunks(this.#author.calls.path('agents', doc.name), doc.chunks);
    if ((await this.#happens(batch)) === undefined) return 'changed';
    this.#author.cache.forget([standing.key], [doc.fields['id'] as string]);
    await this.#clear(standing.key, ['mailbox', ...parts], undefined);
    return 'removed';
  }

  async release(agents: readonly AgentKey[]): Promise<void> {
    for (let index = 0; index < agents.length; index += together) await this.#release(agents.slice(index, index + together));
  }

  async #release(agents: readonly AgentKey[]): Promise<void> {
    const { calls, cache, node } = this.#author;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { docs } = await this.#loading.documents(agents);
      const held = docs.filter((doc): doc is Doc => doc !== undefined && node !== 0 && agentRecord(doc).owner === node);
      if (held.length === 0) return;
      const batch = new Batch(calls);
      for (const doc of held) {
        const record = agentRecord(doc);
        batch.put('agents', doc.name, { owner: undefined }, { merge: true, expected: doc.updateTime });
        batch.put('names', idName(record.id), nameFields({ ...record, owner: undefined }), { expected: 'there' });
      }
      const time = await this.#happens(batch);
      cache.forget(
        agents,
        held.map((doc) => doc.fields['id'] as string),
      );
      if (time !== undefined) return;
    }
    throw new StoreUnavailableError(`${calls.name}: agents could not be given up`, {
      hint: 'They change all the time; it is tried again.',
    });
  }

  /** The agent's document, if it stands so and no live node holds it. */
  async #standing({ key, fence, sequenceNumber }: Standing): Promise<Doc | 'changed' | 'absent'> {
    const [{ docs }, members] = await Promise.all([this.#loading.documents([key]), this.#membership.members()]);
    const [doc] = docs;
    if (doc === undefined) return 'absent';
    const record = agentRecord(doc);
    const isHeld = members.some((member) => member.record.node === record.owner);
    return isHeld || record.fence !== fence || record.sequenceNumber !== sequenceNumber ? 'changed' : doc;
  }

  /** Resolves to when `agent`'s document was written, undefined when something was not as expected. */
  async #happens(batch: Batch, agent?: string): Promise<Stamp | undefined> {
    const { calls, cache } = this.#author;
    try {
      const { times, commitTime } = await batch.send(cache.chunksOf);
      for (const path of times.keys()) cache.setChunks(path, batch.chunked.get(path) ?? []);
      return (agent === undefined ? undefined : times.get(calls.path('agents', agent))) ?? commitTime;
    } catch (error) {
      if (isRace(error)) return undefined;
      throw error;
    }
  }

  /** Takes away what there is of an agent in these collections, for as long as its document was last written at `time`; undefined: it has none. */
  async #clear(agent: AgentKey, collections: readonly Collection[], time: Stamp | undefined): Promise<void> {
    const { calls, cache } = this.#author;
    // A checkpoint has the agent's own name.
    const { from, to } = { from: agentName(agent), to: rangeOf(agent).to };
    for (const collection of collections) {
      for (let after: string | undefined; ;) {
        const names = { from, to, ...(after === undefined ? {} : { after }) };
        const { docs: found } = await calls.query({ collection, names, limit: together, raw: true });
        after = found.at(-1)?.name;
        // What waits in the mailbox keeps its message id.
        const docs = found.filter((doc) => collection !== 'marks' || time === undefined || doc.fields['sequenceNumber'] !== 0);
        const batch = new Batch(calls);
        if (time !== undefined) batch.verify('agents', agentName(agent), time);
        for (const doc of docs) {
          batch.remove(collection, doc.name);
          cache.setChunks(calls.path(collection, doc.name), doc.chunks);
        }
        try {
          await batch.send(cache.chunksOf);
        } catch (error) {
          // It is somebody's again.
          if (isRace(error)) return;
          throw error;
        }
        if (found.length < together) break;
      }
    }
  }
}

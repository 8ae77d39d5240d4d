/**
 * Agents as wholes: read, put in, archived, brought back, removed, given up. Each changes the agent's own document once, on condition that it is as it was read; that is the moment at which it happens. What is too much for that one request is written before it where nobody looks yet, or taken away after it for as long as the
 * agent's document stays as it was left: so that whoever dies in between leaves what is used by nobody.
 */

import { sleep, systemClock } from '../../core/clock.js';
import { StoreUnavailableError } from '../../core/errors.js';
import type { AgentKey, AgentStand, ArchiveOrder, OperationRecord, RemoveOrder, WholeAgent } from '../store.js';
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
  artifactFields,
  artifactNames,
  checkpointFields,
  checkpointRecord,
  effectFields,
  isFinal,
  mailFields,
  markFields,
  operationFields,
  segmentFields,
  timerFields,
} from './rows.js';
import type { Stamp } from './values.js';

const attempts = 10;
const together = 200;
/** Names of artifacts in one document. */
const namesTogether = 1_000;
/** What an archive takes, in the order in which it goes: what lists of all agents show first. Of the ledger not what has a user key. */
const archivedParts: readonly Collection[] = ['timers', 'effects', 'ledger', 'checkpoints', 'journal'];
const allParts: readonly Collection[] = ['mailbox', ...archivedParts, 'archives', 'marks'];

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
    const isArchived = record.archive !== undefined;
    const [{ docs }, journal, timers, operations, effects, mailbox, marks, archives] = await Promise.all([
      calls.get([calls.path('checkpoints', agentName(key))], at),
      this.#content.journal(key, 0, Infinity, at),
      this.#content.timers(key, at),
      this.#content.operations(key, at),
      this.#content.effects(key, at),
      this.#content.mailbox(key, 0, at),
      this.#content.marks(key, at),
      isArchived ? calls.query({ collection: 'archives', names: rangeOf(key), ...at }) : undefined,
    ]);
    const kept = { record, mailbox, marks, artifacts: archives?.docs.flatMap(artifactNames) ?? [] };
    if (isArchived) {
      // Of the rest there may be some yet: see `#clear`.
      const keyed = operations.filter(({ userKey }) => userKey !== undefined);
      return { ...kept, input: undefined, checkpoint: undefined, journal: [], timers: [], operations: keyed, effects: [] };
    }
    const input = record.sequenceNumber === 0 ? doc.fields['input'] : undefined;
    return {
      ...kept,
      input: typeof input === 'string' ? input : undefined,
      checkpoint: docs[0] && checkpointRecord(docs[0]),
      journal,
      timers,
      operations,
      effects,
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
    this.#putArtifacts(batch, key, agent.artifacts);
    for (const message of agent.mailbox) {
      const position = this.#author.nextPosition();
      batch.put('mailbox', numberName(key, position), mailFields(key, position, message, 0, this.#author.by), { expected: 'absent' });
      if (message.messageId !== undefined) batch.put('marks', partName(key, message.messageId), markFields(key, message.messageId, 0));
    }
    return (await this.#happens(batch)) === undefined ? 'exists' : 'installed';
  }

  /** A batch with what belongs to an agent but for its own document, its mailbox and what its archive names; what there may be very much of is written already. */
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
    for (const operation of operations.filter(isQuiet)) {
      before.put('ledger', partName(key, operation.id), operationFields(key, id, operation));
      if (before.isFull) await flush();
    }
    await flush();
    const batch = new Batch(calls);
    if (checkpoint !== undefined) batch.put('checkpoints', agentName(key), checkpointFields(key, checkpoint));
    for (const timer of timers) batch.put('timers', partName(key, timer.id), timerFields(key, timer));
    for (const operation of operations)
      if (!isQuiet(operation)) batch.put('ledger', partName(key, operation.id), operationFields(key, id, operation));
    for (const effect of effects) batch.put('effects', partName(key, effect.id), effectFields(key, effect));
    return batch;
  }

  #putArtifacts(batch: Batch, key: AgentKey, artifacts: readonly string[]): void {
    const names = [...new Set(artifacts)];
    for (let index = 0; index < names.length; index += namesTogether)
      batch.put('archives', numberName(key, index), artifactFields(key, names.slice(index, index + namesTogether)));
  }

  async archive(agents: readonly ArchiveOrder[]): Promise<('archived' | 'changed' | 'absent')[]> {
    const outcomes: ('archived' | 'changed' | 'absent')[] = [];
    for (const agent of agents) outcomes.push(await this.#again(() => this.#archive(agent)));
    return outcomes;
  }

  async #archive({ archive, artifacts, ...stand }: ArchiveOrder): Promise<'archived' | 'changed' | 'absent' | undefined> {
    const { calls, cache } = this.#author;
    const doc = await this.#standing(stand);
    if (typeof doc === 'string') return doc;
    const record = agentRecord(doc);
    if (record.busy || record.archive !== undefined) return 'changed';
    const { key, id } = record;
    const batch = new Batch(calls);
    const fields = { ...doc.fields, archive, fence: record.fence + 1, owner: undefined, input: undefined };
    batch.put('agents', doc.name, fields, { expected: doc.updateTime });
    cache.setChunks(calls.path('agents', doc.name), doc.chunks);
    batch.put('names', idName(id), nameFields({ ...record, owner: undefined }), { expected: 'there' });
    this.#putArtifacts(batch, key, artifacts);
    const isAll = await this.#takeAway(batch, key, archivedParts, isKeyed);
    const time = await this.#happens(batch, { agent: doc.name });
    cache.forget([key], [id]);
    if (time === undefined) return undefined;
    if (!isAll) await this.#clear(key, archivedParts, time);
    return 'archived';
  }

  async restore(agent: WholeAgent): Promise<'restored' | 'changed' | 'absent'> {
    const { calls, cache } = this.#author;
    const { key } = agent.record;
    const path = calls.path('agents', agentName(key));
    const { docs } = await calls.get([calls.root, path]);
    this.#membership.checkRoot(docs[0]);
    const doc = docs[1];
    if (doc === undefined) return 'absent';
    const { archive, id } = agentRecord(doc);
    if (archive === undefined || archive !== agent.record.archive) return 'changed';
    // From here on whoever still clears away what was archived finds the agent changed.
    const bump = new Batch(calls);
    bump.put('agents', doc.name, { restoring: this.#author.nextPosition() }, { merge: true, expected: doc.updateTime });
    const expected = await this.#happens(bump, { agent: doc.name });
    if (expected === undefined) return 'changed';
    const present = new Set((await this.#content.operations(key)).map((operation) => operation.id));
    const operations = agent.operations.filter((operation) => !present.has(operation.id));
    const batch = await this.#contents({ ...agent, operations, marks: [] });
    batch.put('agents', doc.name, { ...doc.fields, archive: undefined, restoring: undefined, input: agent.input }, { expected });
    cache.setChunks(path, doc.chunks);
    await this.#takeAway(batch, key, ['archives'], () => false);
    const time = await this.#happens(batch);
    cache.forget([key], [id]);
    return time === undefined ? 'changed' : 'restored';
  }

  async remove(agents: readonly RemoveOrder[]): Promise<('removed' | 'changed' | 'absent')[]> {
    const outcomes: ('removed' | 'changed' | 'absent')[] = [];
    for (const agent of agents) outcomes.push(await this.#again(() => this.#remove(agent)));
    return outcomes;
  }

  async #remove({ lastMail, ...stand }: RemoveOrder): Promise<'removed' | 'changed' | 'absent' | undefined> {
    const { calls, cache } = this.#author;
    const doc = await this.#standing(stand);
    if (typeof doc === 'string') return doc;
    const { key, id } = agentRecord(doc);
    const batch = new Batch(calls);
    batch.remove('agents', doc.name, doc.updateTime);
    batch.remove('names', idName(id));
    cache.setChunks(calls.path('agents', doc.name), doc.chunks);
    // Within a transaction, so that nothing can come in until it is gone.
    const after = numberName(key, lastMail);
    const more = await calls.query({ collection: 'mailbox', names: { ...rangeOf(key), after }, limit: 1, raw: true, transaction: 'begin' });
    const { transaction } = more;
    let time: Stamp | undefined;
    let isAll: boolean;
    try {
      if (more.docs.length > 0) return 'changed';
      isAll = await this.#takeAway(batch, key, allParts, () => false);
      time = await this.#happens(batch, { transaction });
    } finally {
      if (time === undefined && transaction !== undefined) await calls.rollback(transaction);
    }
    cache.forget([key], [id]);
    if (time === undefined) return undefined;
    if (!isAll) await this.#clear(key, allParts, undefined);
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

  /** The agent's document, if it stands so and no other live node holds it. */
  async #standing({ key, fence, sequenceNumber }: AgentStand): Promise<Doc | 'changed' | 'absent'> {
    const [{ docs }, others] = await Promise.all([this.#loading.documents([key]), this.#membership.others()]);
    const [doc] = docs;
    if (doc === undefined) return 'absent';
    const record = agentRecord(doc);
    const isHeld = record.owner !== undefined && others.has(record.owner) && !(isFinal(record.status) && !record.busy);
    return isHeld || record.fence !== fence || record.sequenceNumber !== sequenceNumber ? 'changed' : doc;
  }

  /** Until it can be said how an agent stands: what came in between, as mail, need not have changed it. */
  async #again<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    for (let count = 1; count <= attempts; count += 1) {
      const outcome = await attempt();
      if (outcome !== undefined) return outcome;
      await sleep(systemClock, Math.min(10 * 2 ** count, 500));
    }
    throw new StoreUnavailableError(`${this.#author.calls.name}: an agent could not be archived or removed`, {
      hint: 'It, or its mailbox, changes all the time; it is tried again.',
    });
  }

  /** Resolves to when `agent`'s document was written, undefined when something was not as expected. */
  async #happens(
    batch: Batch,
    { agent, transaction }: { readonly agent?: string; readonly transaction?: Uint8Array | undefined } = {},
  ): Promise<Stamp | undefined> {
    const { calls, cache } = this.#author;
    try {
      const { times, commitTime } = await batch.send(cache.chunksOf, transaction);
      for (const path of times.keys()) cache.setChunks(path, batch.chunked.get(path) ?? []);
      return (agent === undefined ? undefined : times.get(calls.path('agents', agent))) ?? commitTime;
    } catch (error) {
      if (isRace(error)) return undefined;
      throw error;
    }
  }

  /** Takes away what the request that it happened in had no room for, for as long as the agent's document was last written at `time`; undefined: it has none. */
  async #clear(agent: AgentKey, collections: readonly Collection[], time: Stamp | undefined): Promise<void> {
    const { calls } = this.#author;
    for (let isAll = false; !isAll;) {
      const batch = new Batch(calls);
      if (time === undefined) batch.remove('agents', agentName(agent), 'absent');
      else batch.verify('agents', agentName(agent), time);
      isAll = await this.#takeAway(batch, agent, collections, time === undefined ? () => false : isKeyed);
      // It is somebody's again.
      if ((await this.#happens(batch)) === undefined) return;
    }
  }

  /** Puts the end of what there is of an agent in these collections into a batch. False: there is more than one request takes. */
  async #takeAway(
    batch: Batch,
    agent: AgentKey,
    collections: readonly Collection[],
    isKept: (collection: Collection, doc: Doc) => boolean,
  ): Promise<boolean> {
    const { calls, cache } = this.#author;
    // A checkpoint has the agent's own name.
    const { from, to } = { from: agentName(agent), to: rangeOf(agent).to };
    for (const collection of collections) {
      for (let after: string | undefined; ;) {
        const names = { from, to, ...(after === undefined ? {} : { after }) };
        const { docs } = await calls.query({ collection, names, limit: together, raw: true });
        for (const doc of docs) {
          if (isKept(collection, doc)) continue;
          if (batch.isFull) return false;
          batch.remove(collection, doc.name);
          cache.setChunks(calls.path(collection, doc.name), doc.chunks);
        }
        if (docs.length < together) break;
        after = docs.at(-1)?.name;
      }
    }
    return true;
  }
}

/** What an archived agent keeps of its ledger. */
function isKeyed(collection: Collection, { fields }: Doc): boolean {
  return collection === 'ledger' && fields['userKey'] !== undefined;
}

/** No list of all agents shows it. */
function isQuiet({ settledIn, userKey, saga, status }: OperationRecord): boolean {
  return settledIn !== 0 && userKey === undefined && saga === undefined && status !== 'held' && status !== 'unknown';
}

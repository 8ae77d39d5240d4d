/**
 * A Spanner store opened by one node or observer. What it knows of agents it has read or written it keeps in memory (`known.ts`), so that it need not ask before it writes; when a call says that the database is gone, no other call is made.
 */

import { RuntimeClosedError, StorePoisonedError } from '../../core/errors.js';
import { isKeptBySender } from '../kept-by-sender.js';
import type {
  AgentCommit,
  AgentKey,
  AgentRecord,
  ArchiveOrder,
  CommitOutcome,
  LoadedAgent,
  MachineRecord,
  MailboxRecord,
  NoteName,
  NoteRecord,
  OpenedStore,
  RemoveOrder,
  WholeAgent,
} from '../store.js';
import { callError } from './faults.js';
import { scatter } from './keys.js';
import type { Memory, Waiting } from './known.js';
import type { Link } from './link.js';
import type { MailWatch } from './mail-watch.js';
import { isLong, Mutations } from './mutations.js';
import { Order } from './order.js';
import type { Ownership } from './ownership.js';
import { isFinal } from './plan.js';
import type { Queries, View } from './queries.js';
import type { Upkeep } from './upkeep.js';
import { commitTimestamp, text } from './wire.js';
import type { Whole } from './whole.js';
import type { Writer } from './writer.js';

export interface OpenedParts {
  readonly name: string;
  readonly now: () => number;
  readonly link: Link;
  readonly memory: Memory;
  readonly queries: Queries;
  readonly upkeep: Upkeep;
  readonly ownership: Ownership;
  readonly writer: Writer;
  readonly watch: MailWatch;
  readonly whole: Whole;
}

/** Agents read whole in one query. */
const viewsAtOnce = 100;

export class SpannerStore implements OpenedStore {
  readonly node: number;
  readonly #parts: OpenedParts;
  readonly #order: Order<AgentCommit, CommitOutcome>;
  #closing: Promise<void> | undefined;
  #dead: StorePoisonedError | undefined;

  constructor(parts: OpenedParts) {
    this.#parts = parts;
    this.node = parts.ownership.node;
    this.#order = new Order((commits) => this.#guard(() => parts.writer.commit(commits)));
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#dead !== undefined) throw this.#dead;
    try {
      return await work();
    } catch (error) {
      const failure = callError(this.#parts.name, error);
      if (failure instanceof StorePoisonedError) this.#dead ??= failure;
      throw failure;
    }
  }

  #read<T>(work: () => Promise<T>): Promise<T> {
    return this.#closing === undefined ? this.#order.read(() => this.#guard(work)) : Promise.reject(closed());
  }

  #write<T>(work: () => Promise<T>): Promise<T> {
    return this.#closing === undefined ? this.#order.write(() => this.#guard(work)) : Promise.reject(closed());
  }

  /** Waits for no other call, and none waits for it: what has to be in time, and what may take long. */
  #aside<T>(work: () => Promise<T>): Promise<T> {
    return this.#closing === undefined ? this.#guard(work) : Promise.reject(closed());
  }

  // ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  commit: OpenedStore['commit'] = (commits) => (this.#closing === undefined ? this.#order.commit(commits) : Promise.reject(closed()));
  post: OpenedStore['post'] = (messages, cap) => this.#write(() => this.#parts.writer.post(messages, cap, this.#parts.now()));
  redrive: OpenedStore['redrive'] = (positions, to, cap) =>
    this.#write(() => this.#parts.writer.redrive(positions, to, cap, this.#parts.now()));
  discard: OpenedStore['discard'] = (positions) => this.#write(() => this.#parts.writer.discard(positions));
  expire: OpenedStore['expire'] = (page) => this.#write(() => this.#parts.upkeep.expire(page));

  publish(notes: readonly NoteRecord[]): Promise<void> {
    const mutations = new Mutations();
    for (const { topic, author, data, at } of notes) {
      mutations.upsert('notes', { topic, author, data, noted_at: at, written: commitTimestamp });
    }
    return this.#write(async () => (notes.length === 0 ? undefined : this.#parts.writer.keep(mutations)));
  }

  retract(names: readonly NoteName[]): Promise<void> {
    return this.#write(async () => {
      if (names.length === 0) return;
      await this.#parts.link.transact(async ({ query }) => {
        const mutations = new Mutations();
        for (const { topic, author, ifAt } of names) {
          if (ifAt !== undefined) {
            const sql = 'SELECT n.noted_at FROM notes n WHERE n.topic = @topic AND n.author = @author';
            const [row] = await query(sql, { topic: text(topic), author: text(author) });
            if (row?.['noted_at'] !== ifAt) continue;
          }
          mutations.delete('notes', topic, author);
          mutations.forgetTexts('notes', -1, topic, author);
        }
        return { result: undefined, mutations: mutations.list };
      });
    });
  }

  saveMachines(machines: readonly MachineRecord[]): Promise<void> {
    const mutations = new Mutations();
    for (const { kind, version, schema, definition } of machines) mutations.upsert('machines', { kind, version, schema, definition });
    return this.#write(async () => (machines.length === 0 ? undefined : this.#parts.writer.keep(mutations)));
  }

  // ── Holding agents ──────────────────────────────────────────────────────────────────────────────────────────────

  load: OpenedStore['load'] = (agents) => this.#write(() => this.#parts.ownership.load(agents));
  heartbeat: OpenedStore['heartbeat'] = () => this.#aside(() => this.#parts.ownership.heartbeat());
  nodes: OpenedStore['nodes'] = () => this.#read(() => this.#parts.ownership.nodes());
  runnable: OpenedStore['runnable'] = (page) => this.#read(() => this.#parts.ownership.runnable(page));
  dueTimers: OpenedStore['dueTimers'] = (page) => this.#read(() => this.#parts.ownership.dueTimers(page));

  onForeignMail(listener: (agents: readonly AgentKey[]) => void): void {
    if (this.#closing === undefined) this.#parts.watch.listen(listener);
  }

  // ── Agents whole ────────────────────────────────────────────────────────────────────────────────────────────────

  whole = (agents: readonly AgentKey[]): Promise<readonly (WholeAgent | undefined)[]> => this.#read(() => this.#parts.whole.read(agents));
  install = (agents: readonly WholeAgent[]): Promise<readonly ('installed' | 'exists')[]> =>
    this.#write(() => this.#parts.whole.install(agents));
  archive = (agents: readonly ArchiveOrder[]): Promise<readonly ('archived' | 'changed' | 'absent')[]> =>
    this.#write(() => this.#parts.whole.archive(agents));
  restore = (agent: WholeAgent): Promise<'restored' | 'changed' | 'absent'> => this.#write(() => this.#parts.whole.restore(agent));
  remove = (agents: readonly RemoveOrder[]): Promise<readonly ('removed' | 'changed' | 'absent')[]> =>
    this.#write(() => this.#parts.whole.remove(agents));
  release = (agents: readonly AgentKey[]): Promise<void> => this.#write(() => this.#parts.whole.release(agents));

  // ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  heads: OpenedStore['heads'] = (keys) => this.#read(() => this.#parts.queries.heads(keys));
  mark: OpenedStore['mark'] = (agent, messageId) => this.#read(() => this.#parts.queries.mark(agent, messageId));
  keyed: OpenedStore['keyed'] = (activity, userKey) => this.#read(() => this.#parts.queries.keyed(activity, userKey));
  parked: OpenedStore['parked'] = (page) => this.#read(() => this.#parts.queries.parked(page));
  flagged: OpenedStore['flagged'] = (page) => this.#read(() => this.#parts.queries.flagged(page));
  hasArtifacts: OpenedStore['hasArtifacts'] = (names) => this.#read(() => this.#parts.queries.hasArtifacts(names));
  notes: OpenedStore['notes'] = (prefix, since = -Infinity) => this.#read(() => this.#parts.queries.notes(prefix, since));
  machines: OpenedStore['machines'] = (kind) => this.#read(() => this.#parts.queries.machines(kind));
  list: OpenedStore['list'] = (filter) => this.#read(() => this.#parts.queries.list(filter));
  journal: OpenedStore['journal'] = (agent, page) => this.#read(() => this.#parts.queries.journal(agent, page));
  operations: OpenedStore['operations'] = (agent) => this.#read(() => this.#parts.queries.operations(agent));
  deadLetters: OpenedStore['deadLetters'] = (page) => this.#read(() => this.#parts.queries.deadLetters(page));
  counts: OpenedStore['counts'] = () => this.#aside(() => this.#parts.upkeep.counts());
  check: OpenedStore['check'] = (progress) => this.#aside(() => this.#parts.upkeep.check(progress));

  lookup: OpenedStore['lookup'] = (agents) =>
    this.#read(async () => {
      const ids = agents.filter((agent) => typeof agent === 'string');
      const keys = agents.filter((agent) => typeof agent === 'number');
      const records = await this.#parts.queries.lookup(ids, keys);
      const found = new Map<string | AgentKey, AgentRecord>();
      for (const record of records) found.set(record.id, record).set(record.key, record);
      return agents.map((agent) => found.get(agent));
    });

  inspect: OpenedStore['inspect'] = (agent) =>
    this.#read(async () => {
      const { queries } = this.#parts;
      const [record] = typeof agent === 'string' ? await queries.lookup([agent], []) : [{ key: agent }];
      if (record === undefined) return undefined;
      return (await queries.views([record.key])).get(record.key)?.loaded;
    });

  mailbox: OpenedStore['mailbox'] = (agent, after) =>
    this.#read(async () => {
      const { queries, memory } = this.#parts;
      const { messages, tail, marked } = await queries.mailbox(agent, after);
      const known = memory.agent(agent);
      // Memory has all up to its tail, and now what came after it.
      if (known?.waiting !== undefined && known.tail !== undefined && tail !== undefined && tail > known.tail && after <= known.tail) {
        for (const message of messages) {
          if (message.position > known.tail) known.waiting.set(message.position, waitingOf(message, marked));
        }
        memory.keep({ ...known, tail });
      }
      return messages;
    });

  close(): Promise<void> {
    this.#closing ??= (async () => {
      const { ownership, link, watch } = this.#parts;
      await this.#order.write(async () => undefined);
      await watch.stop();
      try {
        if (this.#dead === undefined) await this.#guard(() => ownership.leave()).catch(() => undefined);
      } finally {
        await link.close();
      }
    })();
    return this.#closing;
  }
}

/** Agents that this node has read: those that are not finished are its own to write. */
export async function rememberedViews(queries: Queries, memory: Memory, keys: readonly AgentKey[]): Promise<Map<AgentKey, LoadedAgent>> {
  const loaded = new Map<AgentKey, LoadedAgent>();
  for (let start = 0; start < keys.length; start += viewsAtOnce) {
    for (const [key, view] of await queries.views(keys.slice(start, start + viewsAtOnce))) {
      loaded.set(key, view.loaded);
      remember(memory, view);
    }
  }
  return loaded;
}

function remember(memory: Memory, { loaded: { record, mailbox, checkpoint }, tail, marked }: View): void {
  const { key, id, fence, sequenceNumber, status } = record;
  memory.keep({
    key,
    agent: scatter(key),
    id,
    fence,
    sequenceNumber,
    tail,
    waiting: new Map(mailbox.map((message) => [message.position, waitingOf(message, marked)])),
    ended: isFinal(status),
    longCheckpoint: checkpoint !== undefined && isLong(checkpoint.data),
    record: undefined,
  });
}

function waitingOf({ messageId, replyTo, event }: MailboxRecord, marked: ReadonlySet<string>): Waiting {
  return {
    messageId,
    marked: messageId !== undefined && marked.has(messageId),
    keptBySender: isKeptBySender(replyTo),
    isLong: isLong(event),
  };
}

function closed(): RuntimeClosedError {
  return new RuntimeClosedError('the store is closed', { hint: 'Open it again.' });
}

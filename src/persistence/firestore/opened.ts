/** A Firestore store opened by one node or observer: the contract's calls, each given to the part that knows how. */

import { randomInt, randomUUID } from 'node:crypto';
import { sleep, systemClock } from '../../core/clock.js';
import { InvariantViolationError, StatewardenError, StoreUnavailableError } from '../../core/errors.js';
import { agentFaults } from '../record-check.js';
import type { AgentKey, CheckpointRecord, NodeLease, OpenedStore } from '../store.js';
import { Batch } from './batch.js';
import { Cache } from './cache.js';
import type { Calls } from './calls.js';
import { checkpointRecord, agentRecord } from './rows.js';
import type { Connection, ListeningClient } from './client.js';
import { Content } from './content.js';
import type { Author } from './draft.js';
import { expireResults } from './expiry.js';
import { isRace, openFault } from './faults.js';
import { Lists } from './lists.js';
import { buryLateMail } from './late-mail.js';
import { Listening } from './listening.js';
import { Loading } from './loading.js';
import { Membership } from './membership.js';
import { Moving } from './moving.js';
import { agentName, partName, textsName } from './places.js';
import { ServerClock } from './server-clock.js';
import { Turns } from './turns.js';
import { Writing } from './writing.js';

export interface OpenedOptions {
  readonly calls: Calls;
  readonly connection: Connection;
  readonly lease: NodeLease | undefined;
  readonly now: () => number;
  readonly leaseTime: 'server' | 'clock';
  readonly mustExist: boolean;
}

const checkedTogether = 100;
const attempts = 10;
const noChunks = (): readonly string[] => [];

export class FirestoreStore implements OpenedStore {
  readonly #calls: Calls;
  readonly #connection: Connection;
  readonly #clock = new ServerClock(randomInt(4_096));
  readonly #cache = new Cache();
  readonly #membership: Membership;
  readonly #author: Author;
  readonly #writing: Writing;
  readonly #content: Content;
  readonly #loading: Loading;
  readonly #lists: Lists;
  readonly #moving: Moving;
  /** Of commits and takes; of posts and the like; of the lease. None of them has to wait for the others. */
  readonly #turns = new Turns();
  readonly #posts = new Turns();
  readonly #beats = new Turns();
  readonly #by = randomUUID();
  readonly #now: () => number;
  #listening: Listening | undefined;
  #listener: ListeningClient | undefined;
  #closing: Promise<void> | undefined;

  constructor({ calls, connection, ...options }: OpenedOptions) {
    this.#calls = calls;
    this.#connection = connection;
    const membership = new Membership({ calls, clock: this.#clock, ...options });
    this.#membership = membership;
    this.#author = {
      calls,
      cache: this.#cache,
      get node() {
        return membership.node;
      },
      by: this.#by,
      guardOf: (node) => membership.guardOf(node),
      nextPosition: () => this.#clock.nextPosition(),
    };
    this.#now = options.now;
    this.#writing = new Writing(this.#author, membership, this.#clock, options.now);
    this.#content = new Content(calls, this.#cache);
    this.#loading = new Loading(this.#author, membership, this.#content);
    this.#lists = new Lists(calls);
    this.#moving = new Moving(this.#author, membership, this.#content, this.#loading);
  }

  get node(): number {
    return this.#membership.node;
  }

  /** @throws StoreOpenError, StoreSchemaError, StoreUnavailableError */
  async open(): Promise<void> {
    try {
      await this.#membership.open();
    } catch (error) {
      this.#closing = Promise.resolve();
      await this.#connection.raw.close().catch(() => undefined);
      throw openFault(this.#calls.name, error);
    }
  }

  // ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  commit: OpenedStore['commit'] = (commits) =>
    this.#turns.write(async () => {
      if (this.node === 0) {
        throw new InvariantViolationError('an observer has tried to commit', { hint: 'Open the store with a lease to run agents.' });
      }
      return this.#writing.commit(commits);
    });

  post: OpenedStore['post'] = (messages, cap) => this.#posts.write(() => this.#writing.post(messages, cap));
  redrive: OpenedStore['redrive'] = (positions, to, cap) => this.#posts.write(() => this.#writing.redrive(positions, to, cap));
  discard: OpenedStore['discard'] = (positions) => this.#posts.write(() => this.#writing.discard(positions));
  expire: OpenedStore['expire'] = (page) =>
    this.#turns.read(() => expireResults({ calls: this.#calls, cache: this.#cache, lists: this.#lists, content: this.#content }, page));

  publish: OpenedStore['publish'] = (notes) =>
    this.#posts.write(() =>
      this.#send(() => {
        const batch = new Batch(this.#calls);
        for (const note of notes) batch.put('notes', textsName(note.topic, note.author), { ...note });
        return batch;
      }),
    );

  retract: OpenedStore['retract'] = (names) =>
    this.#posts.write(() =>
      this.#send(async () => {
        const { docs } = await this.#calls.get(names.map(({ topic, author }) => this.#calls.path('notes', textsName(topic, author))));
        const batch = new Batch(this.#calls);
        docs.forEach((doc, index) => {
          const ifAt = names[index]?.ifAt;
          if (doc !== undefined && (ifAt === undefined || ifAt === doc.fields['at'])) batch.remove('notes', doc.name, doc.updateTime);
        });
        return batch;
      }),
    );

  saveMachines: OpenedStore['saveMachines'] = (machines) =>
    this.#posts.write(() =>
      this.#send(() => {
        const batch = new Batch(this.#calls);
        for (const machine of machines) {
          batch.put('machines', textsName(machine.kind, String(machine.version), machine.schema), { ...machine });
        }
        return batch;
      }),
    );

  /** What is nobody's state: on condition only that this is the store that was opened. `make` is asked again when a document is not as expected any more. */
  async #send(make: () => Promise<Batch> | Batch): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const batch = await make();
      if (batch.size === 0) return;
      if (this.node !== 0) batch.verify('guards', this.#membership.guardName(this.node), 'there');
      try {
        await batch.send(noChunks);
        return;
      } catch (error) {
        if (!isRace(error)) throw error;
        this.#membership.checkRoot((await this.#calls.get([this.#calls.root])).docs[0]);
        if (attempt < attempts) await sleep(systemClock, Math.min(10 * 2 ** attempt, 500));
        else throw new StoreUnavailableError(`${this.#calls.name} is busy`, { hint: 'It is tried again.', cause: error });
      }
    }
  }

  // ── Holding agents ──────────────────────────────────────────────────────────────────────────────────────────────

  load: OpenedStore['load'] = (agents) => this.#turns.write(() => this.#loading.load(agents));
  release: OpenedStore['release'] = (agents) => this.#turns.write(() => this.#moving.release(agents));
  heartbeat: OpenedStore['heartbeat'] = () => this.#beats.write(() => this.#membership.heartbeat());
  nodes: OpenedStore['nodes'] = () => this.#read(async () => (await this.#membership.members()).map(({ record }) => record));
  runnable: OpenedStore['runnable'] = ({ after, limit, unheld = false }) =>
    this.#read(async () => {
      const others = await this.#membership.others();
      const ended: AgentKey[] = [];
      const held = unheld ? new Set([...others, this.node]) : others;
      const keys = await this.#lists.runnable(after, limit, held, (key) => void ended.push(key));
      // Of a node that was killed as they ended. Should it fail, the next look does it.
      if (ended.length > 0 && this.node !== 0) await buryLateMail(this.#author, ended, this.#now).catch(() => undefined);
      return keys;
    });
  dueTimers: OpenedStore['dueTimers'] = ({ before, limit }) =>
    this.#read(async () => this.#lists.dueTimers(before, limit, await this.#membership.others()));

  onForeignMail(listener: (agents: readonly AgentKey[]) => void): void {
    if (this.#closing !== undefined) return;
    this.#listening?.stop();
    this.#listener ??= this.#connection.listening();
    this.#listening = new Listening({
      client: this.#listener,
      path: this.#calls.path('mailbox', '').split('/documents/')[1]?.replace(/\/$/, '') ?? '',
      node: this.node,
      by: this.#by,
      free: async (agents) => {
        const [others, owners] = await Promise.all([this.#membership.others(), this.#lists.owners(agents)]);
        return agents.filter((agent) => {
          const owner = owners.get(agent)?.owner;
          return owner === undefined || !others.has(owner);
        });
      },
      listener,
    });
  }

  // ── Wholes ──────────────────────────────────────────────────────────────────────────────────────────────────────

  whole: OpenedStore['whole'] = (agents) => this.#read(() => this.#moving.whole(agents));
  install: OpenedStore['install'] = (agents) => this.#turns.write(() => this.#moving.install(agents));
  archive: OpenedStore['archive'] = (agents) => this.#turns.write(() => this.#moving.archive(agents));
  restore: OpenedStore['restore'] = (agent) => this.#turns.write(() => this.#moving.restore(agent));
  remove: OpenedStore['remove'] = (agents) => this.#turns.write(() => this.#moving.remove(agents));

  // ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** After all that was asked for before. */
  #read<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.read(() => this.#posts.read(work));
  }

  heads: OpenedStore['heads'] = (keys) =>
    this.#read(async () => {
      const { calls } = this.#author;
      const paths = [calls.root, ...keys.map((key) => calls.path('agents', agentName(key)))];
      const { docs } = await calls.get(paths, { select: ['fence', 'sequenceNumber', 'epoch'] });
      this.#membership.checkRoot(docs[0]);
      return docs
        .slice(1)
        .map((doc) => doc && { fence: doc.fields['fence'] as number, sequenceNumber: doc.fields['sequenceNumber'] as number });
    });

  lookup: OpenedStore['lookup'] = (agents) =>
    this.#read(async () => (await this.#loading.documents(agents)).docs.map((doc) => doc && agentRecord(doc)));

  inspect: OpenedStore['inspect'] = (agent) =>
    this.#read(async () => {
      const { docs, readTime } = await this.#loading.documents([agent]);
      const [doc] = docs;
      if (doc === undefined) return undefined;
      return (await this.#content.loaded([doc], readTime)).get(doc.fields['key'] as number);
    });

  mailbox: OpenedStore['mailbox'] = (agent, after) => this.#read(() => this.#content.mailbox(agent, after));
  mark: OpenedStore['mark'] = (agent, messageId) =>
    this.#read(async () => {
      const { docs } = await this.#calls.get([this.#calls.path('marks', partName(agent, messageId))]);
      const taken = docs[0]?.fields['sequenceNumber'];
      return typeof taken === 'number' && taken > 0 ? taken : undefined;
    });
  keyed: OpenedStore['keyed'] = (activity, userKey) => this.#read(() => this.#lists.keyed(activity, userKey));
  parked: OpenedStore['parked'] = (page) => this.#read(() => this.#lists.parked(page));
  flagged: OpenedStore['flagged'] = (page) => this.#read(() => this.#lists.flagged(page));
  hasArtifacts: OpenedStore['hasArtifacts'] = (names) => this.#read(() => this.#lists.hasArtifacts(names));
  notes: OpenedStore['notes'] = (prefix, since) => this.#read(() => this.#lists.notes(prefix, since));
  machines: OpenedStore['machines'] = (kind) => this.#read(() => this.#lists.machines(kind));
  list: OpenedStore['list'] = (filter) => this.#read(() => this.#lists.list(filter));
  journal: OpenedStore['journal'] = (agent, { after, limit }) => this.#read(() => this.#content.journal(agent, after, limit));
  operations: OpenedStore['operations'] = (agent) => this.#read(() => this.#content.operations(agent));
  deadLetters: OpenedStore['deadLetters'] = ({ after, limit, to }) => this.#read(() => this.#lists.deadLetters(after, limit, to));
  counts: OpenedStore['counts'] = () => this.#read(() => this.#lists.counts());

  check: OpenedStore['check'] = (progress) =>
    this.#read(async () => {
      const { count: total } = await this.#calls.total({ collection: 'agents' });
      const faults: string[] = [];
      let done = 0;
      for (let after = 0; ;) {
        const agents = await this.#lists.agents(after, checkedTogether);
        const { docs } = await this.#calls.get(agents.map(({ key }) => this.#calls.path('checkpoints', agentName(key))));
        for (const [index, record] of agents.entries()) {
          const checkpoint: CheckpointRecord | undefined = docs[index] && checkpointRecord(docs[index]);
          // What is archived is checked where it is.
          if (record.archive === undefined)
            faults.push(...agentFaults(record, await this.#content.journal(record.key, 0, Infinity), checkpoint));
          done += 1;
          progress?.(done, Math.max(total, done));
        }
        if (agents.length < checkedTogether) return faults;
        after = agents.at(-1)?.key ?? after;
      }
    });

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#listening?.stop();
    await Promise.all([this.#turns.end(), this.#posts.end(), this.#beats.end()]);
    try {
      await this.#membership.close();
    } catch (error) {
      // It is away, or was wiped: the lease ends by itself.
      if (!(error instanceof StatewardenError)) throw error;
    } finally {
      await Promise.all([this.#connection.raw.close(), this.#listener?.terminate()]);
    }
  }
}

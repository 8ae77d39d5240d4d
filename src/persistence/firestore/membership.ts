/**
 * The nodes of a store: numbers, leases, who is alive. A node's document says when it was last heard of, by the server's clock, and whoever judges whether it is gone compares that with the time at which the server read it: no machine's own clock is asked. (With `leaseTime: 'clock'` the clock is the one that the
 * store was opened with, for tests that move it.) The root document's `epoch` names this store's life: a database that was wiped underneath has another, or none.
 */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { StoreOpenError, StoreSchemaError, StoreUnavailableError } from '../../core/errors.js';
import type { NodeLease, NodeRecord } from '../store.js';
import { Batch, type Expected } from './batch.js';
import type { Calls, Doc } from './calls.js';
import { isRace, otherEpoch } from './faults.js';
import type { ServerClock } from './server-clock.js';
import { msStamp, stampMs, type Fields, type Stamp } from './values.js';

/** Raised with every change of what documents mean. */
const schemaVersion = 1;
const attempts = 20;
/** A day. */
const oldMs = 86_400_000;
const noChunks = (): readonly string[] => [];

export interface MembershipOptions {
  readonly calls: Calls;
  readonly clock: ServerClock;
  readonly lease: NodeLease | undefined;
  readonly now: () => number;
  readonly leaseTime: 'server' | 'clock';
  readonly mustExist: boolean;
}

/** A node as it was read. */
export interface Member {
  readonly record: NodeRecord;
  readonly closedAt: number | undefined;
  readonly robbed: boolean;
  readonly updateTime: Stamp;
  readonly alive: boolean;
}

export class Membership {
  node = 0;
  epoch = '';
  readonly #options: MembershipOptions;
  /** When this node's document was last written. */
  #updateTime: Stamp | undefined;
  /** Others that were alive at the last look, and until when they are at least. */
  #others = new Map<number, number>();

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** @throws StoreOpenError, StoreSchemaError, StoreUnavailableError */
  async open(): Promise<void> {
    const { calls, clock, lease, mustExist } = this.#options;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { docs, readTime } = await calls.get([calls.root]);
      clock.heard(readTime);
      const root = docs[0];
      if (root === undefined && mustExist) {
        throw new StoreOpenError(`there is no store at ${calls.name}`, {
          hint: 'Look at project, database and prefix; a runtime makes the store when it starts.',
        });
      }
      const schema = root?.fields['schema'];
      if (typeof schema === 'number' && schema > schemaVersion) {
        throw new StoreSchemaError(
          `${calls.name} was written by a newer Statewarden (schema ${String(schema)}, known ${String(schemaVersion)})`,
          {
            hint: 'Install the newer version.',
          },
        );
      }
      this.epoch = (root?.fields['epoch'] as string | undefined) ?? randomUUID();
      if (lease === undefined && root !== undefined) break;
      this.node = lease === undefined ? 0 : ((root?.fields['nodes'] as number | undefined) ?? 0) + 1;
      try {
        await this.#enter(root);
        break;
      } catch (error) {
        // Another one has opened it in the same moment.
        if (!isRace(error)) throw error;
      }
      if (attempt === attempts - 1) {
        throw new StoreUnavailableError(`${calls.name}: too many nodes open it at once`, { hint: 'It is tried again.' });
      }
    }
    const { docs, readTime } = await this.#read();
    if (this.node !== 0) await this.#forgetOld(docs, readTime);
  }

  /** Those that were never closed and have not been heard of for long are not looked at for ever. */
  async #forgetOld(docs: readonly Doc[], readTime: Stamp): Promise<void> {
    const { calls } = this.#options;
    const batch = new Batch(calls);
    for (const doc of docs) {
      const { alive, record, updateTime } = this.member(doc, readTime);
      if (alive || batch.isFull || stampMs(readTime) - stampMs(updateTime) < oldMs) continue;
      batch.put('nodes', doc.name, { closed: true, closedAt: msStamp(record.seenAt) }, { merge: true, expected: updateTime });
      batch.remove('guards', this.guardName(record.node));
    }
    if (batch.size === 0) return;
    // Another one does the same, or it is heard of again.
    await batch.send(noChunks).catch((error: unknown) => {
      if (!isRace(error)) throw error;
    });
  }

  async #enter(root: Doc | undefined): Promise<void> {
    const { calls, lease, now } = this.#options;
    const batch = new Batch(calls);
    const fields = { epoch: this.epoch, schema: schemaVersion, nodes: this.node, createdAt: root?.fields['createdAt'] ?? now() };
    batch.putRoot(fields, root?.updateTime ?? 'absent');
    if (lease !== undefined) {
      batch.put('guards', this.guardName(this.node), { node: this.node, epoch: this.epoch }, { expected: 'absent' });
      const { name, ttlMs } = lease;
      const doc = { node: this.node, name, host: hostname(), pid: process.pid, ttlMs, closed: false, robbed: false, epoch: this.epoch };
      this.#put(batch, doc, { opening: true });
    }
    const { times, commitTime } = await batch.send(noChunks);
    this.#options.clock.heard(commitTime);
    this.#updateTime = times.get(this.#path);
  }

  get #path(): string {
    return this.#options.calls.path('nodes', String(this.node));
  }

  guardName(node: number): string {
    return `${this.epoch}-${String(node)}`;
  }

  /** The document that is there while that node has the store open; undefined: it may be gone. */
  guardOf(node: number): string | undefined {
    if (node === this.node) return this.guardName(node);
    const { clock, leaseTime, now } = this.#options;
    const until = this.#others.get(node);
    return until === undefined || until <= (leaseTime === 'server' ? clock.now() : now()) ? undefined : this.guardName(node);
  }

  /** This node's document, with the time. */
  #put(batch: Batch, fields: Fields, { opening = false, expected }: { opening?: boolean; expected?: Expected } = {}): void {
    const { leaseTime, now } = this.#options;
    const times = ['seenAt', ...(opening ? ['openedAt'] : []), ...('closed' in fields && fields['closed'] === true ? ['closedAt'] : [])];
    const own = leaseTime === 'clock' ? Object.fromEntries(times.map((name) => [name, msStamp(now())])) : {};
    batch.put(
      'nodes',
      String(this.node),
      { ...fields, ...own },
      {
        merge: !opening,
        stamps: leaseTime === 'clock' ? [] : times,
        ...(opening ? { expected: 'absent' as const } : expected === undefined ? {} : { expected }),
      },
    );
  }

  /** Resolves to false when the lease had expired and another node has taken agents from this one. */
  async heartbeat(): Promise<boolean> {
    if (this.node === 0) return true;
    const { calls } = this.#options;
    try {
      await this.#beat(this.#updateTime as Stamp);
      return true;
    } catch (error) {
      if (!isRace(error)) throw error;
    }
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { docs } = await calls.get([this.#path, calls.root]);
      this.checkRoot(docs[1]);
      if (docs[0] === undefined) throw otherEpoch(calls.name, this.epoch);
      try {
        await this.#beat(docs[0].updateTime);
        return docs[0].fields['robbed'] !== true;
      } catch (error) {
        if (!isRace(error)) throw error;
      }
    }
    throw new StoreUnavailableError(`${calls.name}: the lease could not be extended`, { hint: 'It is tried again.' });
  }

  async #beat(expected: Stamp): Promise<void> {
    const batch = new Batch(this.#options.calls);
    this.#put(batch, { robbed: false }, { expected });
    const { times, commitTime } = await batch.send(noChunks);
    this.#options.clock.heard(commitTime);
    this.#updateTime = times.get(this.#path);
  }

  /** @throws StorePoisonedError when the root is not the one that was opened. */
  checkRoot(root: Doc | undefined): void {
    const epoch = root?.fields['epoch'] as string | undefined;
    if (epoch !== this.epoch) throw otherEpoch(this.#options.calls.name, epoch);
  }

  /** Nodes that are alive. */
  async members(): Promise<readonly Member[]> {
    return (await this.#read()).members;
  }

  async #read(): Promise<{ readonly members: readonly Member[]; readonly docs: readonly Doc[]; readonly readTime: Stamp }> {
    const { docs, readTime } = await this.#options.calls.query({ collection: 'nodes', where: [['closed', 'EQUAL', false]] });
    this.#options.clock.heard(readTime);
    const members = docs.map((doc) => this.member(doc, readTime)).filter((member) => member.alive);
    this.#others = new Map(members.map(({ record }) => [record.node, record.expiresAt]));
    this.#others.delete(this.node);
    members.sort((one, other) => one.record.node - other.record.node);
    return { members, docs, readTime };
  }

  /** Numbers of nodes that are alive, this one excepted. */
  async others(): Promise<ReadonlySet<number>> {
    const members = await this.members();
    return new Set(members.map(({ record }) => record.node).filter((node) => node !== this.node));
  }

  member(doc: Doc, readTime: Stamp | undefined): Member {
    const { fields } = doc;
    const { leaseTime, now, clock } = this.#options;
    const time = (name: string): number | undefined => (fields[name] === undefined ? undefined : stampMs(fields[name] as Stamp));
    const seenAt = time('seenAt') ?? 0;
    const expiresAt = seenAt + (fields['ttlMs'] as number);
    const at = leaseTime === 'clock' ? now() : readTime === undefined ? clock.now() : stampMs(readTime);
    const record = {
      node: fields['node'] as number,
      name: fields['name'] as string,
      host: fields['host'] as string,
      pid: fields['pid'] as number,
      openedAt: time('openedAt') ?? 0,
      seenAt,
      expiresAt,
    };
    const closedAt = time('closedAt');
    return {
      record,
      closedAt,
      robbed: fields['robbed'] === true,
      updateTime: doc.updateTime,
      alive: closedAt === undefined && expiresAt > at,
    };
  }

  /** Others may take its agents at once. */
  async close(): Promise<void> {
    if (this.node === 0) return;
    const batch = new Batch(this.#options.calls);
    this.#put(batch, { closed: true }, { expected: 'there' });
    batch.remove('guards', this.guardName(this.node));
    await batch.send(noChunks).catch((error: unknown) => {
      // It was wiped: there is nothing to let go of.
      if (!isRace(error)) throw error;
    });
  }
}

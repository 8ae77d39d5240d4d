/**
 * The stage of a conformance case: one fresh store, a clock that the case moves, nodes and observers that are closed when it ends. It also makes
 * records, so that a case shows only what it is about. Nothing here knows a driver.
 */

import assert from 'node:assert/strict';
import { checksum } from '../../core/checksum.js';
import type {
  AgentCommit,
  AgentKey,
  CheckpointRecord,
  CommitOutcome,
  EffectRecord,
  JournalSegment,
  LoadOutcome,
  MessageRecord,
  OpenedStore,
  OperationRecord,
  Store,
  TimerRecord,
} from '../../persistence/store.js';

/** What a driver gives the suite for each case: an empty store, and what else it can do. */
export interface StoreFixture {
  readonly store: Store;
  /** Changes one stored record of the agent behind the store's back, while nobody has it open. Absent: the case is skipped. */
  readonly corrupt?: (what: 'journal' | 'checkpoint', agent: AgentKey) => Promise<void> | void;
  /** Leases go by a time of the store's own, which no case can move: those that have to are skipped. */
  readonly ownTime?: boolean;
  /** Has the answer to the next commit lost on its way, when the commit is done. Absent: the case is skipped. */
  readonly loseAnswer?: () => void;
  /** Removes whatever the store left. */
  readonly dispose?: () => Promise<void> | void;
}

/** `moved-time`: leases that go by the clock which the store was opened with. */
export type Need = 'durable' | 'shared' | 'corrupt' | 'losing' | 'moved-time';

export interface StoreCase {
  readonly title: string;
  /** What the driver must have. */
  readonly needs?: Need | readonly Need[];
  readonly run: (scene: Scene) => Promise<void>;
}

export const ttlMs = 5_000;

export class Scene {
  readonly fixture: StoreFixture;
  /** Epoch milliseconds; moved by the case. */
  now = 1_700_000_000_000;
  readonly #opened: OpenedStore[] = [];
  #keys = 0;

  constructor(fixture: StoreFixture) {
    this.fixture = fixture;
  }

  /** Opens a node with a lease of `ttlMs`. */
  async open(name = 'node'): Promise<OpenedStore> {
    return this.#keep(await this.fixture.store.open({ lease: { name, ttlMs }, now: () => this.now }));
  }

  async observe(): Promise<OpenedStore> {
    return this.#keep(await this.fixture.store.open({ now: () => this.now }));
  }

  #keep(opened: OpenedStore): OpenedStore {
    this.#opened.push(opened);
    return opened;
  }

  async end(): Promise<void> {
    for (const opened of this.#opened) await opened.close();
    await this.fixture.dispose?.();
  }

  /** A key as the engine makes them. */
  key(store: OpenedStore): AgentKey {
    this.#keys += 1;
    return store.node * 2 ** 32 + this.#keys;
  }

  /** The first commit of a new agent: one turn. */
  birth(store: OpenedStore, id: string, more: Partial<AgentCommit> = {}): AgentCommit {
    return {
      key: this.key(store),
      id,
      fence: 1,
      expected: 0,
      sequenceNumber: 1,
      at: this.now,
      create: { kind: 'counter', version: 1, input: undefined },
      segment: segment(1),
      ...more,
    };
  }

  /** Makes an agent of one turn; `more` is written with it. */
  async create(store: OpenedStore, id: string, more: Partial<AgentCommit> = {}): Promise<AgentKey> {
    const commit = this.birth(store, id, more);
    await applied(store, commit);
    return commit.key;
  }

  /** A commit of the next turn, after what the store has now. `more` takes precedence. */
  async turn(store: OpenedStore, id: string, more: Partial<AgentCommit> = {}): Promise<AgentCommit> {
    const [record] = await store.lookup([id]);
    assert.ok(record !== undefined, `agent ${id} exists`);
    const next = record.sequenceNumber + 1;
    return {
      key: record.key,
      id,
      fence: record.fence,
      expected: record.sequenceNumber,
      sequenceNumber: next,
      at: this.now,
      segment: segment(next),
      ...more,
    };
  }
}

/** Commits one and expects it to be applied. */
export async function applied(store: OpenedStore, commit: AgentCommit): Promise<Extract<CommitOutcome, { outcome: 'applied' }>> {
  const [outcome] = await store.commit([commit]);
  assert.equal(outcome?.outcome, 'applied');
  return outcome as Extract<CommitOutcome, { outcome: 'applied' }>;
}

/** Loads one and expects to get it. */
export async function taken(store: OpenedStore, agent: string | AgentKey): Promise<Extract<LoadOutcome, { outcome: 'loaded' }>> {
  const [outcome] = await store.load([agent]);
  assert.equal(outcome?.outcome, 'loaded');
  return outcome as Extract<LoadOutcome, { outcome: 'loaded' }>;
}

/** Turns from `first` to `last` in one segment. */
export function segment(first: number, last = first, note = 'turn'): JournalSegment {
  const entries = JSON.stringify(Array.from({ length: last - first + 1 }, (_, index) => ({ seq: first + index, note })));
  return { firstSequenceNumber: first, lastSequenceNumber: last, entries, checksum: checksum(entries) };
}

export function checkpoint(sequenceNumber: number, data = `{"at":${String(sequenceNumber)}}`): CheckpointRecord {
  return { sequenceNumber, version: 1, schema: 'hash', data, checksum: checksum(data) };
}

export function message(to: string, more: Partial<MessageRecord> = {}): MessageRecord {
  return {
    to,
    messageId: undefined,
    event: '{"type":"PING"}',
    from: undefined,
    replyTo: undefined,
    acceptedAt: 1_700_000_000_000,
    trace: undefined,
    ...more,
  };
}

export function timer(id: string, dueAt: number, more: Partial<TimerRecord> = {}): TimerRecord {
  return { id, dueAt, delayMs: 100, policy: 'deadline', target: '', event: '{"type":"TICK"}', ...more };
}

export function operation(id: string, more: Partial<OperationRecord> = {}): OperationRecord {
  return {
    id,
    activity: 'search',
    path: 'searching',
    status: 'intended',
    attempts: 0,
    userKey: undefined,
    input: '{"q":1}',
    outcome: undefined,
    nextRetryAt: undefined,
    intendedIn: 1,
    settledIn: 0,
    intendedAt: 1_700_000_000_000,
    settledAt: undefined,
    parkedBy: undefined,
    saga: undefined,
    compensates: undefined,
    resolutions: undefined,
    artifact: undefined,
    ...more,
  };
}

export function effect(id: string, more: Partial<EffectRecord> = {}): EffectRecord {
  return { id, path: '', type: 'notify', params: undefined, event: '{"type":"GO"}', context: undefined, ...more };
}

/** Positions of accepted messages; fails for any other outcome. */
export async function posted(store: OpenedStore, ...messages: MessageRecord[]): Promise<number[]> {
  const outcomes = await store.post(messages, 1_000);
  return outcomes.map((outcome) => {
    assert.equal(outcome.outcome, 'accepted');
    return (outcome as Extract<typeof outcome, { outcome: 'accepted' }>).position;
  });
}

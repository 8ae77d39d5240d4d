/**
 * Keeps the breakers of a node, and gives them memory: how they stand, what they have learned and what was ordered is left in the store as notes, and given back when they are made again. Nodes beside this one hear what it has
 * counted.
 *
 * Invariant: a change is told of only when the note that says so is durable. A store that is away delays that and nothing else: breakers go on by what they see themselves. Without calls nothing is written.
 */

import type { WithoutTime } from '../actors/host.js';
import { BreakerBoard, type GuardPattern } from '../breakers/board.js';
import type { StandardBreaker } from '../breakers/breaker.js';
import type { BreakerChange } from '../breakers/contract.js';
import type { BreakerDefinition } from '../breakers/options.js';
import type { StandardRegistry } from '../breakers/registry.js';
import type { Clock, TimerHandle } from '../core/clock.js';
import type { Random } from '../core/random.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { OpenedStore } from '../persistence/store.js';
import { KeptBreaker, KeptRegistry } from './breaker-kept.js';
import { allNotes, authorOf, authorsOf, counts, orderNote, orders, readOrder, traceEveryMs, type BreakerOrder } from './breaker-notes.js';
import { BreakerOrders } from './breaker-orders.js';
import { BreakerOutbox } from './breaker-outbox.js';
import { Recall } from './breaker-recall.js';
import { BreakerSharing } from './breaker-sharing.js';

const roundMs = 1_000;
const memoryEveryMs = 60_000;
/** Orders to release are forgotten after so long: they have been followed. */
const orderMs = 86_400_000;

export interface KeeperOptions {
  readonly store: Pick<OpenedStore, 'node' | 'nodes' | 'notes' | 'publish' | 'retract'>;
  /** Others may have it open too. */
  readonly shared: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Of this node; undefined: the user has given none. */
  readonly name: string | undefined;
  /** Others are up beside this node. */
  readonly hasNeighbours: () => boolean;
  /** How many operations wait for a breaker here. */
  readonly waiting: (breaker: string) => number;
  readonly tell: (event: WithoutTime<RuntimeEvent>) => void;
}

/** There from the moment that the store was read. */
interface Memory {
  readonly recall: Recall;
  readonly orders: BreakerOrders;
  readonly sharing: BreakerSharing;
  readonly outbox: BreakerOutbox;
}

export class BreakerKeeper {
  readonly board: BreakerBoard;
  readonly #options: KeeperOptions;
  readonly #kept = new WeakMap<StandardBreaker, KeptBreaker>();
  readonly #registries = new Map<BreakerDefinition, KeptRegistry>();
  #memory: Memory | undefined;
  #part: number;
  #learnedAt: number;
  #timer: TimerHandle;
  #looking: Promise<void> | undefined;
  /** Told with the next round: at the start there is nobody yet who could listen. */
  readonly #unreadable: WithoutTime<RuntimeEvent>[] = [];

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#part = Math.floor(clock.elapsed() / traceEveryMs);
    this.#learnedAt = clock.elapsed();
    this.board = new BreakerBoard(
      { clock, random },
      {
        made: (breaker) => this.#made(breaker),
        registered: (registry) => this.#registered(registry),
        changed: (change, breaker) => this.#changed(change, breaker),
      },
    );
  }

  /** Reads what the store says, and makes the breakers that are declared. Without any it does nothing. */
  async start(patterns: readonly GuardPattern[]): Promise<void> {
    if (patterns.length === 0) return;
    const { store, clock, name } = this.#options;
    const [nodes, notes] = await Promise.all([store.nodes(), store.notes(allNotes)]);
    const now = clock.now();
    const author = authorOf(store.node, name, nodes);
    const alive = authorsOf(nodes);
    const recall = new Recall({
      notes,
      author,
      alive,
      now,
      unreadable: (breaker, error) => this.#unreadable.push({ type: 'breaker-memory', breaker, error }),
    });
    const given = notes.filter(({ topic }) => topic.startsWith(orders));
    const outbox = new BreakerOutbox({
      store,
      author,
      now: () => clock.now(),
      standing: (kept) => this.#standing(kept),
      leftovers: (topic) => recall.leftovers(topic),
      told: (change) => this.#tell(change),
    });
    this.#memory = { recall, orders: new BreakerOrders(given), sharing: new BreakerSharing(author), outbox };
    const followed = given.filter((note) => readOrder(note)?.order === 'release' && now - note.at > orderMs);
    const counted = notes.filter((note) => note.topic === counts && (note.author === author || !alive.has(note.author)));
    outbox.outdated([...followed, ...counted].map(({ topic, author, at }) => ({ topic, author, ifAt: at })));
    outbox.outdated(recall.outdated());
    for (const pattern of patterns) this.board.declare(pattern);
    this.#arm();
    outbox.flush();
  }

  /** Follows an order here, and leaves it for the other nodes; resolves once that is durable. */
  async order(breaker: StandardBreaker, order: BreakerOrder['order']): Promise<void> {
    const { store, clock } = this.#options;
    const given = this.#memory?.orders.give(breaker, order, clock.now());
    if (given !== undefined) await store.publish([orderNote(breaker.name, given)]);
  }

  /** Publishes what is not yet, once. */
  async close(): Promise<void> {
    if (this.#memory === undefined) return;
    this.#options.clock.clearTimeout(this.#timer);
    this.#count(true);
    await this.#looking;
    await this.#memory.outbox.close();
  }

  /** Publishes nothing more. */
  stop(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#memory?.outbox.stop();
  }

  #of(breaker: StandardBreaker): KeptBreaker {
    let kept = this.#kept.get(breaker);
    if (kept === undefined) {
      kept = new KeptBreaker(breaker, false);
      kept.noted = this.#memory?.recall.isNoted(kept.topic) === true;
      this.#kept.set(breaker, kept);
    }
    return kept;
  }

  #made(breaker: StandardBreaker): void {
    const kept = this.#of(breaker);
    const { orders, recall, outbox } = this.#memory ?? {};
    if (!kept.isKey && !kept.noted) outbox?.stale(kept);
    orders?.made(breaker, recall?.breaker(breaker));
  }

  #registered(registry: StandardRegistry): void {
    const kept = new KeptRegistry(registry);
    this.#registries.set(registry.definition, kept);
    const { recall, outbox } = this.#memory ?? {};
    recall?.registry(registry);
    if (recall?.isNoted(kept.memoryTopic) === false) outbox?.learned(kept);
  }

  #changed(change: BreakerChange, breaker: StandardBreaker): void {
    const kept = this.#of(breaker);
    kept.changed(change);
    this.#memory?.outbox.changed(kept);
  }

  #standing(kept: KeptBreaker): string {
    const { name } = kept.breaker;
    const { clock, waiting } = this.#options;
    return kept.standing({ clock, followed: this.#memory?.orders.followed(name) ?? null, waiting: waiting(name) });
  }

  #arm(): void {
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#arm();
      for (const event of this.#unreadable.splice(0)) this.#options.tell(event);
      this.#count(false);
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
      this.#memory?.outbox.round();
    }, roundMs);
  }

  /** `last`: this is the last time. */
  #count(last: boolean): void {
    const { clock, hasNeighbours, shared } = this.#options;
    const { outbox, sharing } = this.#memory as Memory;
    const elapsed = clock.elapsed();
    const part = Math.floor(elapsed / traceEveryMs);
    const parts = part - this.#part;
    this.#part = part;
    const memoryDue = last || elapsed - this.#learnedAt >= memoryEveryMs;
    if (memoryDue) this.#learnedAt = elapsed;
    let counted = false;
    for (const breaker of this.board.breakers()) {
      const counters = breaker.exchange();
      const kept = this.#of(breaker);
      if (counters.calls > 0) {
        counted = kept.moved = kept.learned = true;
        kept.count.add(counters);
        kept.movedAt = elapsed;
      }
      if (parts > 0) kept.count.turn(parts);
      if (kept.moved && (parts > 0 || last)) {
        kept.moved = false;
        if (!kept.isSilent) outbox.stale(kept);
      }
      if (kept.learned && memoryDue) {
        kept.learned = false;
        const registry = kept.isKey ? this.#registries.get(breaker.definition) : undefined;
        outbox.learned(registry ?? kept);
      }
    }
    if (last || !counted || !shared || !hasNeighbours()) return;
    const note = sharing.note(this.#lately(elapsed));
    if (note !== undefined) outbox.counted(note);
  }

  *#lately(elapsed: number): Generator<KeptBreaker> {
    for (const breaker of this.board.breakers()) {
      const kept = this.#of(breaker);
      if (elapsed - kept.movedAt < BreakerSharing.toldForMs) yield kept;
    }
  }

  /** What people and other nodes say. */
  async #look(): Promise<void> {
    const { store, shared, hasNeighbours } = this.#options;
    if (!shared || this.#memory === undefined) return;
    try {
      this.#memory.orders.heard(await store.notes(orders), this.board);
      if (hasNeighbours()) this.#memory.sharing.hear(await store.notes(counts), this.board);
    } catch {
      // The store is away: they are asked again in a second.
    }
  }

  #tell({ name, level, from, to, reason, figures }: BreakerChange): void {
    const { calls, failures, rejected, threshold, admittedRate, retryAfterMs } = figures;
    const rate = admittedRate === undefined ? {} : { admittedRate };
    const told = { breaker: name, level, from, to, reason, calls, failures, rejected, threshold, ...rate, retryAfterMs };
    this.#options.tell({ type: 'breaker', ...told });
  }
}

/**
 * One node among others: takes over what those that are gone have left, hands over what belongs to another, and stops when it cannot know any more that its agents are its own.
 *
 * Invariant: only agents at rest are handed over, and what others leave is met by one look or another: nothing depends on a word that may be lost.
 */

import { termOver } from '../actors/agent-failure.js';
import type { WithoutTime } from '../actors/host.js';
import type { Timers } from '../actors/timers.js';
import type { Clock, TimerHandle } from '../core/clock.js';
import type { StoreMovedError } from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { TurnPulse } from '../core/turn-pulse.js';
import type { Runner } from '../effects/runner.js';
import type { AgentKey, NodeRecord, OpenedStore } from '../persistence/store.js';
import type { Ends } from './ends.js';
import { Handover } from './handover.js';
import { Lease } from './lease.js';
import type { Mail } from './mail.js';
import { Placement } from './placement.js';
import type { Presence } from './presence.js';
import { recoverAll } from './recovery.js';
import type { Residents } from './residents.js';

export interface MembershipOptions {
  readonly node: MembershipNode;
  /** Several nodes may be up at once. */
  readonly shared: boolean;
  /** The store may be out of reach of this node alone. */
  readonly remote: boolean;
  /** Whether agents at rest are handed over to where they belong. */
  readonly spreads: boolean;
  readonly leaseMs: number;
  /** That it knows. */
  readonly kinds: readonly string[];
  readonly residents: Pick<Residents, 'get' | 'all' | 'leave'>;
  readonly timers: Pick<Timers, 'refill'>;
  /** The agents of the store go to another one. */
  readonly moved: (error: StoreMovedError) => Promise<void>;
}

/** What of the node it needs. */
export interface MembershipNode {
  readonly ends: Pick<Ends, 'wake'>;
  readonly store: OpenedStore;
  readonly clock: Clock;
  readonly pulse: TurnPulse | undefined;
  readonly observed: boolean;
  readonly mail: Pick<Mail, 'nudge'>;
  readonly operations: Pick<Runner, 'pause' | 'resume'>;
  presence(key: AgentKey): Promise<Presence>;
  tell(event: WithoutTime<RuntimeEvent>): void;
  failed(error: unknown): void;
}

/** So often is looked for what nobody holds, and for what others ask for, while others are up. */
const roundMs = 500;
/** While nobody else seems to be: one may have come and gone, in good order or not, between two looks at who is there. */
const lonelyRoundMs = 2_000;
/** Timers that others have left are looked for every so many rounds. */
const timerRounds = 10;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #lease: Lease;
  readonly #placement: Placement;
  readonly #handover: Handover;
  #timer: TimerHandle;
  #stopped = false;
  #isLapsed = false;
  #rounds = 0;
  /** What nobody held at the last round although it belongs to another. */
  #left: ReadonlySet<AgentKey> = new Set();

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { node, leaseMs, kinds, remote, moved } = options;
    const { store, clock, pulse } = node;
    this.#placement = new Placement({ store, clock, kinds });
    this.#handover = new Handover({ ...options, placement: this.#placement });
    this.#lease = new Lease({
      store,
      clock,
      leaseMs,
      remote,
      pulse,
      changed: ({ gone }) => this.#changed(gone),
      lapsed: () => this.#lapse(),
      letGo: () => this.#letGo(),
      renewed: () => this.#renewed(),
      moved,
      failed: (error) => node.failed(error),
    });
  }

  /** Before agents are taken; undefined: they may be. @throws StoreMovedError */
  awake(): Promise<void> | undefined {
    return this.#lease.awake();
  }

  /** Before anything is begun outside; undefined: it may be. */
  confirmed(): Promise<void> | undefined {
    return this.#lease.confirmed();
  }

  get hasNeighbours(): boolean {
    return this.#lease.neighbours.length > 0;
  }

  /** Takes what belongs here, then takes part. */
  async start(): Promise<void> {
    await this.#lease.start();
    await this.#placement.update(this.#lease.neighbours);
    await this.#adopt();
    this.#nextRound();
  }

  stop(): void {
    this.#stopped = true;
    this.#lease.stop();
    this.#options.node.clock.clearTimeout(this.#timer);
  }

  /** Before the store is closed. */
  async leave(): Promise<void> {
    await this.#placement.withdraw();
  }

  /** There is mail for these. What belongs to another is left to it: if it does not come, the next rounds meet it. */
  mail(keys: readonly AgentKey[]): void {
    const { node } = this.#options;
    if (this.#placement.isAlone) keys.forEach((key) => node.mail.nudge(key));
    else {
      this.#placement.areHome(keys).then(
        (here) => keys.forEach((key, index) => here[index] === true && node.mail.nudge(key)),
        (error: unknown) => node.failed(error),
      );
    }
  }

  async #changed(gone: boolean): Promise<void> {
    const { node } = this.#options;
    const neighbours = this.#lease.neighbours;
    await this.#placement.update(neighbours);
    if (this.#stopped) return;
    if (node.observed) node.tell({ type: 'nodes', nodes: neighbours.map(({ name }: NodeRecord) => name) });
    if (gone) {
      this.#handover.nodeGone();
      await this.#adopt();
    }
    this.#nextRound();
  }

  /** Brings what belongs here and no other node holds; `rest`: only what nobody holds, and these wherever they belong. Resolves to what is left to others. */
  async #adopt(rest?: ReadonlySet<AgentKey>): Promise<ReadonlySet<AgentKey>> {
    const { node, residents, timers } = this.#options;
    const left = new Set<AgentKey>();
    const choose = async (keys: readonly AgentKey[]): Promise<readonly AgentKey[]> => {
      const away = keys.filter((key) => residents.get(key) === undefined);
      const here = await this.#placement.areHome(away);
      if (this.#stopped) return [];
      return away.filter((key, index) => {
        if (here[index] === true || rest?.has(key) === true) return true;
        left.add(key);
        return false;
      });
    };
    if (!this.#stopped) await recoverAll(node.store, { unheld: rest !== undefined, choose, bring: (key) => node.presence(key) });
    if (!this.#stopped && (rest === undefined || this.#rounds % timerRounds === 0)) await timers.refill();
    return left;
  }

  #nextRound(): void {
    const { node, shared } = this.#options;
    node.clock.clearTimeout(this.#timer);
    if (this.#stopped || !shared) return;
    this.#timer = node.clock.setTimeout(
      () => {
        this.#round()
          .catch((error: unknown) => node.failed(error))
          .finally(() => this.#nextRound());
      },
      this.hasNeighbours ? roundMs : lonelyRoundMs,
    );
  }

  async #round(): Promise<void> {
    const { spreads } = this.#options;
    if (this.#isLapsed) return;
    this.#rounds += 1;
    if (this.hasNeighbours) {
      // A node that has come since says only now what it knows.
      const notes = await this.#placement.update(this.#lease.neighbours);
      if (spreads) await this.#handover.answer(notes);
    }
    // What belongs to another, and that one would not take until now, is taken here.
    this.#left = await this.#adopt(this.#left);
    if (spreads && this.hasNeighbours) await this.#handover.spread();
  }

  /** For so many milliseconds more a timer of an agent that is not in memory is another node's to fire. */
  leavesMs(key: AgentKey): number {
    return this.#handover.leavesMs(key);
  }

  /** Where an agent is that code here wants in this memory: its node gives it up if it is at rest. */
  async call(presence: Presence & { readonly where: 'elsewhere' }): Promise<Presence> {
    return this.#options.spreads ? this.#handover.call(presence) : presence;
  }

  /** What runs is ended; what is not recorded yet may be recorded still, if nobody takes the agents meanwhile. */
  #lapse(): void {
    const { node } = this.#options;
    this.#isLapsed = true;
    node.operations.pause();
    node.tell({ type: 'lease', state: 'lapsed' });
  }

  async #letGo(): Promise<void> {
    const { node, residents } = this.#options;
    const agents = residents.all().filter(({ committedSequenceNumber }) => committedSequenceNumber > 0);
    const heads = await node.store.heads(agents.map(({ key }) => key));
    agents.forEach((agent, index) => {
      // Somebody has taken it.
      if (heads[index] !== undefined && heads[index].fence !== agent.fence) agent.drop(termOver(agent.id));
    });
  }

  async #renewed(): Promise<void> {
    const { node, residents } = this.#options;
    if (this.#isLapsed) node.operations.resume(residents.all());
    this.#isLapsed = false;
    node.tell({ type: 'lease', state: 'renewed' });
    await this.#adopt();
  }
}

/**
 * Agents on their way from one node to another: handed over to where they belong, or called by a node whose code wants them in its own memory. Nodes tell one another by notes.
 *
 * Invariant: only an agent at rest goes, and it is given up in the store before anybody is told. A note that is lost costs time: what has work is met by the rounds of all nodes, what has none comes when it is wanted.
 */

import type { Agent } from '../actors/agent.js';
import type { WithoutTime } from '../actors/host.js';
import type { Timers } from '../actors/timers.js';
import { sleep, type Clock } from '../core/clock.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import { budgetKind } from '../effects/budget/machine.js';
import type { AgentKey, NoteRecord, OpenedStore } from '../persistence/store.js';
import type { Ends } from './ends.js';
import type { Placement } from './placement.js';
import type { Presence } from './presence.js';
import type { Residents } from './residents.js';

export interface HandoverOptions {
  readonly node: {
    readonly store: OpenedStore;
    readonly clock: Clock;
    readonly observed: boolean;
    readonly ends: Pick<Ends, 'wake'>;
    presence(key: AgentKey): Promise<Presence>;
    tell(event: WithoutTime<RuntimeEvent>): void;
  };
  readonly placement: Pick<Placement, 'home'>;
  readonly residents: Pick<Residents, 'get' | 'all' | 'leave'>;
  readonly timers: Pick<Timers, 'refill'>;
}

/** Agents that are handed over together. */
const part = 250;
/** What code of this process has called stays so long, in milliseconds: it may be called again. */
const keptMs = 60_000;
/** Who calls an agent here waits for so long, and looks so often. */
const callMs = 3_000;
const lookMs = 100;
/** What was given up is left to whom it was given for so long. */
const givenMs = 5_000;
/** `node-handed/TO`: given up for that node, by the author. */
const handedTopic = 'node-handed/';
/** `node-wanted/OF`: wanted of that node, by the author. */
const wantedTopic = 'node-wanted/';

export class Handover {
  readonly #options: HandoverOptions;
  /** Given up, until when another's timers are left to it: elapsed time. */
  readonly #given = new Map<AgentKey, number>();
  /** Called here, by the node that has them. */
  readonly #wanted = new Map<number, Set<AgentKey>>();

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  /** For so many milliseconds more what falls due for it is another node's to do: it has just been given up. */
  leavesMs(key: AgentKey): number {
    return (this.#given.get(key) ?? -Infinity) - this.#options.node.clock.elapsed();
  }

  /** A node is gone, and what it was given with it. */
  nodeGone(): void {
    this.#given.clear();
  }

  /** Does what others have asked for; `notes`: all that begin with `node-`. */
  async answer(notes: readonly NoteRecord[]): Promise<void> {
    const { store } = this.#options.node;
    const here = (topic: string): NoteRecord[] => notes.filter((note) => note.topic === `${topic}${String(store.node)}`);
    const [handed, wanted] = [here(handedTopic), here(wantedTopic)];
    if (handed.length + wanted.length === 0) return;
    await store.retract(handed.map(({ topic, author, at }) => ({ topic, author, ifAt: at })));
    // Who wants some says so until it has them: they may be at work now.
    for (const note of wanted) {
      const keys = keysIn(note);
      const resting = keys.map((key) => this.#options.residents.get(key)).filter((agent) => agent !== undefined && mayMove(agent));
      const absent = keys.filter((key) => this.#options.residents.get(key) === undefined);
      await this.#giveUp(resting as Agent[], absent, Number(note.author));
    }
    const arriving = handed.flatMap(keysIn);
    await Promise.all(arriving.map((key) => this.#options.node.presence(key)));
    if (arriving.length > 0) await this.#options.timers.refill();
  }

  /** Hands over those that belong elsewhere and that no code here has called lately. */
  async spread(): Promise<void> {
    const { node, placement, residents } = this.#options;
    const going = (agent: Agent): boolean =>
      mayMove(agent) && node.clock.elapsed() - agent.calledAt > keptMs && placement.home(agent.id, agent.kind) !== node.store.node;
    const byHome = new Map<number, Agent[]>();
    for (const agent of residents.all()) {
      if (!going(agent)) continue;
      const home = placement.home(agent.id, agent.kind);
      byHome.set(home, [...(byHome.get(home) ?? []), agent]);
    }
    for (const [home, agents] of byHome) {
      for (let from = 0; from < agents.length; from += part) await this.#giveUp(agents.slice(from, from + part).filter(going), [], home);
    }
  }

  /** Wants an agent of another node here. Resolves to where it is then. */
  async call(presence: Presence & { readonly where: 'elsewhere' }): Promise<Presence> {
    const { node } = this.#options;
    const { key, supervisor, kind } = presence.record;
    if (supervisor !== undefined || kind === budgetKind) return presence;
    const of = presence.node.node;
    const wanted = this.#wanted.get(of) ?? new Set();
    this.#wanted.set(of, wanted.add(key));
    let found: Presence = presence;
    try {
      await node.store.publish([this.#note(wantedTopic, of, wanted)]);
      for (let waitedMs = 0; found.where === 'elsewhere' && waitedMs < callMs; waitedMs += lookMs) {
        await sleep(node.clock, lookMs);
        found = await node.presence(key);
      }
    } finally {
      wanted.delete(key);
      const note = this.#note(wantedTopic, of, wanted);
      await (wanted.size > 0 ? node.store.publish([note]) : node.store.retract([note]));
    }
    return found;
  }

  /** `absent`: not in memory. */
  async #giveUp(agents: readonly Agent[], absent: readonly AgentKey[], to: number): Promise<void> {
    const { node, residents } = this.#options;
    const keys = [...agents.map(({ key }) => key), ...absent];
    if (keys.length === 0) return;
    const now = node.clock.elapsed();
    for (const [key, until] of this.#given) if (until <= now) this.#given.delete(key);
    for (const agent of agents) {
      this.#given.set(agent.key, now + givenMs);
      residents.leave(agent);
    }
    // Asked for before anybody can bring one of them back: the store answers in order.
    await node.store.release(keys);
    // Who looked before that found them held here, where their end would be told.
    const others = absent.length === 0 ? [] : await node.store.lookup(absent);
    for (const one of [...agents, ...others]) if (one !== undefined) node.ends.wake(one.id, undefined);
    await node.store.publish([
      this.#note(
        handedTopic,
        to,
        agents.map(({ key }) => key),
      ),
    ]);
    if (node.observed) for (const { id, kind } of agents) node.tell({ type: 'handed-over', agentId: id, kind, node: to });
  }

  #note(topic: string, node: number, keys: Iterable<AgentKey>): NoteRecord {
    const { store, clock } = this.#options.node;
    return { topic: `${topic}${String(node)}`, author: String(store.node), data: JSON.stringify([...keys]), at: clock.now() };
  }
}

/** A supervisor and its children stay together, and what a budget holds is known where it was declared. */
function mayMove(agent: Agent): boolean {
  const stays = agent.supervisor !== undefined || agent.registration.isSupervisor || agent.kind === budgetKind;
  return !stays && !agent.gone && agent.idle;
}

function keysIn({ data }: NoteRecord): readonly AgentKey[] {
  return JSON.parse(data) as readonly AgentKey[];
}

/**
 * What pages are told as it happens. Nothing is queued for a page: what has changed is only noted (names of agents, not what became of them), and a batch is made of how things stand when the page can take one. So a page
 * that reads slowly costs no memory and is told less often; one that does not read at all is cut off by whoever writes to it.
 */

import { BadInputError, StoreUnavailableError } from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { StreamEvent } from './api.js';
import { unknownAgent } from './agents.js';
import type { Breakers } from './breakers.js';
import { agentLine } from './lines.js';
import type { Monitor } from './monitor.js';
import { countsOf, treePage, waiting } from './overview.js';
import type { Source } from './source.js';
import { Watch } from './watch.js';

export const topics = ['agents', 'counts', 'breakers', 'tree', 'people', 'dead-letters'] as const;
export type Topic = (typeof topics)[number];

export interface StreamChoice {
  readonly agent: string | undefined;
  readonly topics: ReadonlySet<Topic>;
}

/** Between two batches. */
export const batchMs = 100;
/** Lists of agents are read from the store, which has agents to run besides. */
const agentsEveryMs = 250;
const agentsAtOnce = 200;
/** Names that are noted; of more only the number is known. */
const mostNoted = 500;
/** A turn that was taken and is not committed after so many looks has come to nothing. */
const mostLooks = 40;
const beatMs = 10_000;

/** How often a topic is looked at: when something happened that may have to do with it, and when nothing did, for other processes may have changed it. */
const pace: Readonly<Record<Exclude<Topic, 'agents'>, { readonly busyMs: number; readonly idleMs: number }>> = {
  counts: { busyMs: 1_000, idleMs: 5_000 },
  breakers: { busyMs: 1_000, idleMs: 1_000 },
  tree: { busyMs: 500, idleMs: 5_000 },
  people: { busyMs: 1_000, idleMs: 5_000 },
  'dead-letters': { busyMs: 1_000, idleMs: 5_000 },
};

const treeEvents: readonly RuntimeEvent['type'][] = ['failed', 'restarted', 'suspended', 'spawned', 'ended', 'supervisor-ended', 'parked'];
const agentEvents: readonly RuntimeEvent['type'][] = [...treeEvents, 'recovery', 'archived', 'unarchived'];

export class Hub {
  readonly source: Source;
  readonly monitor: Monitor;
  readonly breakers: Breakers;
  readonly #most: number;
  readonly #clients = new Set<Client>();

  constructor(source: Source, monitor: Monitor, breakers: Breakers, most: number) {
    [this.source, this.monitor, this.breakers, this.#most] = [source, monitor, breakers, most];
  }

  get size(): number {
    return this.#clients.size;
  }

  /** @throws UnknownAgentError, StoreUnavailableError when too many pages are open */
  async open(choice: StreamChoice): Promise<Client> {
    const { agent } = choice;
    if (this.#clients.size >= this.#most) {
      throw new StoreUnavailableError(`${String(this.#most)} pages are open`, { hint: 'Close one of them.' });
    }
    if (agent !== undefined) {
      const [record] = await this.source.store.lookup([agent]);
      if (record === undefined) throw await unknownAgent(this.source, agent);
    }
    const client = new Client(this, choice, () => this.#clients.delete(client));
    this.#clients.add(client);
    return client;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

interface Noted {
  /** Sequence number that it will have when its turn is committed. */
  sequenceNumber: number;
  looks: number;
}

export class Client {
  readonly #hub: Hub;
  readonly #choice: StreamChoice;
  readonly #watch: Watch | undefined;
  readonly #left: () => void;
  readonly #leave: () => void;
  readonly #noted = new Map<string, Noted>();
  #skipped = 0;
  readonly #due = new Map<Topic | 'beat', number>();
  /** Topics that something has happened to. */
  readonly #touched = new Set<Topic>();
  readonly #said = new Map<Topic, string>();
  closed = false;

  constructor(hub: Hub, choice: StreamChoice, left: () => void) {
    [this.#hub, this.#choice, this.#left] = [hub, choice, left];
    this.#watch = choice.agent === undefined ? undefined : new Watch(hub.source, choice.agent);
    const onEvent = (event: RuntimeEvent): void => this.#take(event);
    this.#leave = hub.monitor.listen(onEvent);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#leave();
    this.#noted.clear();
    this.#left();
  }

  #take(event: RuntimeEvent): void {
    this.#watch?.take(event);
    this.#touched.add('counts');
    const { topics: wanted } = this.#choice;
    // Turns are nearly all there is, and each is waited for.
    if (event.type === 'turn') {
      if (wanted.has('agents')) this.#note(event.agentId, event.sequenceNumber);
      return;
    }
    if (event.type === 'commit') return;
    if (wanted.has('agents') && agentEvents.includes(event.type)) this.#note((event as { readonly agentId: string }).agentId, 0);
    if (treeEvents.includes(event.type)) this.#touched.add('tree');
    else if (event.type === 'dead-letter') this.#touched.add('dead-letters');
    else if (event.type === 'alert' || (event.type === 'activity' && event.phase !== 'started')) this.#touched.add('people');
  }

  #note(id: string, sequenceNumber: number): void {
    const known = this.#noted.get(id);
    if (known !== undefined) known.sequenceNumber = Math.max(known.sequenceNumber, sequenceNumber);
    else if (this.#noted.size < mostNoted) this.#noted.set(id, { sequenceNumber, looks: 0 });
    else this.#skipped += 1;
  }

  /** What there is to say now; may be nothing. @throws what the store throws */
  async compose(): Promise<readonly StreamEvent[]> {
    const { clock } = this.#hub.source;
    const made: StreamEvent[] = [];
    const agent = await this.#watch?.compose();
    if (agent !== undefined) made.push(agent);
    if (this.#choice.topics.has('agents') && this.#noted.size > 0 && this.#isDue('agents', agentsEveryMs)) {
      const began = clock.elapsed();
      const agents = await this.#agents();
      this.#due.set('agents', clock.elapsed() + Math.max(agentsEveryMs, 10 * (clock.elapsed() - began)));
      if (agents !== undefined) made.push(agents);
    }
    for (const topic of this.#choice.topics) {
      if (topic === 'agents') continue;
      const { busyMs, idleMs } = pace[topic];
      if (!this.#isDue(topic, this.#touched.has(topic) ? busyMs : idleMs)) continue;
      this.#touched.delete(topic);
      this.#due.set(topic, clock.elapsed());
      const event = await this.#topic(topic);
      const text = JSON.stringify(event);
      if (this.#said.get(topic) === text) continue;
      this.#said.set(topic, text);
      made.push(event);
    }
    if (this.#isDue('beat', beatMs)) {
      this.#due.set('beat', clock.elapsed());
      made.push({ type: 'beat', now: clock.now() });
    }
    return made;
  }

  /** `agents` is due at a time, the others so long after they were last said. */
  #isDue(topic: Topic | 'beat', everyMs: number): boolean {
    const last = this.#due.get(topic);
    const now = this.#hub.source.clock.elapsed();
    return last === undefined || now >= (topic === 'agents' ? last : last + everyMs);
  }

  async #agents(): Promise<StreamEvent | undefined> {
    const { store, redactor } = this.#hub.source;
    const ids = [...this.#noted.keys()].slice(0, agentsAtOnce);
    const records = await store.lookup(ids);
    const agents = records.flatMap((record, index) => {
      const id = ids[index] as string;
      const noted = this.#noted.get(id);
      if (record === undefined || noted === undefined) {
        // Made by a turn that is not durable yet, or gone.
        if (noted !== undefined && (noted.looks += 1) > mostLooks) this.#noted.delete(id);
        return [];
      }
      if (record.sequenceNumber >= noted.sequenceNumber) this.#noted.delete(id);
      else if ((noted.looks += 1) > mostLooks) this.#noted.delete(id);
      return [agentLine(record, redactor)];
    });
    const skipped = this.#skipped;
    this.#skipped = 0;
    return agents.length === 0 && skipped === 0 ? undefined : { type: 'agents', agents, skipped };
  }

  async #topic(topic: Exclude<Topic, 'agents'>): Promise<StreamEvent> {
    const { source, breakers } = this.#hub;
    switch (topic) {
      case 'counts':
        return { type: 'counts', counts: await countsOf(source) };
      case 'breakers':
        await breakers.sample();
        return { type: 'breakers', breakers: await breakers.lines() };
      case 'tree':
        return { type: 'tree', tree: await treePage(source) };
      case 'people': {
        const { approvals, holds, sagas } = await waiting(source);
        return { type: 'people', waiting: approvals.length + holds.length + sagas.length };
      }
      case 'dead-letters':
        return { type: 'dead-letters', count: (await source.counts()).deadLetters };
    }
  }
}

/** @throws BadInputError */
export function topicsOf(text: string | undefined): ReadonlySet<Topic> {
  const words = (text ?? '').split(',').filter((word) => word !== '');
  for (const word of words) {
    if (!topics.some((topic) => topic === word)) {
      throw new BadInputError(`there is no topic ${JSON.stringify(word)}`, { hint: `Use some of ${topics.join(', ')}.` });
    }
  }
  return new Set(words as Topic[]);
}

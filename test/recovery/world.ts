/**
 * What a recovery scenario runs in: a clock of its own, and the outside world that no restart takes back: a file that is only ever
 * appended to. The same scenario runs inside one process or has its first life in a process that is killed.
 */

import { expect } from 'chai';
import { appendFileSync, readFileSync } from 'node:fs';
import { settled, SimulatedClock, type FaultyStore } from 'statewarden/testing';
import type { OpenedStore } from '#src/persistence/store.js';
import type { KindDefinition, Runtime } from 'statewarden';

export class World {
  readonly clock: SimulatedClock;
  /** 1 before the restart, 2 after it. */
  readonly life: 1 | 2;
  readonly #path: string;

  constructor(path: string, store: FaultyStore, life: 1 | 2, now: number) {
    this.#path = path;
    this.life = life;
    // A file's store answers from another thread: time stands still until it has.
    const settle = async (): Promise<void> => {
      do await settled();
      while (store.underWay > 0);
    };
    this.clock = new SimulatedClock({ now, settle });
  }

  /** Something that can be seen from outside. */
  happens(what: string): void {
    appendFileSync(this.#path, `${what}\n`);
  }

  /** All that happened, in both lives, in order; those that begin so when `prefix` is given. */
  happened(prefix = ''): string[] {
    const lines = readFileSync(this.#path, 'utf8').split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith(prefix));
  }
}

/** Kinds as the scenarios give them: their types do not matter here. */
export type Kinds = Readonly<Record<string, KindDefinition>>;

export interface Scenario {
  readonly name: string;
  /** The registered kinds; made anew for each life. */
  agents(world: World): Kinds;
  /** The first life: what it awaits is durable when it ends. */
  before(runtime: Runtime, world: World): Promise<void>;
  /** How long nobody runs the agents. Default 1,000. */
  readonly downMs?: number;
  after(runtime: Runtime, world: World): Promise<void>;
}

/** Waits, in real time, until something holds: for what another thread has to do first. */
export async function until(holds: () => Promise<boolean> | boolean, what = String(holds)): Promise<void> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, tries < 20 ? 0 : 5));
  }
  expect.fail(`never came true: ${what}`);
}

/** Waits until an agent's turn with this number is durable, without making it write a checkpoint. */
export function durable(store: OpenedStore, id: string, sequenceNumber: number): Promise<void> {
  return until(
    async () => ((await store.lookup([id]))[0]?.sequenceNumber ?? 0) >= sequenceNumber,
    `turn ${String(sequenceNumber)} of ${id}`,
  );
}

export interface Entry {
  readonly seq: number;
  readonly at: number;
  readonly event?: { readonly type: string; readonly [member: string]: unknown };
  readonly timer?: string;
  readonly op?: string;
  readonly id?: string;
  readonly to?: string;
}

/** An agent's whole journal. */
export async function journalOf(store: OpenedStore, id: string): Promise<Entry[]> {
  const [record] = await store.lookup([id]);
  const segments = await store.journal(record!.key, { after: 0, limit: 10_000 });
  return segments.flatMap(({ entries }) => JSON.parse(entries) as Entry[]);
}

/** Types of the events in an agent's journal, in order. */
export async function eventsOf(store: OpenedStore, id: string): Promise<string[]> {
  return (await journalOf(store, id)).flatMap(({ event }) => (event === undefined ? [] : [event.type]));
}

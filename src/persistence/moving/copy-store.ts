/**
 * Moving house: all that a store has into another one, which has nothing yet. Begun again after it was stopped, wherever that was, it goes on with what is missing.
 *
 * - Nobody runs an agent twice. A mark on each store keeps runtimes away, and sends home those that are up; only when none is up are agents read for good. In a move each is taken first, which raises its fence: a process that slept
 *   through all of this could write nothing.
 * - Nothing is believed to be there because it was written: every agent is read back and compared.
 * - What is there is replaced while it differs, so an agent is in the other store as it was last in this one. Mail that is sent to the old store after its mark, by somebody who does not look, is not taken along.
 */

import { refuseEncrypted } from '../encryption/marker.js';
import { systemClock, type Clock } from '../../core/clock.js';
import { CopyError } from '../../core/errors.js';
import { failpoint } from '../../core/failpoint.js';
import type { AgentKey, AgentRecord, NodeRecord, OpenedStore, Store, WholeAgent } from '../store.js';
import { chosen, chosenCount } from '../tiers/choice.js';
import { copyLetters } from './letters.js';
import { likeness, transplanted } from './likeness.js';
import { isOfUsers, readMark, writeMark } from './mark.js';
import { copyArtifacts, type ArtifactStores } from './objects.js';

export interface CopyOptions {
  readonly from: Store;
  readonly to: Store;
  /** The agents are to run in the other store from now on: runtimes that are up are sent home, none starts here any more. Default: both have them, and `from` has no runtime up meanwhile. */
  readonly move?: boolean;
  /** So long runtimes that are up may take to come to their end. Default 30,000. */
  readonly waitMs?: number;
  /** What archives and large results are copied from and to. Default: the other store's runtime is given the same artifact store. */
  readonly artifacts?: ArtifactStores;
  readonly clock?: Clock;
  /** Told whom it waits for: a copy that was killed is still taken to be alive where only its lease tells, until that has run out. */
  readonly waiting?: (other: string) => void;
  /** `total`: about. */
  readonly progress?: (done: number, total: number) => void;
}

export interface CopyReport {
  readonly agents: number;
  /** Of them: were there already, and the same; the others were written now. */
  readonly unchanged: number;
  readonly deadLetters: number;
  readonly notes: number;
  readonly machines: number;
  readonly artifacts: number;
}

const keysPerNode = 2 ** 32;
/** Agents that are read and written together. */
const part = 50;
const leaseMs = 15_000;
const leaseName = 'copy';
const pollMs = 100;

/** @throws CopyError, StoreMovedError, what the stores throw */
export async function copyStore(options: CopyOptions): Promise<CopyReport> {
  const { from, to, clock = systemClock } = options;
  if (from === to || (from.capabilities.durable && from.name === to.name)) {
    throw new CopyError(`${from.name} cannot be copied to itself`, { hint: 'Give another place to copy to.' });
  }
  const lease = { name: leaseName, ttlMs: leaseMs };
  const now = (): number => clock.now();
  const source = await from.open({ lease, now });
  try {
    await refuseEncrypted(
      source,
      from.name,
      'Give encrypted(store, { keys }): agents get new keys of their own there, and are sealed anew.',
    );
    const target = await to.open({ lease, now });
    try {
      return await new Copy(options, source, target, clock).run();
    } catch (error) {
      // Its agents stay where they are: nobody has to wait for another try.
      if ((await readMark(source))?.state === 'copying') await writeMark(source, undefined, now());
      throw error;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Takes the marks of a copy that is not to be finished away: agents run where they were. What is in `to` stays there. @throws CopyError when it is finished, what the stores throw */
export async function cancelCopy({ from, to, clock = systemClock }: Pick<CopyOptions, 'from' | 'to' | 'clock'>): Promise<void> {
  const now = (): number => clock.now();
  const [source, target] = [await from.open({ now }), await to.open({ now })];
  try {
    const mark = await readMark(source);
    if (mark?.state === 'moved' && (await readMark(target)) === undefined) {
      throw new CopyError(`the agents have moved to ${to.name}, and may have run there`, {
        hint: `Move them back: statewarden copy ${to.name} NEW --move.`,
      });
    }
    await writeMark(source, undefined, now());
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

class Copy {
  readonly #options: CopyOptions;
  readonly #source: OpenedStore;
  readonly #target: OpenedStore;
  readonly #clock: Clock;
  readonly #copied = new Set<string>();
  #nextKey: AgentKey;
  #beatAt: number;

  constructor(options: CopyOptions, source: OpenedStore, target: OpenedStore, clock: Clock) {
    this.#options = options;
    this.#source = source;
    this.#target = target;
    this.#clock = clock;
    this.#nextKey = target.node * keysPerNode + 1;
    this.#beatAt = clock.elapsed();
  }

  async run(): Promise<CopyReport> {
    const { move = false, from, to } = this.#options;
    const [source, target] = [this.#source, this.#target];
    await this.#assertFresh();
    const now = (): number => this.#clock.now();
    // Looked for before too: a mark that is not to stay would send them home.
    await this.#assertAlone(target, to);
    if (!move) await this.#assertAlone(source, from);
    await writeMark(target, { state: 'arriving', other: from.name }, now());
    await this.#assertAlone(target, to);
    // Most of them, while those that run may still run.
    if (move && (await this.#others(source)).length > 0) await this.#agents(false);
    if ((await readMark(source))?.state !== 'moved') {
      await writeMark(source, { state: move ? 'leaving' : 'copying', other: to.name }, now());
    }
    failpoint('copy:marked');
    if (move) await this.#sentHome();
    else await this.#assertAlone(source, from);
    const { agents, unchanged } = await this.#agents(move);
    await this.#removeExtra();
    const machines = await source.machines();
    await target.saveMachines(machines);
    const notes = (await source.notes('')).filter(isOfUsers);
    await target.publish(notes);
    const deadLetters = await copyLetters(source, target, this.#newKey(), now());
    failpoint('copy:complete');
    await writeMark(source, move ? { state: 'moved', other: to.name } : undefined, now());
    failpoint('copy:handed-over');
    await writeMark(target, undefined, now());
    return { agents, unchanged, deadLetters, notes: notes.length, machines: machines.length, artifacts: this.#copied.size };
  }

  /** The target is empty, or has what a copy from here has left. */
  async #assertFresh(): Promise<void> {
    const { from, to } = this.#options;
    const [mark, left] = [await readMark(this.#target), await readMark(this.#source)];
    if (left?.state === 'arriving') {
      throw new CopyError(`not all agents are in ${from.name} yet: they come from ${left.other}`, { hint: 'Finish that copy first.' });
    }
    if (left?.state === 'moved' && (left.other !== to.name || mark === undefined)) {
      const where = left.other === to.name ? 'already' : `to ${left.other}`;
      throw new CopyError(`the agents of ${from.name} have moved ${where}`, { hint: `Copy from ${left.other}, where they are now.` });
    }
    if (mark?.state === 'arriving' && mark.other === from.name) return;
    if (
      mark !== undefined ||
      (await this.#target.list({ limit: 1 })).length > 0 ||
      (await this.#target.deadLetters({ after: 0, limit: 1 })).length > 0
    ) {
      throw new CopyError(`${to.name} has agents of its own`, { hint: 'Copy to a place that is not there yet, or is empty.' });
    }
  }

  async #others(store: OpenedStore): Promise<readonly NodeRecord[]> {
    return (await store.nodes()).filter(({ node }) => node !== store.node);
  }

  async #assertAlone(store: OpenedStore, { name }: Store): Promise<void> {
    let [other] = await this.#others(store);
    if (other?.name === leaseName) {
      this.#options.waiting?.(inWords(other));
      const until = this.#clock.elapsed() + leaseMs + 1_000;
      while (other?.name === leaseName && this.#clock.elapsed() < until) {
        await this.#pause();
        [other] = await this.#others(store);
      }
    }
    if (other === undefined) return;
    throw new CopyError(`${name} is in use by ${inWords(other)}`, {
      hint: store === this.#source ? 'Stop it first, or move its agents: --move.' : 'Stop it until all agents have come.',
    });
  }

  /** Waits until the runtimes have seen the mark and are gone. */
  async #sentHome(): Promise<void> {
    const { waitMs = 30_000, from } = this.#options;
    const until = this.#clock.elapsed() + waitMs;
    for (;;) {
      const [other] = await this.#others(this.#source);
      if (other === undefined) return;
      if (this.#clock.elapsed() >= until) {
        throw new CopyError(`${from.name} is still in use by ${inWords(other)}`, {
          hint: 'Stop it and copy again. If it hangs, it is passed over when its lease runs out.',
        });
      }
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    await this.#beat();
    await new Promise<void>((resolve) => void this.#clock.setTimeout(resolve, pollMs));
  }

  async #agents(take: boolean): Promise<{ agents: number; unchanged: number }> {
    const { progress } = this.#options;
    const total = await chosenCount(this.#source, {});
    let [agents, unchanged] = [0, 0];
    for await (const records of chosen(this.#source, {})) {
      for (let start = 0; start < records.length; start += part) {
        const some = records.slice(start, start + part);
        await this.#beat();
        unchanged += await this.#part(some, take);
        agents += some.length;
        progress?.(agents, Math.max(agents, total));
      }
    }
    return { agents, unchanged };
  }

  /** Resolves to how many were there already, the same. */
  async #part(records: readonly AgentRecord[], take: boolean): Promise<number> {
    const [source, target] = [this.#source, this.#target];
    const keys = records.map(({ key }) => key);
    if (take) {
      for (const outcome of await source.load(keys)) {
        if (outcome.outcome !== 'owned') continue;
        throw new CopyError(`agent "${outcome.record.id}" is held by ${inWords(outcome.node)}`, { hint: 'Stop it and copy again.' });
      }
    }
    const agents = (await source.whole(keys)).filter((agent) => agent !== undefined);
    const there = await target.lookup(agents.map(({ record }) => record.id));
    const copies = await target.whole(there.flatMap((record) => record?.key ?? []));
    const known = new Map(copies.flatMap((copy) => (copy === undefined ? [] : [[copy.record.id, copy] as const])));
    const wanted = new Map(agents.map((agent) => [agent.record.id, likeness(agent)]));
    const isSame = ({ record }: WholeAgent): boolean => {
      const copy = known.get(record.id);
      return copy !== undefined && likeness(copy) === wanted.get(record.id);
    };
    const different = agents.filter((agent) => !isSame(agent));
    for (const agent of agents)
      if (this.#options.artifacts !== undefined) await copyArtifacts(this.#options.artifacts, agent, this.#copied);
    if (different.length === 0) return agents.length;
    await this.#remove(different.flatMap(({ record }) => known.get(record.id) ?? []));
    const moved = different.map((agent) => transplanted(agent, this.#newKey()));
    const outcomes = await target.install(moved);
    failpoint('copy:installed');
    const read = await target.whole(moved.map(({ record }) => record.key));
    moved.forEach(({ record: { id } }, index) => {
      const copy = read[index];
      if (outcomes[index] === 'installed' && copy !== undefined && likeness(copy) === wanted.get(id)) return;
      throw new CopyError(`agent "${id}" is not in ${this.#options.to.name} as it was written`, {
        hint: 'Copy again; if it stays so, look at that store with `statewarden doctor`.',
      });
    });
    return agents.length - different.length;
  }

  async #remove(agents: readonly WholeAgent[]): Promise<void> {
    const orders = agents.map(({ record: { key, fence, sequenceNumber }, mailbox }) => ({
      ...{ key, fence, sequenceNumber },
      lastMail: mailbox.at(-1)?.position ?? 0,
    }));
    const outcomes = orders.length === 0 ? [] : await this.#target.remove(orders);
    const index = outcomes.indexOf('changed');
    if (index < 0) return;
    const id = agents[index]?.record.id ?? '';
    throw new CopyError(`agent "${id}" has changed in ${this.#options.to.name}`, {
      hint: 'Let nobody use that store until the copy is finished.',
    });
  }

  /** What a copy that was stopped has brought and is no more in the source. */
  async #removeExtra(): Promise<void> {
    for await (const records of chosen(this.#target, {})) {
      const there = await this.#source.lookup(records.map(({ id }) => id));
      const extra = records.filter((_, index) => there[index] === undefined).map(({ key }) => key);
      if (extra.length > 0) await this.#remove((await this.#target.whole(extra)).filter((agent) => agent !== undefined));
    }
  }

  #newKey(): AgentKey {
    this.#nextKey += 1;
    return this.#nextKey - 1;
  }

  async #beat(): Promise<void> {
    if (this.#clock.elapsed() - this.#beatAt < leaseMs / 5) return;
    this.#beatAt = this.#clock.elapsed();
    await Promise.all([this.#source.heartbeat(), this.#target.heartbeat()]);
  }
}

function inWords({ node, name, pid, host }: NodeRecord): string {
  return `node ${String(node)}, ${name} (process ${String(pid)} on ${host})`;
}

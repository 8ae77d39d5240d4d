/**
 * An agent's past as an inspection stream. With its machine's code every turn is run again in actors that do nothing (runtime/history.ts) and has its true snapshots; without it the machine is
 * drawn from what the store keeps of it, every event is there, and the snapshots are those that the store has: of the checkpoint and of the record.
 */

import type { AnyActorRef, Snapshot } from 'xstate';
import type { MachineChart } from '../../actors/chart.js';
import { actorAt, pathTo } from '../../actors/place.js';
import { configOf } from './chart-config.js';
import { actorsOf } from './live.js';
import { actorMessage, eventMessage, messageOf, shownSnapshot, snapshotMessage, type InspectionMessage } from './message.js';
import type { Sanitiser } from './sanitise.js';
import { sessionIdOf, Views, type RawEvent } from './view.js';

/** What a turn was about. */
export interface TurnEvent {
  readonly event: { readonly type: string };
  /** Of the actor that took it; '': the root. */
  readonly to: string;
  readonly at: number;
}

/** With the code. */
export class PastReplay {
  readonly #sanitiser: Sanitiser;
  readonly #views: Views;
  readonly #shown = new Map<AnyActorRef, unknown>();
  #root: AnyActorRef | undefined;

  constructor(agentId: string, sanitiser: Sanitiser) {
    this.#sanitiser = sanitiser;
    this.#views = new Views(agentId);
  }

  /** Where its actors stand, for whoever has seen nothing before. */
  stand(root: AnyActorRef, at: number): InspectionMessage[] {
    return this.#changes(root, { type: 'xstate.init' }, at);
  }

  /** After a turn was run again. */
  turn(root: AnyActorRef, { event, to, at }: TurnEvent): InspectionMessage[] {
    const before = this.#root === root ? [...this.#shown.keys()].find((actor) => pathTo(actor) === to) : undefined;
    const changes = this.#changes(root, event, at);
    const target = before ?? actorAt(root, to) ?? root;
    const actors = changes.filter(({ type }) => type === '@xstate.actor');
    const taken = this.#messages([{ type: '@xstate.event', actorRef: target, event }], at);
    return [...actors, ...taken, ...changes.filter(({ type }) => type !== '@xstate.actor')];
  }

  #changes(root: AnyActorRef, event: object, at: number): InspectionMessage[] {
    // A life of its own, begun anew after its end.
    if (this.#root !== root) this.#shown.clear();
    this.#root = root;
    const fresh: RawEvent[] = [];
    for (const actorRef of actorsOf(root)) {
      if (this.#shown.has(actorRef)) continue;
      this.#views.of(actorRef).snapshot = actorRef.getSnapshot() as Snapshot<unknown>;
      this.#shown.set(actorRef, undefined);
      fresh.push({ type: '@xstate.actor', actorRef });
    }
    const changed: RawEvent[] = [];
    // Children that are gone are shown as they ended.
    for (const [actorRef, before] of this.#shown) {
      const snapshot = actorRef.getSnapshot() as Snapshot<unknown>;
      if (snapshot === before) continue;
      this.#views.of(actorRef).snapshot = snapshot;
      if (snapshot.status === 'active' || actorRef === root) this.#shown.set(actorRef, snapshot);
      else this.#shown.delete(actorRef);
      changed.push({ type: '@xstate.snapshot', actorRef, event, snapshot });
    }
    return this.#messages([...fresh, ...changed], at);
  }

  #messages(events: readonly RawEvent[], at: number): InspectionMessage[] {
    return events.flatMap((event) => messageOf(this.#views.shown(event), at, this.#sanitiser) ?? []);
  }
}

interface StoredSnapshot {
  readonly value?: unknown;
  readonly children?: Readonly<Record<string, { readonly src: unknown; readonly snapshot: StoredSnapshot }>>;
}

/** Without. */
export class StoredReplay {
  readonly #agentId: string;
  readonly #chart: MachineChart | undefined;
  readonly #sanitiser: Sanitiser;
  readonly #known = new Set<string>();

  constructor(agentId: string, chart: MachineChart | undefined, sanitiser: Sanitiser) {
    this.#agentId = agentId;
    this.#chart = chart;
    this.#sanitiser = sanitiser;
  }

  turn({ event, to, at }: TurnEvent): InspectionMessage[] {
    const actors = this.#introduced(to, undefined, at);
    return [...actors, eventMessage(this.#head(to, at), this.#sanitiser.value(event))];
  }

  /** What the store has of a moment: a checkpoint's snapshot, or the status and state of the record. */
  snapshot(snapshot: object, event: object, at: number, path = ''): InspectionMessage[] {
    const { children = {} } = snapshot as StoredSnapshot;
    return [
      ...this.#introduced(path, undefined, at),
      snapshotMessage(this.#head(path, at), this.#sanitiser.value(event), shownSnapshot(snapshot, this.#sanitiser)),
      ...Object.entries(children).flatMap(([id, child]) => {
        const below = path === '' ? encodeURIComponent(id) : `${path}/${encodeURIComponent(id)}`;
        return [...this.#introduced(below, child.src, at), ...this.snapshot(child.snapshot, event, at, below)];
      }),
    ];
  }

  #head(path: string, at: number): { sessionId: string; rootId: string; at: number } {
    return { sessionId: this.#session(path), rootId: this.#session(''), at };
  }

  #session(path: string): string {
    return sessionIdOf(this.#agentId, path === '' ? undefined : path);
  }

  /** The actor and those above it, when they were not told of yet. */
  #introduced(path: string, src: unknown, at: number): InspectionMessage[] {
    if (this.#known.has(path)) return [];
    this.#known.add(path);
    const above = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    const id = path === '' ? this.#agentId : decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
    const chart = path === '' ? this.#chart : typeof src === 'string' ? this.#chart?.actors?.[src]?.chart : undefined;
    const definition = chart === undefined ? JSON.stringify({ id }) : this.#sanitiser.definition(configOf(chart));
    const parentId = path === '' ? undefined : this.#session(above);
    const message = actorMessage(this.#head(path, at), { name: id, parentId, definition, snapshot: { status: 'active' } });
    return path === '' ? [message] : [...this.#introduced(above, undefined, at), message];
  }
}

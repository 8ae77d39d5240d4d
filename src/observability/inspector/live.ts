/**
 * What goes on inside of live agents, for whoever inspects them: XState's own inspection events, told once their turn is durable, in order. Nobody hears of a turn that
 * never was: one that failed, or whose commit was refused. Agents that come back announce themselves again, as they are; what was only run again is not told.
 *
 * Invariant: agents do the same, and write the same, whether somebody looks or not. While nobody does, no actor is listened to.
 */

import type { AnyActorRef, InspectionEvent, Snapshot } from 'xstate';
import type { Agent } from '../../actors/agent.js';
import type { Inspection } from '../../actors/inspection.js';
import { Views, type RawEvent } from './view.js';

/** What XState's `inspect` takes. It is not to change what it is given. */
export type InspectObserver = ((event: InspectionEvent) => void) | { next?(event: InspectionEvent): void };

/** What a runtime makes of `inspect`. */
export interface OpenInspection {
  readonly inspection: Inspection;
  close(): Promise<void>;
}

/** What `inspect` may be besides an observer. A runtime opens it; one may be given to several. */
export interface Inspector {
  /** @throws BadInputError for a port that is in use */
  open(agents: () => readonly Agent[], failed: (error: unknown) => void): Promise<OpenInspection>;
}

type System = Omit<AnyActorRef['system'], 'inspect'> & { inspect(observer: (event: RawEvent) => void): { unsubscribe(): void } };

export interface LiveOptions {
  /** Told of each event. What it throws is told to `failed`, and changes nothing. */
  readonly tell: (event: InspectionEvent, agent: Agent) => void;
  readonly failed: (error: unknown) => void;
  /** Agents that are looked at. Default: all. */
  readonly filter?: ((agent: { readonly id: string; readonly kind: string }) => boolean) | undefined;
}

/** `@xstate.action` would have only part of an agent's actions in it: those that leave it are done after their turn. */
const told: ReadonlySet<string> = new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot', '@xstate.microstep']);

const initial = { type: 'xstate.init' };

export class LiveInspection implements Inspection {
  readonly #options: LiveOptions;
  readonly #feeds = new Map<Agent, Feed>();
  #isWatching = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** From now on agents that come into memory are looked at. */
  start(): void {
    this.#isWatching = true;
  }

  /** Nobody looks any more: actors are left alone. */
  stop(): void {
    this.#isWatching = false;
    for (const feed of this.#feeds.values()) feed.end();
    this.#feeds.clear();
  }

  adopted(agent: Agent, root: AnyActorRef): void {
    if (!this.#isWatching || !this.#isWanted(agent)) return;
    const feed = this.#feed(agent);
    feed.listen(root);
    feed.add({ type: '@xstate.actor', actorRef: root });
  }

  restored(agent: Agent): void {
    const feed = this.#feeds.get(agent);
    feed?.forget();
    feed?.announce();
  }

  /** Looks at an agent that is in memory. What is known of it already, oldest first; nothing when it announces itself. */
  look(agent: Agent): readonly InspectionEvent[] {
    if (!this.#isWanted(agent) || agent.gone || agent.root === undefined) return [];
    const known = this.#feeds.get(agent);
    if (known !== undefined) return known.known();
    const feed = this.#feed(agent);
    feed.listen(agent.root);
    feed.announce();
    return [];
  }

  #isWanted(agent: Agent): boolean {
    const { filter } = this.#options;
    // Our own kinds: supervisors, budgets.
    return !agent.kind.startsWith('statewarden.') && (filter === undefined || filter({ id: agent.id, kind: agent.kind }));
  }

  #feed(agent: Agent): Feed {
    const feed = new Feed(agent, this.#options, () => {
      if (this.#feeds.get(agent) === feed) this.#feeds.delete(agent);
    });
    this.#feeds.set(agent, feed);
    // Those that have left memory since are not counted as looked at.
    if (this.#feeds.size > this.#sweepAt) this.#sweep();
    return feed;
  }

  #sweepAt = 1_024;

  #sweep(): void {
    for (const [agent, feed] of this.#feeds) {
      if (!agent.gone) continue;
      feed.end();
      this.#feeds.delete(agent);
    }
    this.#sweepAt = Math.max(1_024, 2 * this.#feeds.size);
  }
}

/** An observer of the user's, told from the beginning. */
export function observing(observer: InspectObserver, failed: (error: unknown) => void): OpenInspection {
  const tell = typeof observer === 'function' ? observer : (event: InspectionEvent) => observer.next?.(event);
  const live = new LiveInspection({ tell, failed });
  live.start();
  return { inspection: live, close: async () => live.stop() };
}

/** One agent's events on their way. */
class Feed {
  readonly #agent: Agent;
  readonly #options: LiveOptions;
  readonly #over: () => void;
  readonly #views: Views;
  readonly #waiting: { readonly sequenceNumber: number; readonly event: RawEvent }[] = [];
  /** Turns up to this one are waited for. */
  #awaited = -1;
  #subscription: { unsubscribe(): void } | undefined;

  constructor(agent: Agent, options: LiveOptions, over: () => void) {
    this.#agent = agent;
    this.#options = options;
    this.#over = over;
    this.#views = new Views(agent.id);
  }

  listen(root: AnyActorRef): void {
    this.#subscription?.unsubscribe();
    this.#subscription = (root.system as unknown as System).inspect((event) => void (told.has(event.type) && this.add(event)));
    this.#minding(root);
  }

  end(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    this.forget();
  }

  forget(): void {
    this.#waiting.length = 0;
    this.#awaited = -1;
  }

  add(event: RawEvent): void {
    const { sequenceNumber } = this.#agent;
    if (event.type === '@xstate.actor' && event.actorRef._parent !== undefined) this.#minding(event.actorRef);
    if (event.type === '@xstate.snapshot') this.#views.of(event.actorRef).snapshot ??= event['snapshot'] as Snapshot<unknown>;
    this.#waiting.push({ sequenceNumber, event });
    if (this.#awaited >= sequenceNumber) return;
    this.#awaited = sequenceNumber;
    this.#agent.whenDurable(sequenceNumber).then(
      () => this.#flush(),
      () => this.#lost(),
    );
  }

  /** XState shows no snapshot of an actor that throws. */
  #minding(actor: AnyActorRef): void {
    const error = (thrown: unknown): void => {
      if (this.#subscription === undefined) return;
      const event = { type: `xstate.error.actor.${actor.id}`, error: thrown };
      this.add({ type: '@xstate.snapshot', actorRef: actor, event, snapshot: actor.getSnapshot() as unknown });
    };
    actor.subscribe({ error });
  }

  /** As it is: what was before its start, or before somebody looked, is not told. */
  announce(): void {
    const actors = [...actorsOf(this.#agent.root)];
    for (const actorRef of actors) this.add({ type: '@xstate.actor', actorRef });
    for (const actorRef of actors) {
      const snapshot = actorRef.getSnapshot() as unknown;
      this.add({ type: '@xstate.snapshot', actorRef, event: initial, snapshot });
    }
  }

  /** What was told so far, as it stands. */
  known(): readonly InspectionEvent[] {
    const alive = [...this.#views.alive()];
    const events = alive.map(({ actor }): RawEvent => ({ type: '@xstate.actor', actorRef: actor }));
    for (const { actor, snapshot } of alive) events.push({ type: '@xstate.snapshot', actorRef: actor, event: initial, snapshot });
    return events.map((event) => this.#views.shown(event));
  }

  #flush(): void {
    const { committedSequenceNumber } = this.#agent;
    let count = 0;
    while ((this.#waiting[count]?.sequenceNumber ?? Infinity) <= committedSequenceNumber) count += 1;
    for (const { event } of this.#waiting.splice(0, count)) this.#tell(event);
    if (this.#agent.status !== 'active' && this.#agent.gone && this.#waiting.length === 0) this.#lost();
  }

  #lost(): void {
    this.end();
    this.#over();
  }

  #tell(event: RawEvent): void {
    const view = this.#views.of(event.actorRef);
    if (event.type === '@xstate.actor') view.isKnown = true;
    if (event.type === '@xstate.snapshot') {
      const snapshot = event['snapshot'] as Snapshot<unknown>;
      // An end is told once: XState may show it again when the actor is taken down.
      if (view.isOver) return;
      view.snapshot = snapshot;
      view.isOver = snapshot.status !== 'active';
    }
    try {
      this.#options.tell(this.#views.shown(event), this.#agent);
    } catch (error) {
      this.#options.failed(error);
    }
    if (view.isOver) this.#views.forget(view);
  }
}

/** An actor and all below it, from above to below. */
export function* actorsOf(actor: AnyActorRef): Generator<AnyActorRef> {
  yield actor;
  const { children = {} } = (actor.getSnapshot() ?? {}) as { readonly children?: Readonly<Record<string, AnyActorRef | undefined>> };
  for (const child of Object.values(children)) if (child !== undefined) yield* actorsOf(child);
}

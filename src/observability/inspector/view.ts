/**
 * An actor of an agent as whoever inspects it sees it: the actor, under a session id that no other agent's actor has, and with the snapshot that was told of it last. Its own
 * may be of a turn that is not durable yet.
 */

import type { AnyActorRef, InspectionEvent, Snapshot } from 'xstate';

/** As XState sends them, before it says which root they are of. */
export type RawEvent = { readonly type: string; readonly actorRef: AnyActorRef; readonly sourceRef?: AnyActorRef | undefined } & Readonly<
  Record<string, unknown>
>;

export interface View {
  readonly actor: AnyActorRef;
  /** What observers are given for it. */
  readonly ref: AnyActorRef;
  /** The first, until one was told. */
  snapshot: Snapshot<unknown> | undefined;
  /** It was told of. */
  isKnown: boolean;
  /** It is over, and whoever looks was told. */
  isOver: boolean;
}

/** Of one agent. */
export class Views {
  readonly #agentId: string;
  readonly #views = new Map<AnyActorRef, View>();

  constructor(agentId: string) {
    this.#agentId = agentId;
  }

  get rootId(): string {
    return sessionIdOf(this.#agentId, undefined);
  }

  of(actor: AnyActorRef): View {
    const known = this.#views.get(actor);
    if (known !== undefined) return known;
    const parent = actor._parent === undefined ? undefined : this.of(actor._parent);
    const sessionId = (): string => sessionIdOf(this.#agentId, parent === undefined ? undefined : actor.sessionId);
    const view: View = { actor, ref: Object.create(actor) as AnyActorRef, snapshot: undefined, isKnown: false, isOver: false };
    Object.defineProperties(view.ref, {
      sessionId: { enumerable: true, get: sessionId },
      _parent: { value: parent?.ref },
      getSnapshot: { value: () => view.snapshot ?? (actor.getSnapshot() as Snapshot<unknown>) },
    });
    this.#views.set(actor, view);
    return view;
  }

  /** Those that were told of and live. */
  *alive(): Generator<View> {
    for (const view of this.#views.values()) if (view.isKnown && !view.isOver) yield view;
  }

  forget(view: View): void {
    if (view.actor._parent !== undefined) this.#views.delete(view.actor);
  }

  /** For observers. */
  shown(event: RawEvent): InspectionEvent {
    const { actorRef, sourceRef } = event;
    const source = sourceRef === undefined ? {} : { sourceRef: this.of(sourceRef).ref };
    return { ...event, actorRef: this.of(actorRef).ref, ...source, rootId: this.rootId } as unknown as InspectionEvent;
  }
}

/** No two agents' actors have the same: XState's own numbers are counted in each agent anew, so that they do not depend on the process. */
export function sessionIdOf(agentId: string, own: string | undefined): string {
  return `${agentId}#${own ?? 'x:0'}`;
}

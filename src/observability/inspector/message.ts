/**
 * The Stately inspector's protocol: three messages, each a JSON object, as @statelyai/inspect 0.7 sends and reads them (contract test: test/observability/inspector/protocol.test.ts).
 * Everything in them that is the user's is sanitised.
 */

import type { AnyActorRef, InspectionEvent } from 'xstate';
import type { Parcel } from './outbox.js';
import type { Sanitiser } from './sanitise.js';

/** Of the protocol: the package's. Its receivers take for a message what has one. */
const version = '0.7.2';

interface Common {
  /** Of the actor; unique among all that are shown. */
  readonly sessionId: string;
  readonly rootId: string;
  /** Epoch milliseconds. */
  readonly createdAt: string;
  readonly id: null;
  readonly _version: string;
}

export interface ActorMessage extends Common {
  readonly type: '@xstate.actor';
  readonly name: string;
  readonly parentId: string | undefined;
  /** JSON of the machine's config. */
  readonly definition: string;
  readonly snapshot: object;
}

export interface EventMessage extends Common {
  readonly type: '@xstate.event';
  readonly sourceId: string | undefined;
  readonly event: unknown;
}

export interface SnapshotMessage extends Common {
  readonly type: '@xstate.snapshot';
  readonly event: unknown;
  readonly snapshot: object;
}

export type InspectionMessage = ActorMessage | EventMessage | SnapshotMessage;

/** Of whom a message is, and when. */
export interface MessageHead {
  readonly sessionId: string;
  readonly rootId: string;
  readonly at: number;
}

function common({ sessionId, rootId, at }: MessageHead): Common {
  return { sessionId, rootId, createdAt: String(at), id: null, _version: version };
}

/** `definition`: JSON of a config. */
export function actorMessage(
  head: MessageHead,
  actor: { readonly name: string; readonly parentId?: string | undefined; readonly definition: string; readonly snapshot: object },
): ActorMessage {
  const { name, parentId, definition, snapshot } = actor;
  return { type: '@xstate.actor', name, parentId, definition, snapshot, ...common(head) };
}

export function eventMessage(head: MessageHead, event: unknown, sourceId?: string): EventMessage {
  return { type: '@xstate.event', event, sourceId, ...common(head) };
}

export function snapshotMessage(head: MessageHead, event: unknown, snapshot: object): SnapshotMessage {
  return { type: '@xstate.snapshot', event, snapshot, ...common(head) };
}

/** For a client that reads too slowly, in the protocol's words: an event of the actor that the last message was of which it did not get. */
export function leftOut({ sessionId, text }: Parcel, messages: number): Parcel {
  const { rootId, createdAt } = JSON.parse(text) as Partial<Common>;
  const head = { sessionId, rootId: rootId ?? sessionId, at: Number(createdAt) };
  const message = eventMessage(head, { type: 'statewarden.left-out', messages, why: 'the client reads too slowly' });
  return { type: message.type, sessionId, text: JSON.stringify(message) };
}

/** Undefined for what the protocol has no word for. */
export function messageOf(event: InspectionEvent, at: number, sanitiser: Sanitiser): InspectionMessage | undefined {
  const actor = event.actorRef as AnyActorRef;
  const head: MessageHead = { sessionId: actor.sessionId, rootId: event.rootId, at };
  switch (event.type) {
    case '@xstate.actor': {
      const parentId = actor._parent?.sessionId;
      const snapshot = shownSnapshot(actor.getSnapshot(), sanitiser);
      return actorMessage(head, { name: actor.id, parentId, definition: definitionOf(actor, sanitiser), snapshot });
    }
    case '@xstate.event':
      return eventMessage(head, sanitiser.value(event.event), event.sourceRef?.sessionId);
    case '@xstate.snapshot':
      return snapshotMessage(head, sanitiser.value(event.event), shownSnapshot(event.snapshot, sanitiser));
    default:
      return undefined;
  }
}

const definitions = new WeakMap<object, { readonly sanitiser: Sanitiser; readonly text: string }>();

/** The config of its machine; of other logic its name alone. */
export function definitionOf({ id, logic }: AnyActorRef & { readonly logic?: object }, sanitiser: Sanitiser): string {
  const { config } = (logic ?? {}) as { readonly config?: unknown };
  if (typeof config !== 'object' || config === null) return JSON.stringify({ id });
  const known = definitions.get(config);
  if (known?.sanitiser === sanitiser) return known.text;
  const text = sanitiser.definition(config);
  definitions.set(config, { sanitiser, text });
  return text;
}

interface SnapshotParts {
  readonly status?: string;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly tags?: Iterable<string>;
  readonly children?: Readonly<Record<string, unknown>>;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly input?: unknown;
}

/** A snapshot, live or as it was stored. */
export function shownSnapshot(snapshot: unknown, sanitiser: Sanitiser): object {
  const { status = 'active', value, context, tags, children, output, error, input } = (snapshot ?? {}) as SnapshotParts;
  return {
    status,
    ...(value === undefined ? {} : { value }),
    ...(context === undefined ? {} : { context: sanitiser.context(context) }),
    ...(tags === undefined ? {} : { tags: [...tags] }),
    ...(children === undefined ? {} : { children: Object.fromEntries(Object.keys(children).map((id) => [id, { xstate$$type: 1, id }])) }),
    ...(output === undefined ? {} : { output: sanitiser.value(output) }),
    ...(error === undefined ? {} : { error: sanitiser.value(error) }),
    ...(input === undefined ? {} : { input: sanitiser.value(input) }),
  };
}

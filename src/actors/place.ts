/**
 * Where an actor is in its agent, and references to actors as data. A place is the path of ids from the root, which is ''.
 *
 * XState keeps a reference in a context by the id of one's own child and loses every other: to a parent, a sister, oneself. Here those are kept by
 * place. A reference to an actor that is gone comes back as one that is stopped; one to an actor of another system is refused
 * when it is encoded. References inside a `Map` or a `Set` are refused too: XState does not look there.
 */

import { createActor, type AnyActorLogic, type AnyActorRef } from 'xstate';

type Holder = Record<string, unknown>;

/** XState's word for a reference as data: for a child of one's own it says 1 and the id. */
const mark = 'xstate$$type';
const ours = 'statewarden';
interface Place {
  readonly [mark]: typeof ours;
  readonly id: string;
  /** Absent: it was gone already. */
  readonly path?: string;
}

const pathOf = Symbol('statewarden.path');

/** The path of an actor: ids joined by `/` from the root. */
export function pathTo(actor: AnyActorRef): string {
  const kept = actor as AnyActorRef & { [pathOf]?: string; _parent?: AnyActorRef };
  if (kept[pathOf] !== undefined) return kept[pathOf];
  const parent = kept._parent;
  const id = encodeURIComponent(actor.id);
  const above = parent === undefined ? undefined : pathTo(parent);
  const path = above === undefined ? '' : above === '' ? id : `${above}/${id}`;
  kept[pathOf] = path;
  return path;
}

/** The actor at a path below the root, or undefined when it is not there. */
export function actorAt(root: AnyActorRef, path: string): AnyActorRef | undefined {
  if (path === '') return root;
  let actor: AnyActorRef | undefined = root;
  for (const id of path.split('/')) {
    const snapshot = actor?.getSnapshot() as { readonly children?: Readonly<Record<string, AnyActorRef>> } | undefined;
    actor = snapshot?.children?.[decodeURIComponent(id)];
  }
  return actor;
}

/** Whatever is deeper is refused when it is encoded; so is a cycle. */
const deepest = 1_000;
const tooDeep = new RangeError('too deep');

/** `walk`: throws `tooDeep` where it is, and there are many ways through what goes in circles. With `seen` it takes each part once, and ends. */
function bounded<T>(walk: (seen?: Set<object>) => T): T {
  try {
    return walk();
  } catch (error) {
    if (error !== tooDeep) throw error;
    return walk(new Set());
  }
}

/** Whether it is not to be looked into. @throws tooDeep */
function isBeyond(part: object, level: number, seen: Set<object> | undefined): boolean {
  if (seen === undefined) {
    if (level > deepest) throw tooDeep;
    return false;
  }
  if (level > deepest || seen.has(part)) return true;
  seen.add(part);
  return false;
}

/** An actor's context for encoding: references are kept as XState keeps them, or as places where that says less. Itself when it holds none. */
export function contextAsData(context: object, owner: AnyActorRef): object {
  return bounded((seen) => partAsData(context, owner, 0, seen));
}

function partAsData(part: object, owner: AnyActorRef, level: number, seen: Set<object> | undefined): object {
  if (isBeyond(part, level, seen)) return part;
  let copy: Holder | undefined;
  for (const key in part) {
    const member = (part as Holder)[key];
    if (typeof member !== 'object' || member === null) continue;
    const data = isActor(member) ? referenceAsData(member, owner) : partAsData(member, owner, level + 1, seen);
    if (data === member) continue;
    copy ??= (Array.isArray(part) ? [...(part as unknown[])] : { ...part }) as Holder;
    copy[key] = data;
  }
  return copy ?? part;
}

function referenceAsData(actor: AnyActorRef, owner: AnyActorRef): object {
  if (actor.system !== owner.system) return actor;
  if (actorAt(rootOf(owner), pathTo(actor)) !== actor) return { [mark]: ours, id: actor.id } satisfies Place;
  return actor._parent === owner ? { [mark]: 1, id: actor.id } : placeOf(actor);
}

/** A live value of `root`'s agent for encoding: references become places, snapshots of machines what they say. Itself when it has neither. */
export function asData(value: unknown, root: AnyActorRef): unknown {
  return bounded((seen) => valueAsData(value, root, 0, seen));
}

function valueAsData(value: unknown, root: AnyActorRef, level: number, seen: Set<object> | undefined): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isActor(value)) return value.system === root.system ? placeOf(value) : value;
  if (isBeyond(value, level, seen)) return value;
  if ('machine' in value && 'getMeta' in value) {
    const { status, value: state, context, output, error } = value as Holder;
    return { status, value: state, context: valueAsData(context, root, level + 1, seen), output, error };
  }
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return value;
  let copy: Holder | undefined;
  for (const key in value) {
    const member = (value as Holder)[key];
    const data = valueAsData(member, root, level + 1, seen);
    if (data === member) continue;
    copy ??= (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Holder;
    copy[key] = data;
  }
  return copy ?? value;
}

export interface FoundPlace {
  readonly holder: Holder;
  readonly key: string;
  readonly place: Place;
}

/** Finds the places in a decoded value. */
export function findPlaces(value: unknown, found: FoundPlace[]): void {
  if (typeof value !== 'object' || value === null || isActor(value)) return;
  for (const key in value) {
    const member = (value as Holder)[key] as Partial<Place> | null | undefined;
    if (typeof member !== 'object' || member === null) continue;
    if (member[mark] === ours) found.push({ holder: value as Holder, key, place: member as Place });
    else findPlaces(member, found);
  }
}

/** Makes references of places. */
export function fillPlaces(root: AnyActorRef, found: readonly FoundPlace[]): void {
  for (const { holder, key, place } of found) {
    holder[key] = (place.path === undefined ? undefined : actorAt(root, place.path)) ?? stoppedActor(root, place.id);
  }
}

function placeOf(actor: AnyActorRef): Place {
  return { [mark]: ours, id: actor.id, path: pathTo(actor) };
}

function isActor(value: unknown): value is AnyActorRef {
  return typeof value === 'object' && value !== null && 'sessionId' in value && 'send' in value && 'ref' in value;
}

function rootOf(actor: AnyActorRef): AnyActorRef {
  let root = actor;
  while (root._parent !== undefined) root = root._parent;
  return root;
}

const still = { transition: (snapshot: unknown) => snapshot, getInitialSnapshot: () => stopped, getPersistedSnapshot: () => stopped };
const stopped = { status: 'stopped', output: undefined, error: undefined, context: undefined };

/** Takes events as an actor that was stopped does: without effect. Without it `sendTo` would fail the agent. */
function stoppedActor(parent: AnyActorRef, id: string): AnyActorRef {
  const actor = createActor(still as unknown as AnyActorLogic, { id, parent } as never) as unknown as AnyActorRef & { _stop(): void };
  actor._stop();
  return actor;
}

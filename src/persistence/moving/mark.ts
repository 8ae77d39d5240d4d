/**
 * What is written on a store whose agents move: a note, which every runtime reads when it opens the store and with each sign of life. Written before anybody is looked for: a runtime that opened earlier is seen, one that opens later
 * sees it.
 */

import { StoreMovedError } from '../../core/errors.js';
import type { OpenedStore } from '../store.js';

export interface MoveMark {
  /** `copying`: its agents are read, and stay. `leaving`: they go. `moved`: they have gone. `arriving`: they come here, and are not all here yet. */
  readonly state: 'copying' | 'leaving' | 'moved' | 'arriving';
  /** The other store, for people. */
  readonly other: string;
}

const topic = 'moving';
const author = 'copy';

export async function readMark(store: Pick<OpenedStore, 'notes'>): Promise<MoveMark | undefined> {
  const note = (await store.notes(topic)).find((one) => one.topic === topic);
  return note && (JSON.parse(note.data) as MoveMark);
}

export async function writeMark(store: Pick<OpenedStore, 'publish' | 'retract'>, mark: MoveMark | undefined, at: number): Promise<void> {
  if (mark === undefined) await store.retract([{ topic, author }]);
  else await store.publish([{ topic, author, data: JSON.stringify(mark), at }]);
}

/** Notes that are no mark. */
export function isOfUsers(note: { readonly topic: string }): boolean {
  return note.topic !== topic;
}

/** Why no runtime may run agents in this store. */
export async function movedError(store: Pick<OpenedStore, 'notes'>): Promise<StoreMovedError | undefined> {
  const mark = await readMark(store);
  if (mark === undefined) return undefined;
  const { state, other } = mark;
  const again = 'or call it off with `statewarden copy FROM TO --cancel`.';
  switch (state) {
    case 'moved':
      return new StoreMovedError(`the agents of this store have moved to ${other}`, {
        hint: `Open that one. What is here is as it was when they left: remove it when it is not wanted.`,
      });
    case 'leaving':
      return new StoreMovedError(`the agents of this store are on their way to ${other}`, {
        hint: `Wait until they are there and open that one. If the copy was stopped, run it again, ${again}`,
      });
    case 'copying':
      return new StoreMovedError(`the agents of this store are being copied to ${other}`, {
        hint: `Wait until that is done. If the copy was stopped, run it again, ${again}`,
      });
    case 'arriving':
      return new StoreMovedError(`not all agents that come from ${other} are here yet`, {
        hint: `Wait until they are. If the copy was stopped, run it again, ${again}`,
      });
  }
}

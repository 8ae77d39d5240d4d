/** Jobs that wait, in order: a list of short lists, so that a change to one of a hundred thousand copies only some hundred places. */

import type { Job } from './state.js';

export type JobQueue = readonly (readonly Job[])[];

const longest = 256;

export function queueLength(queue: JobQueue): number {
  let length = 0;
  for (const part of queue) length += part.length;
  return length;
}

export function firstOf(queue: JobQueue): Job | undefined {
  return queue[0]?.[0];
}

export function append(queue: JobQueue, job: Job): JobQueue {
  const last = queue.at(-1);
  return last === undefined || last.length >= longest ? [...queue, [job]] : [...queue.slice(0, -1), [...last, job]];
}

/** Puts one that was begun back in its place: before all that came after it. */
export function putBack(queue: JobQueue, job: Job): JobQueue {
  for (const [index, part] of queue.entries()) {
    const place = part.findIndex(({ n }) => n > job.n);
    if (place >= 0) return [...queue.slice(0, index), [...part.slice(0, place), job, ...part.slice(place)], ...queue.slice(index + 1)];
  }
  return append(queue, job);
}

export function withoutFirst(queue: JobQueue): JobQueue {
  const [part = [], ...others] = queue;
  return part.length <= 1 ? others : [part.slice(1), ...others];
}

/** The newest is looked at first: it is asked for most. */
export function isQueued(queue: JobQueue, wanted: (job: Job) => boolean): boolean {
  return queue.findLastIndex((part) => part.findLastIndex(wanted) >= 0) >= 0;
}

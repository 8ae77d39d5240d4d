/**
 * Jobs that members are at, while something happens: a list of short lists, in the order in which they were begun, with places by member and by number that are
 * handed on from list to list.
 */

import type { RunningJob } from './state.js';

export type RunningList = readonly (readonly RunningJob[])[];

interface Places {
  readonly byMember: Map<string, RunningJob>;
  readonly byNumber: Map<number, RunningJob>;
}

const placesOf = new WeakMap<RunningList, Places>();
const longest = 128;

export class RunningJobs {
  #list: RunningList;
  readonly #places: Places;

  constructor(list: RunningList) {
    this.#list = list;
    this.#places = placesOf.get(list) ?? count(list);
  }

  get list(): RunningList {
    return this.#list;
  }

  get size(): number {
    return this.#places.byMember.size;
  }

  get oldest(): RunningJob | undefined {
    return this.#list[0]?.[0];
  }

  of(member: string): RunningJob | undefined {
    return this.#places.byMember.get(member);
  }

  numbered(n: number): RunningJob | undefined {
    return this.#places.byNumber.get(n);
  }

  add(job: RunningJob): void {
    const last = this.#list.at(-1);
    this.#change(last === undefined || last.length >= longest ? [...this.#list, [job]] : [...this.#list.slice(0, -1), [...last, job]]);
    this.#places.byMember.set(job.member, job);
    this.#places.byNumber.set(job.n, job);
  }

  remove(job: RunningJob): void {
    this.#put(job, []);
    this.#places.byMember.delete(job.member);
    this.#places.byNumber.delete(job.n);
  }

  replace(old: RunningJob, job: RunningJob): void {
    this.#put(old, [job]);
    this.#places.byMember.set(job.member, job);
    this.#places.byNumber.set(job.n, job);
  }

  #put(old: RunningJob, instead: readonly RunningJob[]): void {
    const list = [...this.#list];
    const place = list.findIndex((part) => part.includes(old));
    const part = [...(list[place] ?? [])];
    part.splice(part.indexOf(old), 1, ...instead);
    list.splice(place, 1, ...(part.length === 0 ? [] : [part]));
    this.#change(list);
  }

  /** The old list has no places any more: should it be used again, after a turn that was undone, they are counted anew. */
  #change(list: RunningList): void {
    placesOf.delete(this.#list);
    this.#list = list;
    placesOf.set(list, this.#places);
  }
}

function count(list: RunningList): Places {
  const jobs = list.flat();
  return { byMember: new Map(jobs.map((job) => [job.member, job])), byNumber: new Map(jobs.map((job) => [job.n, job])) };
}

/** What the tests of breakers share: a clock that moves by hand and at once, chance with a seed, outcomes, and calls that are made in one line. */

import type { Clock, Random } from 'statewarden';
import type { CallOptions, Guard, Outcome, Permit, Refusal } from '#src/breakers/index.js';

/** Monday, 2 June 2025, 10:00 UTC. */
export const monday = Date.UTC(2025, 5, 2, 10);

/** Sets no timers: whoever wants one fails. */
export class HandClock implements Clock {
  #wall: number;
  #elapsed = 12_345.25;
  /** How often durations were read. */
  reads = 0;

  constructor(wall = monday) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  elapsed(): number {
    this.reads += 1;
    return this.#elapsed;
  }

  setTimeout(): never {
    throw new Error('a breaker wants a timer');
  }

  clearTimeout(): never {
    throw new Error('a breaker clears a timer');
  }

  advance(ms: number): void {
    this.#wall += ms;
    this.#elapsed += ms;
  }

  /** Somebody sets the time of day. */
  setWall(wall: number): void {
    this.#wall = wall;
  }

  /** What should never go back does. */
  setBack(ms: number): void {
    this.#elapsed -= ms;
  }
}

/** Mulberry32. */
export function chance(seed: number): Random {
  let state = seed >>> 0;
  let ids = 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, id: () => `id-${(ids += 1)}` };
}

export const good: Outcome = { ok: true, value: 1 };
export const bad: Outcome = { ok: false, error: new Error('down') };
export const late: Outcome = { ok: false, error: Object.assign(new Error('too late'), { name: 'TimeoutError' }) };
/** The caller's own fault. */
export const unknown: Outcome = { ok: false, error: { status: 404 } };

export function tooMany(seconds?: number): Outcome {
  return { ok: false, error: { status: 429, headers: seconds === undefined ? {} : { 'retry-after': String(seconds) } } };
}

/** An outage that says when it is worth coming back. */
export function unavailable(seconds: number): Outcome {
  return { ok: false, error: { status: 503, headers: { 'retry-after': String(seconds) } } };
}

export function permitOf(guard: Guard, call?: CallOptions): Permit {
  const answer = guard.admit(call);
  if (answer.refused) throw new Error(`refused: ${answer.error().message}`);
  return answer;
}

export function refusalOf(guard: Guard, call?: CallOptions): Refusal {
  const answer = guard.admit(call);
  if (!answer.refused) throw new Error(`${guard.name} gave leave`);
  return answer;
}

/** One call, if there is leave. @returns whether there was */
export function once(guard: Guard, clock: HandClock, outcome: Outcome, tookMs = 0, call?: CallOptions): boolean {
  const answer = guard.admit(call);
  if (answer.refused) return false;
  clock.advance(tookMs);
  answer.settle(outcome);
  return true;
}

export function times(count: number, work: (index: number) => void): void {
  for (let index = 0; index < count; index += 1) work(index);
}

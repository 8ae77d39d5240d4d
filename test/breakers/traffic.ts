/** Calls that overlap, at a rate, on a clock that moves by hand; and breakers that have learned already. */

import { Baseline, type SavedBaseline } from '#src/breakers/baseline.js';
import {
  adaptiveBreaker,
  type AdaptiveBreakerOptions,
  type Breaker,
  type CallOptions,
  type Guard,
  type Outcome,
} from '#src/breakers/index.js';
import type { Random } from 'statewarden';
import { bad, chance, good, monday, times, type HandClock } from './by-hand.js';

export interface Traffic {
  readonly perSecond: number;
  readonly seconds: number;
  readonly latencyMs?: number;
  /** Share of calls that fail. */
  readonly failing?: number;
  /** What a failure is like. */
  readonly failure?: Outcome;
  readonly random?: Random;
  readonly call?: CallOptions;
  /** Ends it. */
  readonly until?: () => boolean;
  /** After every call and every end. */
  readonly each?: () => void;
}

export interface Tally {
  readonly offered: number;
  readonly admitted: number;
  readonly failed: number;
  /** Milliseconds that passed. */
  readonly tookMs: number;
}

/** Calls at even distances; each ends after its latency, in the order of time. */
export function traffic(guard: Guard, clock: HandClock, options: Traffic): Tally {
  const { perSecond, seconds, latencyMs = 40, failing = 0, failure = bad, random = chance(perSecond), call, until, each } = options;
  const began = clock.elapsed();
  const ends: { readonly at: number; readonly end: () => void }[] = [];
  let offered = 0;
  let admitted = 0;
  let failed = 0;
  const over = (): boolean => until?.() === true;
  const moveTo = (at: number): void => {
    for (;;) {
      const next = ends[0];
      if (next === undefined || next.at > at || over()) break;
      ends.shift();
      clock.advance(next.at - clock.elapsed());
      next.end();
      each?.();
    }
    if (!over()) clock.advance(at - clock.elapsed());
  };
  while (offered < perSecond * seconds && !over()) {
    offered += 1;
    const answer = guard.admit(call);
    each?.();
    if (!answer.refused) {
      admitted += 1;
      const fails = random.next() < failing;
      if (fails) failed += 1;
      ends.push({ at: clock.elapsed() + latencyMs, end: () => answer.settle(fails ? failure : good) });
    }
    moveTo(began + (offered * 1_000) / perSecond);
  }
  // What is still under way ends in its time.
  for (const { at, end } of ends) {
    if (at > clock.elapsed()) clock.advance(at - clock.elapsed());
    end();
  }
  return { offered, admitted, failed, tookMs: clock.elapsed() - began };
}

export interface Learned {
  /** Failure rate by hour of the week, 0 being Monday midnight. */
  readonly rate: (hour: number) => number;
  readonly perSecond: number;
  readonly latencyMs?: number;
}

const weeks = new Map<string, SavedBaseline | undefined>();

/** As if it had seen a week like this. */
export function learned(clock: HandClock, week: Learned, options: Partial<AdaptiveBreakerOptions> = {}): Breaker {
  const { rate, perSecond, latencyMs = 40 } = week;
  const key = JSON.stringify([Array.from({ length: 168 }, (_, hour) => rate(hour)), perSecond, latencyMs]);
  if (!weeks.has(key)) weeks.set(key, lived(week));
  const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1), ...options });
  breaker.restore({ ...breaker.save(), memory: { baseline: weeks.get(key), rate: perSecond, latencyMs } });
  return breaker;
}

function lived({ rate, perSecond, latencyMs = 40 }: Learned): SavedBaseline | undefined {
  const baseline = new Baseline();
  const start = monday - 10 * 3_600_000;
  const calls = perSecond * 60;
  times(168, (hour) =>
    times(60, (minute) => {
      const at = start + hour * 3_600_000 + (minute + 1) * 60_000;
      baseline.learn({ at, calls, failures: Math.round(rate(hour) * calls * 1_000) / 1_000, latencyMs, trust: 1 });
    }),
  );
  return baseline.save();
}

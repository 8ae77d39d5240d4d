/**
 * What may pass while a service recovers, or is overloaded: an absolute rate and a number of calls at once, never a share of what is offered, which a backlog can multiply at will. Both follow what the service shows it can
 * bear. Step by step: as long as calls pass at the latency of an idle service, they grow; when they wait for one another, both fall to what has come out at the other end (J. Little, 1961: calls at once = calls a second × seconds;
 * as BBR does for packets: N. Cardwell et al., "BBR: congestion-based congestion control", 2016).
 */

import type { Priority } from './contract.js';
import { wilsonLower, wilsonUpper } from './wilson.js';

/** A step lasts this long when enough calls end in it, and never longer than the other. */
const stepMs = 1_000;
const longestStepMs = 5_000;
const enoughCalls = 10;
const fewCalls = 3;
/** Growth by step below what is usual, and beyond it. */
const fastGrowth = 2;
const slowGrowth = 1.2;
/** Latency by that of an idle service: beyond it calls wait for one another. */
const congested = 2;
/** Of what came out at the other end: the rate to go on with, and the calls at once, until the queue is gone. */
const drain = 0.9;
const headroom = 1.2;
/** A rate may be so much beyond what came out: an idle limit must not grow out of sight. */
const overshoot = 1.25;
/** How long a latency counts as that of an idle service. */
const idleLatencyMs = 30_000;
/** What may be under way or have saved up, for each priority, as a share of what may be for all. */
const share: Readonly<Record<Priority, number>> = { high: 1, normal: 0.9, low: 0.6 };
/** A burst is no more than what the rate gives in such a time, or one call. */
const burstMs = 200;

/** As a rate or a number of calls at once: no cap. */
export const unlimited = 1e9;

export type Progress = 'going' | 'failing' | 'healthy';

export interface LimiterStart {
  readonly now: number;
  /** Calls a second. */
  readonly rate: number;
  readonly inFlight: number;
  /** What the service usually bears; growth is slower beyond it. */
  readonly usualRate: number;
  readonly usualLatencyMs: number;
  /** Healthy for so long without holding anything back, and it is not needed any more. */
  readonly calmMs: number;
  /** The first calls are a question: whether there is anybody. So many may fail before the answer is no. */
  readonly probes: number;
}

export class Limiter {
  #rate: number;
  #inFlight: number;
  #tokens = 1;
  #refilledAt: number;
  readonly #usualRate: number;
  readonly #calmMs: number;
  #probes: number;
  /** Of a service that has nothing else to do. */
  #idleLatencyMs: number;
  #idleSeenAt: number;
  /** Nothing passes before. */
  #pausedUntil = 0;
  #stepAt: number;
  #good = 0;
  #bad = 0;
  #late = 0;
  #latencySum = 0;
  #measured = 0;
  /** Something was held back in this step. */
  #bound = false;
  #hold = 0;
  /** Steps in a row from which nothing came back but calls that were given up. */
  #silent = 0;
  /** Since when nothing was held back, and what ended since. */
  #calmAt: number;
  #calmCalls = 0;
  #calmBad = 0;
  #congestedLast = false;

  constructor(start: LimiterStart) {
    this.#rate = Math.max(1, start.rate);
    this.#inFlight = Math.max(1, start.inFlight);
    this.#usualRate = start.usualRate;
    this.#calmMs = start.calmMs;
    this.#probes = start.probes;
    this.#idleLatencyMs = start.usualLatencyMs;
    this.#idleSeenAt = start.now;
    this.#refilledAt = start.now;
    this.#stepAt = start.now;
    this.#calmAt = start.now;
  }

  /** Calls a second that may pass; undefined: no cap. */
  get rate(): number | undefined {
    return this.#rate >= unlimited ? undefined : this.#rate;
  }

  /** Calls at once. */
  get inFlight(): number | undefined {
    return this.#inFlight >= unlimited ? undefined : Math.floor(this.#inFlight);
  }

  /** Takes leave for one call. */
  take(now: number, inFlight: number, priority: Priority): boolean {
    if (now >= this.#pausedUntil && inFlight < this.#places(priority)) {
      this.#refill(now);
      if (this.#tokens >= this.#price(priority)) {
        this.#tokens -= 1;
        return true;
      }
    }
    this.#bound = true;
    return false;
  }

  /** Leave that was not used. */
  giveBack(): void {
    this.#tokens = Math.min(this.#burst(), this.#tokens + 1);
  }

  /** Milliseconds until it is worth asking; 0: now. With all places taken: about when one becomes free. */
  waitMs(now: number, inFlight: number, priority: Priority): number {
    if (now < this.#pausedUntil) return this.#pausedUntil - now;
    if (inFlight >= this.#places(priority)) return Math.max(10, this.#idleLatencyMs / 2 || 100);
    this.#refill(now);
    return Math.max(0, ((this.#price(priority) - this.#tokens) / this.#rate) * 1_000);
  }

  succeeded(now: number, latencyMs: number): void {
    this.#good += 1;
    this.#measure(latencyMs);
    if (this.#probes > 0) {
      // There is somebody: the question is answered, growing begins.
      this.#probes = 0;
      this.#noteIdle(now, latencyMs);
      this.#inFlight = Math.max(2, this.#inFlight);
    }
  }

  /** `late`: it was given up as too slow. */
  failed(latencyMs: number, late: boolean): void {
    this.#bad += 1;
    if (late) {
      this.#late += 1;
      this.#measure(latencyMs);
    }
    this.#calmBad += 1;
  }

  /** The service wants less: nothing for so long, and then not more than it took before. */
  throttle(now: number, pauseMs: number, goodput: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now + pauseMs);
    this.#rate = Math.max(1, 0.85 * Math.min(this.#rate, goodput));
    this.#tokens = Math.min(this.#tokens, 1);
    this.#hold = 2;
    this.#restless(now);
  }

  /**
   * Looks at a step that is over.
   * @param threshold failure rate that is not healthy; `hardLimit`: one that is hopeless
   */
  progress(now: number, threshold: number, hardLimit: number): Progress {
    const ended = this.#good + this.#bad;
    if (this.#probes > 0) return this.#bad >= this.#probes ? 'failing' : 'going';
    const passed = now - this.#stepAt;
    if (passed < stepMs || (ended < enoughCalls && passed < 2 * stepMs) || (ended < fewCalls && passed < longestStepMs)) return 'going';
    const failing = this.#failing(ended, hardLimit);
    if (!failing && ended > 0) this.#adjust(now, passed, ended);
    else if (!failing && this.#bound) this.#restless(now);
    this.#good = this.#bad = this.#late = this.#latencySum = this.#measured = 0;
    this.#bound = false;
    this.#stepAt = now;
    return failing ? 'failing' : this.#calm(now, threshold) ? 'healthy' : 'going';
  }

  #failing(ended: number, hardLimit: number): boolean {
    const prompt = this.#bad - this.#late;
    if (this.#good === 0 && this.#late >= fewCalls && prompt === 0) {
      // Overload, or nobody is there: fewer calls show which.
      this.#silent += 1;
      return this.#silent >= 4;
    }
    if (this.#good > 0) this.#silent = 0;
    return ended >= fewCalls && wilsonLower(prompt, ended - this.#late) > hardLimit;
  }

  #adjust(now: number, passed: number, ended: number): void {
    const seconds = passed / 1_000;
    const goodput = ended - this.#late > 0 ? (ended - this.#late) / seconds : 0;
    const latencyMs = this.#measured === 0 ? Number.NaN : this.#latencySum / this.#measured;
    const late = this.#late > 0.1 * ended;
    if (!late) this.#noteIdle(now, latencyMs);
    if (late || latencyMs > congested * this.#idleLatencyMs) {
      this.#rate = Math.max(1, Math.min(this.#rate, drain * goodput));
      const fitting = this.#idleLatencyMs > 0 ? goodput * (this.#idleLatencyMs / 1_000) * headroom : this.#inFlight / 2;
      this.#inFlight = Math.max(1, Math.min(this.#inFlight * 0.85, Math.max(fitting, this.#inFlight / 2)));
      this.#hold = 1;
      this.#congestedLast = true;
      this.#restless(now);
      return;
    }
    if (this.#congestedLast) {
      // The queue is gone: on with what comes out.
      this.#rate = Math.max(this.#rate, goodput);
      this.#congestedLast = false;
    }
    this.#calmCalls += ended;
    if (!this.#bound) return;
    this.#restless(now);
    if (this.#hold > 0) {
      this.#hold -= 1;
      return;
    }
    const growth = goodput < this.#usualRate ? fastGrowth : slowGrowth;
    this.#rate = Math.max(this.#rate, Math.min(this.#rate * growth, goodput * (growth === fastGrowth ? fastGrowth : overshoot) + 1));
    const used = Number.isNaN(latencyMs) ? this.#inFlight : goodput * (latencyMs / 1_000);
    this.#inFlight = Math.max(this.#inFlight, Math.min(this.#inFlight * growth + 0.5, used * fastGrowth + 2));
  }

  /** Nothing was held back for long enough, and what ended was well. */
  #calm(now: number, threshold: number): boolean {
    const calmFor = now - this.#calmAt;
    if (calmFor < this.#calmMs || this.#calmCalls < fewCalls) return false;
    if (wilsonUpper(this.#calmBad, this.#calmCalls, 1) <= threshold) return true;
    if (calmFor > 3 * this.#calmMs) this.#restless(now);
    return false;
  }

  #restless(now: number): void {
    this.#calmAt = now;
    this.#calmCalls = 0;
    this.#calmBad = 0;
  }

  #measure(latencyMs: number): void {
    if (Number.isNaN(latencyMs)) return;
    this.#latencySum += latencyMs;
    this.#measured += 1;
  }

  #noteIdle(now: number, latencyMs: number): void {
    if (Number.isNaN(latencyMs)) return;
    if (this.#idleLatencyMs > 0 && latencyMs > this.#idleLatencyMs && now - this.#idleSeenAt < idleLatencyMs) return;
    this.#idleLatencyMs = latencyMs;
    this.#idleSeenAt = now;
  }

  #places(priority: Priority): number {
    return Math.max(1, Math.floor(this.#inFlight * share[priority]));
  }

  /** What is left for those that go first. */
  #price(priority: Priority): number {
    return 1 + (this.#burst() - 1) * (1 - share[priority]);
  }

  #burst(): number {
    return Math.max(1, (this.#rate * burstMs) / 1_000);
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#burst(), this.#tokens + ((now - this.#refilledAt) / 1_000) * this.#rate);
    this.#refilledAt = now;
  }
}

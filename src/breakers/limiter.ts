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
const leastGrowth = 0.04;
/** What is left after a cut, at the least. */
const cut = 0.6;
/** Latency by that of an idle service: beyond it calls wait for one another. */
const congested = 1.4;
/** And up to this one they do not, so that there may be more of them. */
const idleEnough = 1.03;
/** Calls at once by those that what came out at the other end would take, until the queue is gone. */
const headroom = 1.35;
/** A rate may be so much beyond what came out: an idle limit must not grow out of sight. */
const overshoot = 1.2;
/** Nothing comes back for so long, however few calls there are: nobody is there. */
const silentMs = 10_000;
/** Who is held back although so little of the rate is used comes in bursts. */
const burstyUse = 0.7;
/** How long a latency counts as that of an idle service. */
const idleLatencyMs = 20_000;
/** What may be under way or have saved up, for each priority, as a share of what may be for all. */
const share: Readonly<Record<Priority, number>> = { high: 1, normal: 0.9, low: 0.6 };
const keptFreeMs = 10_000;
/** A burst is no more than what the rate gives in such a time, or one call. */
const burstMs = 300;

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
  /** When no call has ended for so long and others wait, those under way are lost. */
  readonly hungMs: number;
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
  #newerIdleMs: number;
  #olderIdleMs: number;
  /** When a call of high priority last asked. */
  #highAt = -Infinity;
  /** Nothing passes before. */
  #pausedUntil = 0;
  #stepAt: number;
  /** When a call last ended. */
  #endedAt: number;
  readonly #hungMs: number;
  #good = 0;
  #bad = 0;
  #late = 0;
  #latencySum = 0;
  #measured = 0;
  /** Calls of this step and those before it, late ones left out, until there are enough to judge; and failures among them. */
  #many = 0;
  #manyBad = 0;
  /** Something was held back in this step. */
  #bound = false;
  /** And because all places were taken. */
  #full = false;
  /** Calls that were let through in this step. */
  #taken = 0;
  #hold = 0;
  /** Since when nothing came back but calls that were given up; -1: something did. */
  #silentSince = -1;
  /** Since when nothing was held back, and what ended since. */
  #calmAt: number;
  #calmCalls = 0;
  #calmBad = 0;
  /** Before the last cut, when it is to be seen what came of it; and how long calls took then. */
  #before = 0;
  #latencyBefore = 0;
  /** Calls that were admitted earlier say nothing of what is now. */
  #adjustedAt = 0;
  /** So many at once were too many once; below, growth is fast. */
  #enough = Infinity;
  /** The step before was a cut. */
  #shrunk = false;
  /** Steps of slow growth in a row. */
  #grown = 0;
  /** The most that were, or wanted to be, under way in this step. */
  #most = 0;
  /** Among the late ones, those admitted since the last cut. */
  #lateSince = 0;

  constructor(start: LimiterStart) {
    this.#rate = Math.max(1, start.rate);
    this.#inFlight = Math.max(1, start.inFlight);
    this.#usualRate = start.usualRate;
    this.#calmMs = start.calmMs;
    this.#probes = start.probes;
    this.#idleLatencyMs = start.usualLatencyMs;
    this.#newerIdleMs = this.#olderIdleMs = start.usualLatencyMs || Infinity;
    this.#idleSeenAt = start.now;
    this.#refilledAt = start.now;
    this.#stepAt = start.now;
    this.#endedAt = start.now;
    this.#hungMs = start.hungMs;
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
    if (priority === 'high') this.#highAt = now;
    if (inFlight >= this.#most) this.#most = inFlight + 1;
    if (now >= this.#pausedUntil) {
      if (inFlight < this.#places(now, priority)) {
        this.#refill(now);
        if (this.#tokens >= this.#price(now, priority)) {
          this.#tokens -= 1;
          this.#taken += 1;
          return true;
        }
      } else this.#full = true;
    }
    this.#bound = true;
    return false;
  }

  /** Leave that was not used. */
  giveBack(): void {
    this.#taken -= 1;
    this.#tokens = Math.min(this.#burst(), this.#tokens + 1);
  }

  /** Milliseconds until it is worth asking; 0: now. With all places taken: about when one becomes free. */
  waitMs(now: number, inFlight: number, priority: Priority): number {
    if (now < this.#pausedUntil) return this.#pausedUntil - now;
    if (inFlight >= this.#places(now, priority)) return Math.max(10, this.#idleLatencyMs / 2 || 100);
    this.#refill(now);
    return Math.max(0, ((this.#price(now, priority) - this.#tokens) / this.#rate) * 1_000);
  }

  succeeded(now: number, latencyMs: number): void {
    this.#good += 1;
    this.#endedAt = now;
    this.#measure(now, latencyMs);
    if (this.#probes > 0) {
      // There is somebody: the question is answered, growing begins.
      this.#probes = 0;
      this.#noteIdle(now, latencyMs);
      this.#inFlight = Math.max(2, this.#inFlight);
    }
  }

  /** `late`: it was given up as too slow. */
  failed(now: number, latencyMs: number, late: boolean): void {
    this.#bad += 1;
    this.#endedAt = now;
    if (late) {
      this.#late += 1;
      if (!(now - latencyMs < this.#adjustedAt)) this.#lateSince += 1;
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
    if (this.#bound && now - this.#endedAt > this.#hungMs) return 'failing';
    if (this.#probes > 0) return this.#bad >= this.#probes ? 'failing' : 'going';
    const passed = now - this.#stepAt;
    const idleMs = this.#idleLatencyMs;
    const shortestMs = Math.max(stepMs, 1.6 * Math.min(idleMs, 2_000));
    const known = this.#measured + this.#lateSince + (this.#bad - this.#late);
    if (passed < shortestMs || (known < enoughCalls && passed < 2 * shortestMs)) return 'going';
    if (known < fewCalls && passed < Math.max(longestStepMs, 3 * idleMs)) return 'going';
    const failing = this.#failing(now, ended, hardLimit);
    if (!failing && known > 0) this.#adjust(now, passed, ended);
    else if (!failing && this.#bound) this.#restless(now);
    this.#good = this.#bad = this.#late = this.#lateSince = this.#latencySum = this.#measured = this.#most = this.#taken = 0;
    this.#bound = this.#full = false;
    this.#stepAt = now;
    return failing ? 'failing' : this.#calm(now, threshold) ? 'healthy' : 'going';
  }

  #failing(now: number, ended: number, hardLimit: number): boolean {
    const prompt = this.#bad - this.#late;
    if (this.#good === 0 && this.#late > 0 && prompt === 0) {
      // Overload, or nobody is there: fewer calls show which.
      if (this.#silentSince < 0) this.#silentSince = this.#stepAt;
      return now - this.#silentSince > silentMs;
    }
    if (this.#good > 0) this.#silentSince = -1;
    if (ended >= fewCalls && wilsonLower(prompt, ended - this.#late) > hardLimit) return true;
    // Where calls are few, steps are taken together until there are enough.
    this.#manyBad += prompt;
    this.#many += ended - this.#late;
    const failing = wilsonLower(this.#manyBad, this.#many) > hardLimit;
    if (this.#many >= enoughCalls) this.#many = this.#manyBad = 0;
    return failing;
  }

  #adjust(now: number, passed: number, ended: number): void {
    // Time that is over filled the bucket at the rate there was.
    this.#refill(now);
    const goodput = ((ended - this.#late) * 1_000) / passed;
    const latencyMs = this.#measured === 0 ? Number.NaN : this.#latencySum / this.#measured;
    const lateShare = this.#lateSince / (this.#measured + this.#lateSince || 1);
    const late = lateShare > 0.1;
    if (!late && !Number.isNaN(latencyMs)) {
      if (this.#before > 0 && latencyMs > 0.85 * this.#latencyBefore) {
        // Fewer calls at once, and each takes as long as before: they do not wait for one another, the service itself is slower.
        this.#idleLatencyMs = this.#newerIdleMs = this.#olderIdleMs = latencyMs;
        this.#idleSeenAt = now;
        this.#inFlight = Math.max(this.#inFlight, this.#before);
      } else this.#noteIdle(now, latencyMs);
      this.#before = 0;
    }
    if (late || latencyMs > congested * this.#idleLatencyMs) this.#shrink(now, goodput, latencyMs, late ? lateShare : 0);
    else this.#grow(now, passed, ended, goodput, latencyMs);
  }

  #shrink(now: number, goodput: number, latencyMs: number, lateShare: number): void {
    const before = Math.min(this.#inFlight, this.#most);
    const idle = this.#idleLatencyMs / 1_000;
    // Of calls that were given up nobody knows how long they would have taken.
    const fitting = lateShare > 0 ? before * (1 - lateShare) : goodput * idle * headroom;
    this.#inFlight = Math.max(1, Math.min(before * 0.9, Math.max(fitting, before * cut)));
    if (idle > 0) this.#rate = Math.max(1, Math.min(this.#rate, Math.max(goodput, this.#inFlight / idle)));
    // A second cut in a row waits for what the first could not mend: the queue that there was.
    if (!this.#shrunk) this.#enough = this.#inFlight;
    this.#shrunk = true;
    this.#before = lateShare > 0 ? 0 : before;
    this.#latencyBefore = latencyMs;
    this.#adjustedAt = now;
    this.#hold = 1;
    this.#grown = 0;
    this.#restless(now);
  }

  #grow(now: number, passed: number, ended: number, goodput: number, latencyMs: number): void {
    this.#calmCalls += ended;
    this.#shrunk = false;
    if (!this.#bound) return;
    this.#restless(now);
    if (this.#hold > 0) {
      this.#hold -= 1;
      return;
    }
    if (latencyMs > idleEnough * this.#idleLatencyMs && this.#inFlight >= this.#enough) return;
    const used = Number.isNaN(latencyMs) ? Math.min(this.#inFlight, this.#most) : goodput * (latencyMs / 1_000);
    const fast = this.#inFlight < this.#enough && goodput < this.#usualRate;
    // Beyond what was too much before it feels its way, faster the longer nothing is felt.
    const slow = 1 + Math.min(fastGrowth - 1, leastGrowth * 1.3 ** this.#grown);
    const growth = fast ? fastGrowth : slow;
    this.#grown = fast ? 0 : this.#grown + 1;
    const rate = Math.min(this.#rate * growth, goodput * (fast ? fastGrowth : overshoot) + 1);
    const next = Math.min(this.#inFlight * growth + 0.5, used * fastGrowth + 2);
    // Calls that come at once use little on the whole, and are held back all the same: for them it grows beyond what is used.
    const inBursts = this.#taken < burstyUse * this.#rate * (passed / 1_000) && used < burstyUse * this.#inFlight;
    this.#rate = Math.max(this.#rate, rate, inBursts && !this.#full ? this.#rate * slow : 0);
    this.#inFlight = Math.max(
      this.#inFlight,
      fast ? Math.min(next, this.#enough) : next,
      inBursts && this.#full ? this.#inFlight * slow + 0.5 : 0,
    );
    this.#adjustedAt = now;
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

  #measure(now: number, latencyMs: number): void {
    if (Number.isNaN(latencyMs) || now - latencyMs < this.#adjustedAt) return;
    this.#latencySum += latencyMs;
    this.#measured += 1;
  }

  /** The least of the last while, in two halves: the older one is forgotten when the newer one is full. */
  #noteIdle(now: number, latencyMs: number): void {
    if (Number.isNaN(latencyMs)) return;
    if (now - this.#idleSeenAt > idleLatencyMs) {
      this.#olderIdleMs = this.#newerIdleMs;
      this.#newerIdleMs = latencyMs;
      this.#idleSeenAt = now;
    } else this.#newerIdleMs = Math.min(this.#newerIdleMs, latencyMs);
    this.#idleLatencyMs = Math.min(this.#olderIdleMs, this.#newerIdleMs);
  }

  #places(now: number, priority: Priority): number {
    return Math.max(1, Math.floor(this.#inFlight * this.#share(now, priority)));
  }

  /** Nothing is kept free for those that go first while there are none. */
  #share(now: number, priority: Priority): number {
    return priority === 'normal' && now - this.#highAt > keptFreeMs ? 1 : share[priority];
  }

  /** What is left for those that go first. */
  #price(now: number, priority: Priority): number {
    return 1 + (this.#burst() - 1) * (1 - this.#share(now, priority));
  }

  #burst(): number {
    return Math.max(1, (this.#rate * burstMs) / 1_000);
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#burst(), this.#tokens + ((now - this.#refilledAt) / 1_000) * this.#rate);
    this.#refilledAt = now;
  }
}

/**
 * Learns what is normal at this time of the week and trips on what is not. Rising failure rates, and shares of slow calls, are noticed by a cumulative sum (see evidence.ts), however few or many calls there are; how
 * bad it is, is then told by Wilson's interval of the calls since the rise: beyond the profile's hard limit it opens, else it degrades.
 */

import type { BreakerState, SharedCounters } from './contract.js';
import type { Clock } from '../core/clock.js';
import type { SavedBaseline } from './baseline.js';
import { Evidence } from './evidence.js';
import { FleetView } from './fleet-view.js';
import { profiles, resolveProfile, type Conditions, type Profile, type ProfileChoice } from './profile.js';
import {
  degradedForFailures,
  degradedForFleet,
  degradedForSlowCalls,
  openForFailures,
  openForFleet,
  type Trip,
  type Tripwire,
  type Usual,
} from './tripwire.js';
import { weigh, type Tuning, type Tunings } from './tuning.js';
import { wilsonLower } from './wilson.js';
import type { RollingWindow } from './window.js';

const minuteMs = 60_000;
/** So much evidence is needed: the mean time between false alarms is then some e^10 calls times what one alarm takes to build up. */
const alarm = 10;
/** What lasts no longer is a hiccup, unless next to nothing succeeds; and so much evidence is needed that it does last. */
const patienceMs = 3_600;
/** After so many successes a failure has nothing to do with the one before. */
const cleanCalls = 12;
const confirmation = 1.9;
/** With so much it is looked at a second time. */
const concern = 6;
/** With so much of it a minute is suspicious, and teaches little. */
const suspicious = alarm / 2;
const littleTrust = 0.05;
/** What is usual of calls that take much longer than usual, and what is too much. */
const slowness = weigh(0.1, 0.5);
/** A call is slow when it takes so many times the usual latency. */
const slowFactor = 3;
/** A latency is measured so exactly at best. */
const leastSlowMs = 20;
/** Evidence fades by half in the time of so many usual calls, and in a minute at least. */
const rememberedCalls = 30;
/** While it is not known how many are usual. */
const unknownHalfLifeMs = 10 * minuteMs;

export interface AdaptiveSettings {
  readonly profile: Profile | ProfileChoice;
  readonly timeZone: string | undefined;
  /** A call that takes longer is slow; undefined: three times what is usual. */
  readonly slowMs: number | undefined;
}

/** What breakers that learn together have in common. */
export interface Learning {
  readonly settings: AdaptiveSettings;
  readonly clock: Clock;
  readonly tunings: Tunings;
  /** By the keys of a registry: none of them keeps it. */
  readonly shared: boolean;
}

export class AdaptiveTripwire implements Tripwire {
  readonly #learning: Learning;
  readonly #window: RollingWindow;
  #tuning: Tuning;
  #failures: Evidence | undefined;
  /** Of what came after the patience: is it still so? */
  #second: Evidence | undefined;
  #slow: Evidence | undefined;
  #fleet: FleetView | undefined;
  /** Successes since the last failure; and when the first failed of those that are not so many apart. */
  #clean = cleanCalls + 1;
  #troubleSince = 0;
  #slowMs = Infinity;
  /** Of the minute that is counted now. */
  #minuteUntil = 0;
  #calls = 0;
  #failed = 0;
  #high = 0;
  #latencySum = 0;
  #measured = 0;
  #trust = 1;
  #state: BreakerState = 'closed';
  /** Calls a second and latency of late, for hours that are not known yet. */
  #recentRate = 0;
  #recentLatencyMs = 0;

  constructor(learning: Learning, window: RollingWindow) {
    this.#learning = learning;
    this.#window = window;
    const { settings, tunings, clock } = learning;
    this.#tuning = tunings.at(clock.now(), typeof settings.profile === 'function' ? profiles.normal : settings.profile);
    this.#setSlow();
  }

  success(now: number, latencyMs: number, high: boolean): Trip | undefined {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    this.#calls += 1;
    if (high) this.#high += 1;
    if (this.#failures?.miss(this.#tuning.miss) === true) this.#failures = undefined;
    if (this.#clean <= cleanCalls) this.#clean += 1;
    if (this.#second !== undefined) this.#look();
    if (this.#fleet !== undefined) this.#fleet.success(now);
    return latencyMs === latencyMs ? this.#latency(now, latencyMs) : undefined;
  }

  failure(now: number, latencyMs: number, high: boolean, timedOut: boolean): Trip | undefined {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    this.#calls += 1;
    this.#failed += 1;
    if (high) this.#high += 1;
    const slow = timedOut ? this.#latency(now, latencyMs, true) : undefined;
    if (this.#clean > cleanCalls) this.#troubleSince = now;
    this.#clean = 0;
    const evidence = (this.#failures ??= new Evidence()).hit(now, this.#tuning.hit, this.#halfLifeMs());
    if (evidence > suspicious) this.#trust = Math.min(this.#trust, littleTrust);
    const trip = evidence > concern ? this.#judge(now, evidence, timedOut) : undefined;
    if (trip !== undefined) return trip;
    const agreed = this.#fleet?.failure(now);
    return agreed === undefined ? slow : this.#fleetTrip(agreed);
  }

  threshold(now: number): number {
    return this.#tuned(now).threshold;
  }

  hardLimit(now: number): number {
    const { profile, threshold } = this.#tuned(now);
    return Math.max(profile.hardLimit, threshold);
  }

  expected(now: number): number | undefined {
    return this.#tuned(now).expectation?.failureRate;
  }

  tolerated(now: number): number | undefined {
    const { expectation, tolerated } = this.#tuned(now);
    return expectation === undefined ? undefined : tolerated;
  }

  usual(now: number): Usual | undefined {
    const known = this.#tuned(now).expectation;
    if (known !== undefined && known.callsPerSecond > 0 && known.latencyMs > 0) return known;
    return this.#recentRate > 0 ? { callsPerSecond: this.#recentRate, latencyMs: this.#recentLatencyMs } : undefined;
  }

  entered(state: BreakerState, now: number): void {
    this.#state = state;
    if (state !== 'closed') this.#trust = Math.min(this.#trust, state === 'degraded' ? littleTrust : 0);
    // What there was of this minute stays out of what is normal; the next one begins anew.
    if (state === 'closed') this.#turnMinute(now);
    this.#failures = undefined;
    this.#second = undefined;
    this.#slow = undefined;
    this.#fleet?.clear();
  }

  hear(node: string, counters: SharedCounters, now: number): Trip | undefined {
    const { fleet } = this;
    fleet.tune(this.#tuning, this.#tuning.threshold);
    const agreed = fleet.hear(node, counters, now);
    return agreed === undefined ? undefined : this.#fleetTrip(agreed);
  }

  nodes(now: number): number {
    return this.#fleet?.nodes(now) ?? 1;
  }

  save(): { readonly baseline: SavedBaseline | undefined; readonly rate: number; readonly latencyMs: number } {
    const baseline = this.#learning.shared ? undefined : this.#learning.tunings.baseline.save();
    return { baseline, rate: this.#recentRate, latencyMs: this.#recentLatencyMs };
  }

  restore(memory: unknown): void {
    const { baseline, rate, latencyMs } = (memory ?? {}) as Partial<ReturnType<AdaptiveTripwire['save']>>;
    const { tunings, shared } = this.#learning;
    if (baseline !== undefined && !shared) {
      tunings.baseline.restore(baseline);
      tunings.forget();
    }
    if (typeof rate === 'number' && rate > 0) this.#recentRate = rate;
    if (typeof latencyMs === 'number' && latencyMs > 0) this.#recentLatencyMs = latencyMs;
    this.#minuteUntil = 0;
  }

  private get fleet(): FleetView {
    return (this.#fleet ??= new FleetView(alarm));
  }

  #judge(now: number, evidence: number, timedOut: boolean): Trip | undefined {
    const { hits, trials } = this.#failures as Evidence;
    // Calls that were given up may mean overload: what passes then decides.
    if (!timedOut && evidence > alarm && wilsonLower(hits, trials) > this.#tuning.profile.hardLimit) return openForFailures;
    if (now - this.#troubleSince < patienceMs) return undefined;
    this.#second ??= new Evidence();
    return this.#second.hit(now, this.#tuning.hit, this.#halfLifeMs()) > confirmation ? degradedForFailures : undefined;
  }

  /** A success in the second look: what is over is no reason to trip. */
  #look(): void {
    if ((this.#failures?.sum ?? 0) <= concern) this.#second = undefined;
    else this.#second?.miss(this.#tuning.miss);
  }

  #fleetTrip({ hits, trials }: { readonly hits: number; readonly trials: number }): Trip {
    return wilsonLower(hits, trials) > this.#tuning.profile.hardLimit ? openForFleet : degradedForFleet;
  }

  /** `givenUp`: it is slow, however soon that was. */
  #latency(now: number, latencyMs: number, givenUp = false): Trip | undefined {
    if (latencyMs === latencyMs) {
      this.#latencySum += latencyMs;
      this.#measured += 1;
    }
    if (!givenUp && latencyMs <= this.#slowMs) {
      if (this.#slow?.miss(slowness.miss) === true) this.#slow = undefined;
      return undefined;
    }
    if (this.#slowMs === Infinity) return undefined;
    this.#window.slowCall(now);
    const evidence = (this.#slow ??= new Evidence()).hit(now, slowness.hit, this.#halfLifeMs());
    if (evidence > suspicious) this.#trust = Math.min(this.#trust, littleTrust);
    return evidence > alarm ? degradedForSlowCalls : undefined;
  }

  /** A minute is over: it is learned from, and what is normal is looked up for the next. */
  #turnMinute(now: number): void {
    const { settings, clock, tunings } = this.#learning;
    const wall = clock.now();
    const over = this.#minuteUntil !== 0 && now < this.#minuteUntil + minuteMs;
    const highPriority = this.#calls === 0 ? 0 : this.#high / this.#calls;
    if (over && this.#calls > 0) this.#learn(wall);
    const rate = this.#calls / 60;
    this.#calls = this.#failed = this.#high = this.#latencySum = this.#measured = 0;
    this.#trust = this.#state === 'closed' ? 1 : this.#state === 'degraded' ? littleTrust : 0;
    this.#minuteUntil = now + minuteMs - (wall % minuteMs);
    let { profile } = this.#tuning;
    if (typeof settings.profile === 'function') {
      const usual = tunings.baseline.at(wall)?.callsPerSecond ?? 0;
      const load = over && usual > 0 ? rate / usual : 1;
      profile = chosen(settings.profile, { at: wall, load, highPriority }) ?? profile;
    }
    this.#tuning = tunings.at(wall, profile);
    this.#setSlow();
  }

  #tuned(now: number): Tuning {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    return this.#tuning;
  }

  #setSlow(): void {
    const known = this.#tuning.expectation?.latencyMs ?? 0;
    const latencyMs = known > 0 ? known : this.#recentLatencyMs;
    this.#slowMs = this.#learning.settings.slowMs ?? (latencyMs > 0 ? Math.max(leastSlowMs, slowFactor * latencyMs) : Infinity);
  }

  #halfLifeMs(): number {
    const rate = this.#recentRate;
    return rate > 0 ? Math.max(minuteMs, (rememberedCalls / rate) * 1_000) : unknownHalfLifeMs;
  }

  #learn(wall: number): void {
    const latencyMs = this.#measured === 0 ? Number.NaN : this.#latencySum / this.#measured;
    this.#learning.tunings.baseline.learn({ at: wall, calls: this.#calls, failures: this.#failed, latencyMs, trust: this.#trust });
    if (this.#trust < 1) return;
    const step = this.#recentRate === 0 ? 1 : 0.1;
    this.#recentRate += step * (this.#calls / 60 - this.#recentRate);
    if (latencyMs > 0) this.#recentLatencyMs += (this.#recentLatencyMs === 0 ? 1 : 0.1) * (latencyMs - this.#recentLatencyMs);
  }
}

/** Undefined: the function has failed, or knows no profile. Whoever makes a call can do nothing about it: the call ends as it ended, and the profile stays. */
function chosen(choice: ProfileChoice, conditions: Conditions): Profile | undefined {
  try {
    return resolveProfile(choice(conditions), 'profile');
  } catch {
    return undefined;
  }
}

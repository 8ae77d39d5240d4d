/**
 * Learns what is normal at this time of the week and trips on what is not. Rising failure rates, and shares of slow calls, are noticed by a cumulative sum (see evidence.ts), however few or many calls there are; how
 * bad it is, is then told by Wilson's interval of the calls since the rise: beyond the profile's hard limit it opens, else it degrades.
 */

import type { BreakerState, SharedCounters } from './contract.js';
import type { Clock } from '../core/clock.js';
import { Baseline, type Expectation, type SavedBaseline } from './baseline.js';
import { Evidence } from './evidence.js';
import { FleetView } from './fleet-view.js';
import { profiles, resolveProfile, type Profile, type ProfileChoice } from './profile.js';
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
/** With so much of it a minute is suspicious, and teaches little. */
/** With so much it is looked at a second time. */
const concern = 6;
const suspicious = alarm / 2;
const littleTrust = 0.05;
const leastThreshold = 0.05;
const mostThreshold = 0.9;
/** What is usual of calls that take much longer than usual, and what is too much. */
const slowUsual = 0.1;
const slowRaised = 0.5;
/** A call is slow when it takes so many times the usual latency. */
const slowFactor = 3;
/** A latency is measured so exactly at best. */
const leastSlowMs = 20;
/** Evidence fades by half in the time of so many usual calls, and in a minute at least. */
const rememberedCalls = 30;

export interface AdaptiveSettings {
  readonly profile: Profile | ProfileChoice;
  readonly timeZone: string | undefined;
  /** A call that takes longer is slow; undefined: three times what is usual. */
  readonly slowMs: number | undefined;
}

export class AdaptiveTripwire implements Tripwire {
  readonly #settings: AdaptiveSettings;
  readonly #window: RollingWindow;
  readonly #clock: Clock;
  readonly #baseline: Baseline;
  readonly #shared: boolean;
  readonly #failures = new Evidence();
  /** Of what came after the patience: is it still so? */
  #second: Evidence | undefined;
  /** Successes since the last failure; and when the first failed of those that are not so many apart. */
  #clean = Infinity;
  #troubleSince = 0;
  #slow: Evidence | undefined;
  #fleet: FleetView | undefined;
  #profile: Profile;
  #expectation: Expectation | undefined;
  #threshold = 0;
  #tolerated = 0;
  #slowMs = Infinity;
  #halfLifeMs = 2 * minuteMs;
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

  /** `baseline`: shared with the other keys of a registry; undefined: its own. */
  constructor(settings: AdaptiveSettings, window: RollingWindow, clock: Clock, baseline: Baseline | undefined) {
    this.#settings = settings;
    this.#window = window;
    this.#clock = clock;
    this.#shared = baseline !== undefined;
    this.#baseline = baseline ?? new Baseline(settings.timeZone);
    this.#profile = typeof settings.profile === 'function' ? profiles.normal : settings.profile;
    this.#tune();
  }

  success(now: number, latencyMs: number, high: boolean): Trip | undefined {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    this.#calls += 1;
    if (high) this.#high += 1;
    this.#failures.miss();
    this.#clean += 1;
    if (this.#second !== undefined) this.#look();
    if (this.#fleet !== undefined) this.#fleet.success(now);
    return latencyMs === latencyMs ? this.#latency(now, latencyMs) : undefined;
  }

  failure(now: number, latencyMs: number, high: boolean, timedOut: boolean): Trip | undefined {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    this.#calls += 1;
    this.#failed += 1;
    if (high) this.#high += 1;
    const slow = timedOut ? this.#latency(now, Math.max(latencyMs, this.#slowMs)) : undefined;
    if (this.#clean > cleanCalls) this.#troubleSince = now;
    this.#clean = 0;
    const evidence = this.#failures.hit(now, this.#halfLifeMs);
    if (evidence > suspicious) this.#trust = Math.min(this.#trust, littleTrust);
    const trip = evidence > concern ? this.#judge(now, evidence, timedOut) : undefined;
    if (trip !== undefined) return trip;
    const agreed = this.#fleet?.failure(now);
    return agreed === undefined ? slow : this.#fleetTrip(agreed);
  }

  threshold(now: number): number {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    return this.#threshold;
  }

  hardLimit(now: number): number {
    return Math.max(this.#profile.hardLimit, this.threshold(now));
  }

  expected(now: number): number | undefined {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    return this.#expectation?.failureRate;
  }

  tolerated(now: number): number | undefined {
    return this.expected(now) === undefined ? undefined : this.#tolerated;
  }

  usual(now: number): Usual | undefined {
    if (now >= this.#minuteUntil) this.#turnMinute(now);
    const known = this.#expectation;
    if (known !== undefined && known.callsPerSecond > 0 && known.latencyMs > 0) return known;
    return this.#recentRate > 0 ? { callsPerSecond: this.#recentRate, latencyMs: this.#recentLatencyMs } : undefined;
  }

  entered(state: BreakerState, now: number): void {
    this.#state = state;
    if (state !== 'closed') this.#trust = Math.min(this.#trust, state === 'degraded' ? littleTrust : 0);
    // What there was of this minute stays out of what is normal; the next one begins anew.
    if (state === 'closed') this.#turnMinute(now);
    this.#failures.clear();
    this.#second = undefined;
    this.#slow?.clear();
    this.#fleet?.clear();
  }

  hear(node: string, counters: SharedCounters, now: number): Trip | undefined {
    const { fleet } = this;
    fleet.tune(this.#tolerated, this.#raised(), this.#threshold);
    const agreed = fleet.hear(node, counters, now);
    return agreed === undefined ? undefined : this.#fleetTrip(agreed);
  }

  nodes(now: number): number {
    return this.#fleet?.nodes(now) ?? 1;
  }

  save(): { readonly baseline: SavedBaseline | undefined; readonly rate: number; readonly latencyMs: number } {
    const baseline = this.#shared ? undefined : this.#baseline.save();
    return { baseline, rate: this.#recentRate, latencyMs: this.#recentLatencyMs };
  }

  restore(memory: unknown): void {
    const { baseline, rate, latencyMs } = (memory ?? {}) as Partial<ReturnType<AdaptiveTripwire['save']>>;
    if (baseline !== undefined && !this.#shared) this.#baseline.restore(baseline);
    if (typeof rate === 'number' && rate > 0) this.#recentRate = rate;
    if (typeof latencyMs === 'number' && latencyMs > 0) this.#recentLatencyMs = latencyMs;
    this.#minuteUntil = 0;
    this.#tune();
  }

  private get fleet(): FleetView {
    return (this.#fleet ??= new FleetView(alarm));
  }

  #judge(now: number, evidence: number, timedOut: boolean): Trip | undefined {
    const { hits, trials } = this.#failures;
    // Calls that were given up may mean overload: what passes then decides.
    if (!timedOut && evidence > alarm && wilsonLower(hits, trials) > this.#profile.hardLimit) return openForFailures;
    if (now - this.#troubleSince < patienceMs) return undefined;
    this.#second ??= this.#evidence();
    return this.#second.hit(now, this.#halfLifeMs) > confirmation ? degradedForFailures : undefined;
  }

  /** A success in the second look: what is over is no reason to trip. */
  #look(): void {
    if (this.#failures.sum <= concern) this.#second = undefined;
    else this.#second?.miss();
  }

  #evidence(): Evidence {
    const evidence = new Evidence();
    evidence.tune(this.#tolerated, this.#raised());
    return evidence;
  }

  #fleetTrip({ hits, trials }: { readonly hits: number; readonly trials: number }): Trip {
    return wilsonLower(hits, trials) > this.#profile.hardLimit ? openForFleet : degradedForFleet;
  }

  #latency(now: number, latencyMs: number): Trip | undefined {
    this.#latencySum += latencyMs;
    this.#measured += 1;
    if (latencyMs <= this.#slowMs) {
      this.#slow?.miss();
      return undefined;
    }
    if (this.#slowMs === Infinity) return undefined;
    this.#window.slowCall(now);
    if (this.#slow === undefined) {
      this.#slow = new Evidence();
      this.#slow.tune(slowUsual, slowRaised);
    }
    const evidence = this.#slow.hit(now, this.#halfLifeMs);
    if (evidence > suspicious) this.#trust = Math.min(this.#trust, littleTrust);
    return evidence > alarm ? degradedForSlowCalls : undefined;
  }

  /** A minute is over: it is learned from, and what is normal is looked up for the next. */
  #turnMinute(now: number): void {
    const wall = this.#clock.now();
    const over = this.#minuteUntil !== 0 && now < this.#minuteUntil + minuteMs;
    const highPriority = this.#calls === 0 ? 0 : this.#high / this.#calls;
    if (over && this.#calls > 0) this.#learn(wall);
    const rate = this.#calls / 60;
    this.#calls = this.#failed = this.#high = this.#latencySum = this.#measured = 0;
    this.#trust = this.#state === 'closed' ? 1 : this.#state === 'degraded' ? littleTrust : 0;
    this.#minuteUntil = now + minuteMs - (wall % minuteMs);
    this.#expectation = this.#baseline.at(wall);
    const choice = this.#settings.profile;
    if (typeof choice === 'function') {
      const usual = this.#expectation?.callsPerSecond ?? 0;
      const load = over && usual > 0 ? rate / usual : 1;
      this.#profile = resolveProfile(choice({ at: wall, load, highPriority }), 'what the profile function returned');
    }
    this.#tune();
  }

  #learn(wall: number): void {
    const latencyMs = this.#measured === 0 ? Number.NaN : this.#latencySum / this.#measured;
    this.#baseline.learn({ at: wall, calls: this.#calls, failures: this.#failed, latencyMs, trust: this.#trust });
    if (this.#trust < 1) return;
    const step = this.#recentRate === 0 ? 1 : 0.1;
    this.#recentRate += step * (this.#calls / 60 - this.#recentRate);
    if (latencyMs > 0) this.#recentLatencyMs += (this.#recentLatencyMs === 0 ? 1 : 0.1) * (latencyMs - this.#recentLatencyMs);
  }

  #tune(): void {
    const { margin, deviations, hardLimit } = this.#profile;
    const known = this.#expectation;
    if (known === undefined) {
      // Nothing is known of this hour: only what would be too much for any is.
      this.#threshold = hardLimit;
      this.#tolerated = hardLimit - margin;
    } else {
      this.#threshold = clamp(known.failureRate + Math.max(margin, deviations * known.spread), leastThreshold, mostThreshold);
      this.#tolerated = Math.min(clamp(known.failureRate + 2 * known.spread, 0.01, 0.8), this.#threshold - 0.03);
    }
    this.#failures.tune(this.#tolerated, this.#raised());
    const latencyMs = (known?.latencyMs ?? 0) > 0 ? (known as Expectation).latencyMs : this.#recentLatencyMs;
    this.#slowMs = this.#settings.slowMs ?? (latencyMs > 0 ? Math.max(leastSlowMs, slowFactor * latencyMs) : Infinity);
    this.#halfLifeMs = Math.max(minuteMs, (rememberedCalls / Math.max(this.#recentRate, 1e-6)) * 1_000);
  }

  /** The rate that is told from what is tolerated: midway between the two lies about what is normal plus the margin's half. */
  #raised(): number {
    return Math.min(0.97, Math.max(this.#threshold, this.#tolerated + 0.15));
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

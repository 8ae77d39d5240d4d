/**
 * The state of a breaker and how it moves: closed, degraded, open, ramping, isolated. There is no binary half-open state: after an open period one call asks whether there is anybody, and if so a limiter lets the rate grow until
 * nothing needs to be held back. Nothing moves by itself: time acts when somebody asks.
 */

import type { BreakerState, BreakerSurroundings, ChangeReason, Priority, SavedBreaker } from './contract.js';
import type { Limiter } from './limiter.js';
import { degradedLimiter, rampLimiter } from './limiter-starts.js';
import { openPeriodMs } from './open-period.js';
import type { OpenPeriods } from './options.js';
import type { StageGate } from './stage-gate.js';
import type { Trip, Tripwire } from './tripwire.js';

/** What other nodes tell is so old at most. */
const newsMs = 2_500;

/** Whose state it is. */
export interface ConditionOwner {
  readonly wire: Tripwire;
  readonly gate: StageGate | undefined;
  readonly periods: OpenPeriods;
  readonly surroundings: BreakerSurroundings;
  entered(from: BreakerState, to: BreakerState, reason: ChangeReason, now: number): void;
}

/** Times are the breaker's steady milliseconds. */
export class Condition {
  readonly #owner: ConditionOwner;
  state: BreakerState = 'closed';
  /** Raised when nothing passes any more, and when it does again: what was admitted before says nothing of what comes after. */
  epoch = 0;
  /** Calls under way that were admitted in this epoch. */
  inEpoch: number;
  limiter: Limiter | undefined;
  #reason: ChangeReason | undefined;
  #since = 0;
  #openUntil = 0;
  /** The service itself wants no call before. */
  #askedUntil = 0;
  #reopened = 0;
  #troubleSince = 0;

  constructor(owner: ConditionOwner, inFlight: number) {
    this.#owner = owner;
    this.inEpoch = inFlight;
  }

  /** Whether a call may pass now; it is not counted yet. */
  passes(now: number, priority: Priority): boolean {
    this.look(now);
    if (this.state === 'closed') return true;
    return this.limiter?.take(now, this.inEpoch, priority) === true;
  }

  /** Milliseconds until it is worth asking; 0: now. */
  waitMs(now: number, priority: Priority): number {
    if (this.state === 'closed') return 0;
    if (this.state === 'isolated') return Infinity;
    if (this.state === 'open') return Math.max(0, this.#openUntil - now);
    return this.limiter?.waitMs(now, this.inEpoch, priority) ?? 0;
  }

  /** Milliseconds for which a stage counts it as open; 0: it does not. */
  openForMs(now: number): number {
    this.look(now);
    return this.state === 'open' || this.state === 'isolated' ? this.waitMs(now, 'high') : 0;
  }

  /** Lets time act. */
  look(now: number): void {
    const { gate } = this.#owner;
    if (gate !== undefined && this.state !== 'open' && this.state !== 'isolated') {
      const blockedMs = this.#blockedMs();
      if (blockedMs > 0) this.#open('children', now, blockedMs, 0);
    }
    if (this.state === 'open') {
      // A child may be let go by hand, or hear that its service is back.
      const letGo = this.#reason === 'children' && gate?.blocks === false;
      if (now < this.#openUntil && !letGo) return;
      const blockedMs = this.#blockedMs();
      if (blockedMs > 0) {
        // From now on it is for the sake of its children, whatever it was before.
        this.#openUntil = now + blockedMs;
        this.#reason = 'children';
      } else this.ramp('open-over', now);
    } else if (this.limiter !== undefined) this.progress(now, undefined, 0);
  }

  trip(trip: Trip, now: number, retryAfterMs: number): void {
    if (trip.to === 'open') this.#open(trip.reason, now, this.#periodMs(now), retryAfterMs);
    else if (this.state === 'closed') {
      this.limiter = degradedLimiter(trip.reason, this.#owner.wire.usual(now), this.inEpoch, now);
      this.#enter('degraded', trip.reason, now);
    }
  }

  /** Under caps: have they done their part, or was it in vain? */
  progress(now: number, trip: Trip | undefined, retryAfterMs: number): void {
    const { limiter } = this;
    if (limiter === undefined) return;
    if (trip?.to === 'open') {
      this.trip(trip, now, retryAfterMs);
      return;
    }
    const { wire } = this.#owner;
    const progress = limiter.progress(now, wire.threshold(now), wire.hardLimit(now));
    if (progress === 'failing') this.#open(this.state === 'ramping' ? 'ramp-failed' : 'failures', now, this.#periodMs(now), retryAfterMs);
    else if (progress === 'healthy') {
      this.#reopened = 0;
      this.#enter('closed', 'recovered', now);
    }
  }

  ramp(reason: ChangeReason, now: number): void {
    const { wire } = this.#owner;
    this.limiter = rampLimiter(wire.usual(now), wire.expected(now), now);
    this.#enter('ramping', reason, now);
  }

  /** Open, it is left alone for so long at least. Under caps nothing passes meanwhile, and then not more than came back before. */
  leaveAlone(now: number, retryAfterMs: number, goodput: number): void {
    const ms = this.#patience(retryAfterMs);
    this.#askedUntil = Math.max(this.#askedUntil, now + ms);
    if (this.state === 'open') this.#openUntil = Math.max(this.#openUntil, now + ms);
    else this.limiter?.throttle(now, ms, goodput);
  }

  isolate(now: number, reason: ChangeReason): void {
    if (this.state !== 'isolated') this.#enter('isolated', reason, now);
  }

  /** Another node has got through. */
  heardOfSuccess(now: number): void {
    if (this.state === 'open' && now - this.#since > newsMs) this.#openUntil = Math.min(this.#openUntil, Math.max(now, this.#askedUntil));
  }

  save(now: number, memory: unknown): SavedBreaker {
    const wall = this.#owner.surroundings.clock.now();
    return {
      format: 1,
      state: this.state,
      reason: this.#reason,
      since: wall - (now - this.#since),
      openUntil: this.state === 'open' ? wall + (this.#openUntil - now) : 0,
      reopened: this.#reopened,
      troubleSince: wall - (now - this.#troubleSince),
      savedAt: wall,
      memory,
    };
  }

  resume(saved: SavedBreaker, now: number): void {
    const wall = this.#owner.surroundings.clock.now();
    // However the clock was set meanwhile, it waits no longer than it would have when it was saved.
    const leftMs = Math.min(saved.openUntil - wall, saved.openUntil - saved.savedAt);
    if (saved.state === 'closed') {
      if (this.state !== 'closed') this.#enter('closed', 'restored', now);
      return;
    }
    if (saved.state === 'isolated') this.isolate(now, 'restored');
    else if (saved.state === 'open' && leftMs > 0) {
      this.#openUntil = now + leftMs;
      if (saved.reason === 'retry-after') this.#askedUntil = this.#openUntil;
      this.#enter('open', 'restored', now);
    } else this.ramp('restored', now);
    this.#reopened = saved.reopened;
    this.#troubleSince = now - Math.max(0, wall - saved.troubleSince);
  }

  #open(reason: ChangeReason, now: number, forMs: number, retryAfterMs: number): void {
    const asked = this.#patience(retryAfterMs);
    this.#openUntil = now + Math.max(forMs, asked);
    this.#askedUntil = now + asked;
    this.#reopened += 1;
    this.#enter('open', asked > forMs ? 'retry-after' : reason, now);
  }

  #enter(state: BreakerState, reason: ChangeReason, now: number): void {
    const from = this.state;
    this.state = state;
    this.#reason = reason;
    this.#since = now;
    if (from === 'closed') this.#troubleSince = now;
    if (state !== 'closed' && state !== 'degraded') {
      this.epoch += 1;
      this.inEpoch = 0;
    }
    if (state !== 'degraded' && state !== 'ramping') this.limiter = undefined;
    this.#owner.entered(from, state, reason, now);
  }

  #periodMs(now: number): number {
    const { periods, surroundings, wire } = this.#owner;
    // Closed, the outage begins now.
    const lastsMs = this.state === 'closed' ? 0 : now - this.#troubleSince;
    return openPeriodMs(periods, { opened: this.#reopened, lastsMs, nodes: wire.nodes(now) }, surroundings.random);
  }

  /** How long children keep it closed. What only a person can end is looked at again in time. */
  #blockedMs(): number {
    return Math.min(this.#owner.gate?.blockedMs() ?? 0, this.#owner.periods.maximumRetryAfterMs);
  }

  #patience(retryAfterMs: number): number {
    return Math.min(retryAfterMs, this.#owner.periods.maximumRetryAfterMs);
  }
}

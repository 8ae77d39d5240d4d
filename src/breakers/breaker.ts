/**
 * The breaker: states, admission by levels, and what is remembered. All kinds share it; they differ in the tripwire that sees trouble. There is no binary half-open state: after an open period one call asks whether there is
 * anybody, and if so a limiter lets the rate grow until nothing needs to be held back.
 */

import { Subject, type Observable } from 'rxjs';
import type { Baseline } from './baseline.js';
import type { Classification } from './classification.js';
import type {
  Breaker,
  BreakerChange,
  BreakerFigures,
  BreakerLevel,
  BreakerState,
  BreakerSurroundings,
  CallOptions,
  ChangeReason,
  Permit,
  Priority,
  Refusal,
  SavedBreaker,
  SharedCounters,
} from './contract.js';
import { execute } from './execute.js';
import { Limiter, unlimited } from './limiter.js';
import type { BreakerDefinition } from './options.js';
import { Refused, Ticket } from './permit.js';
import { checkSaved } from './saved.js';
import { StageGate } from './stage-gate.js';
import { SteadyTime } from './steady-time.js';
import type { Trip, Tripwire } from './tripwire.js';
import { RollingWindow, WindowPool } from './window.js';

/** Without saying otherwise a ramp counts on so much. */
const unknownUsual = { callsPerSecond: 0, latencyMs: 0 };
const calmRampMs = 3_000;
const calmDegradedMs = 10_000;
/** What other nodes tell is so old at most. */
const newsMs = 2_500;
/** From so many calls in the window on, every eighth is timed: reading a clock costs more than all the rest. */
const sampledFrom = 1_280;
const sampleMask = 7;
const noCall: CallOptions = {};

/** Where a breaker stands, when it does not stand alone. */
export interface Place {
  readonly within?: StandardBreaker | undefined;
  /** Of its registry. */
  readonly pool?: WindowPool;
  readonly name?: string;
  readonly baseline?: Baseline;
  /** Told of every change of state. */
  readonly registered?: (breaker: StandardBreaker, state: BreakerState) => void;
}

export class StandardBreaker implements Breaker {
  readonly name: string;
  readonly level: BreakerLevel;
  readonly within: StandardBreaker | undefined;
  readonly definition: BreakerDefinition;
  /** Told of every change of state, before subscribers are. */
  changed: ((change: BreakerChange) => void) | undefined;
  readonly #surroundings: BreakerSurroundings;
  /** Epoch milliseconds. */
  readonly wallNow: () => number;
  readonly #time: SteadyTime;
  readonly #window: RollingWindow;
  readonly #wire: Tripwire;
  readonly #registered: Place['registered'];
  #state: BreakerState = 'closed';
  #reason: ChangeReason | undefined;
  /** Raised when nothing passes any more, and when it does again: what was admitted before says nothing of what comes after. */
  #epoch = 0;
  #inFlight = 0;
  /** Of them, admitted in this epoch. */
  #inEpoch = 0;
  #since = 0;
  #openUntil = 0;
  #reopened = 0;
  #troubleSince = 0;
  #limiter: Limiter | undefined;
  #changes: Subject<BreakerChange> | undefined;
  #gate: StageGate | undefined;
  #sharedCalls = 0;
  #sharedFailures = 0;
  #tick = 0;
  /** Calls that succeeded and are not counted yet. */
  #untimed = 0;

  constructor(definition: BreakerDefinition, surroundings: BreakerSurroundings, { within, pool, name, baseline, registered }: Place = {}) {
    this.definition = definition;
    this.name = name ?? definition.name;
    this.level = definition.level;
    this.within = within;
    this.#surroundings = surroundings;
    this.wallNow = () => surroundings.clock.now();
    this.#time = new SteadyTime(surroundings.clock);
    this.#window = new RollingWindow(pool ?? new WindowPool(definition.window));
    this.#wire = definition.tripwire(this.#window, this.wallNow, baseline);
    this.#registered = registered;
    within?.adopt(this);
  }

  get state(): BreakerState {
    if (this.#state === 'open') this.#look(this.#time.now());
    return this.#state;
  }

  get state$(): Observable<BreakerChange> {
    return (this.#changes ??= new Subject()).asObservable();
  }

  admit(call: CallOptions = noCall): Permit | Refusal {
    const { within } = this;
    if (within === undefined) return this.#leave(call, undefined);
    const outer = within.admit(call);
    if (outer.refused) return outer;
    const permit = this.#leave(call, outer);
    if (permit.refused) outer.cancel();
    return permit;
  }

  execute<T>(run: (call: CallOptions) => PromiseLike<T> | T, call: CallOptions = noCall): Promise<T> {
    return execute(this, run, call);
  }

  #leave(call: CallOptions, outer: Permit | undefined): Permit | Refusal {
    if (this.#state === 'closed' && (this.#gate === undefined || this.#gate.quiet)) {
      this.#inFlight += 1;
      this.#inEpoch += 1;
      const timed = this.#window.calls < sampledFrom || (this.#tick = (this.#tick + 1) & sampleMask) === 0;
      return new Ticket(this, outer, this.#epoch, timed ? this.#time.now() : Number.NaN, call.priority === 'high');
    }
    const now = this.#time.now();
    const priority = call.priority ?? 'normal';
    this.#look(now);
    const limiter = this.#limiter;
    const passes =
      this.#state === 'closed' ||
      ((this.#state === 'degraded' || this.#state === 'ramping') && limiter?.take(now, this.#inEpoch, priority) !== false);
    if (!passes) {
      this.#window.rejection(now);
      return new Refused(this, this.#state, this.#ownWaitMs(now, priority));
    }
    this.#inFlight += 1;
    this.#inEpoch += 1;
    return new Ticket(this, outer, this.#epoch, now, priority === 'high');
  }

  /** A ticket is settled. */
  settled(ticket: Ticket, classification: Classification): void {
    this.#inFlight -= 1;
    const { verdict } = classification;
    const current = ticket.epoch === this.#epoch;
    if (current) this.#inEpoch -= 1;
    if (verdict === 'success' && current && this.#state === 'closed' && Number.isNaN(ticket.startedAt)) {
      this.#untimed += 1;
      return;
    }
    const now = this.#time.now();
    if (this.#untimed > 0) this.#countUntimed(now);
    const latencyMs = now - ticket.startedAt;
    if (verdict === 'ignored') {
      if (current) this.#limiter?.giveBack();
      return;
    }
    if (verdict === 'success') {
      this.#window.success(now);
      this.#sharedCalls += 1;
      if (!current) return;
      if (this.#state === 'closed') {
        const trip = this.#wire.success(now, latencyMs, ticket.high);
        if (trip !== undefined) this.#trip(trip, now);
        return;
      }
      this.#limiter?.succeeded(now, latencyMs);
      this.#progress(now, this.#state === 'degraded' ? this.#wire.success(now, latencyMs, ticket.high) : undefined);
      return;
    }
    if (verdict === 'throttled') this.#throttled(now, current, classification.retryAfterMs ?? 0);
    else this.#failed(now, current, latencyMs, ticket.high, classification);
  }

  /** Successes that no clock was read for count as if they had ended now: there are timed ones among every eight. */
  #countUntimed(now: number): void {
    const count = this.#untimed;
    this.#untimed = 0;
    this.#window.successes(now, count);
    this.#sharedCalls += count;
    if (this.#state === 'closed') for (let index = 0; index < count; index += 1) this.#wire.success(now, Number.NaN, false);
  }

  /** A ticket is handed back unused. */
  cancelled(ticket: Ticket): void {
    this.#inFlight -= 1;
    if (ticket.epoch !== this.#epoch) return;
    this.#inEpoch -= 1;
    this.#limiter?.giveBack();
  }

  #failed(now: number, current: boolean, latencyMs: number, high: boolean, { retryAfterMs, timedOut }: Classification): void {
    this.#window.failure(now);
    this.#sharedCalls += 1;
    this.#sharedFailures += 1;
    if (!current) {
      if (retryAfterMs !== undefined && this.#state === 'open')
        this.#openUntil = Math.max(this.#openUntil, now + this.#patience(retryAfterMs));
      return;
    }
    const late = timedOut === true;
    if (this.#state === 'ramping') {
      this.#limiter?.failed(now, latencyMs, late);
      this.#progress(now, undefined, retryAfterMs);
      return;
    }
    const trip = this.#wire.failure(now, latencyMs, high, late);
    if (this.#state === 'closed') {
      if (trip !== undefined) this.#trip(trip, now, retryAfterMs);
      return;
    }
    this.#limiter?.failed(now, latencyMs, late);
    this.#progress(now, trip, retryAfterMs);
  }

  /** Not a failure: it says how much may pass. */
  #throttled(now: number, current: boolean, retryAfterMs: number): void {
    this.#window.success(now);
    this.#sharedCalls += 1;
    const pauseMs = this.#patience(retryAfterMs);
    if (this.#state === 'closed' && current) this.#trip({ to: 'degraded', reason: 'throttled' }, now);
    if (this.#state === 'open') {
      this.#openUntil = Math.max(this.#openUntil, now + pauseMs);
      return;
    }
    this.#limiter?.throttle(now, pauseMs, this.#goodput());
  }

  waitMs(priority: Priority = 'normal'): number {
    const now = this.#time.now();
    this.#look(now);
    return Math.max(this.#ownWaitMs(now, priority), this.within?.waitMs(priority) ?? 0);
  }

  figures(): BreakerFigures {
    const now = this.#time.now();
    this.#look(now);
    return this.#figuresAt(now);
  }

  isolate(): void {
    if (this.#state !== 'isolated') this.#enter('isolated', 'isolated', this.#time.now());
  }

  release(): void {
    const now = this.#time.now();
    if (this.#state === 'isolated' || this.#state === 'open') this.#ramp('released', now);
  }

  exchange(): SharedCounters {
    if (this.#untimed > 0) this.#countUntimed(this.#time.now());
    const counters = { calls: this.#sharedCalls, failures: this.#sharedFailures };
    this.#sharedCalls = this.#sharedFailures = 0;
    return counters;
  }

  hear(node: string, counters: SharedCounters): void {
    const now = this.#time.now();
    this.#look(now);
    const trip = this.#wire.hear(node, counters, now);
    if (this.#state === 'closed' || this.#state === 'degraded') {
      if (trip !== undefined) this.#trip(trip, now);
    } else if (this.#state === 'open' && this.#reason !== 'retry-after' && counters.calls > counters.failures) {
      // Somebody has got through, and not before it opened.
      if (now - this.#since > newsMs) this.#openUntil = now;
    }
  }

  save(): SavedBreaker {
    const now = this.#time.now();
    this.#look(now);
    const wall = this.#surroundings.clock.now();
    return {
      format: 1,
      state: this.#state,
      reason: this.#reason,
      since: wall - (now - this.#since),
      openUntil: this.#state === 'open' ? wall + (this.#openUntil - now) : 0,
      reopened: this.#reopened,
      troubleSince: wall - (now - this.#troubleSince),
      savedAt: wall,
      memory: this.#wire.save(),
    };
  }

  restore(saved: SavedBreaker): void {
    checkSaved(saved, this.name);
    this.#wire.restore(saved.memory);
    const now = this.#time.now();
    const wall = this.#surroundings.clock.now();
    if (saved.state === 'closed') {
      if (this.#state !== 'closed') this.#enter('closed', 'restored', now);
      return;
    }
    this.#resume(saved, now, wall);
    this.#reopened = saved.reopened;
    this.#troubleSince = now - Math.max(0, wall - saved.troubleSince);
  }

  #resume(saved: SavedBreaker, now: number, wall: number): void {
    if (saved.state === 'isolated') {
      this.#enter('isolated', 'restored', now);
      return;
    }
    // However the clock was set meanwhile, it waits no longer than it would have when it was saved.
    const left = Math.min(saved.openUntil - wall, saved.openUntil - saved.savedAt);
    if (saved.state === 'open' && left > 0) {
      this.#openUntil = now + left;
      this.#enter('open', 'restored', now);
      return;
    }
    this.#ramp('restored', now);
  }

  /** There is reason to think that it was not closed when its memory was last kept: it ramps. */
  suspect(): void {
    if (this.state === 'closed') this.#ramp('restored', this.#time.now());
  }

  /** A breaker within this one. */
  adopt(child: StandardBreaker): void {
    const { openChildren } = this.definition;
    if (openChildren === undefined) return;
    this.#gate ??= new StageGate(openChildren);
    this.#gate.add(child);
  }

  /** A breaker within this one is gone. */
  dismiss(child: StandardBreaker): void {
    this.#gate?.delete(child);
  }

  childEntered(child: StandardBreaker, blocked: boolean): void {
    this.#gate?.entered(child, blocked);
  }

  /** Hands back what it has of its registry. */
  dispose(): void {
    this.within?.dismiss(this);
    this.#window.dispose();
  }

  /** No call is under way and nothing is remembered that a new one would not begin with. */
  get idle(): boolean {
    return this.#state === 'closed' && this.#inFlight === 0;
  }

  /** Milliseconds for which a child keeps its stage closed; 0: it does not. */
  get openForMs(): number {
    const now = this.#time.now();
    this.#look(now);
    return this.#state === 'isolated' ? Infinity : this.#state === 'open' ? this.#openUntil - now : 0;
  }

  #ownWaitMs(now: number, priority: Priority): number {
    switch (this.#state) {
      case 'closed':
        return 0;
      case 'isolated':
        return Infinity;
      case 'open':
        return Math.max(0, this.#openUntil - now);
      case 'degraded':
      case 'ramping':
        return this.#limiter?.waitMs(now, this.#inEpoch, priority) ?? 0;
    }
  }

  /** Lets time act. */
  #look(now: number): void {
    if (this.#gate !== undefined && (this.#state === 'closed' || this.#state === 'degraded' || this.#state === 'ramping')) {
      const blockedMs = this.#gate.blockedMs();
      if (blockedMs > 0) this.#open('children', now, blockedMs);
    }
    if (this.#state === 'open' && now >= this.#openUntil) {
      const stillMs = this.#gate?.blockedMs() ?? 0;
      if (stillMs > 0) this.#openUntil = now + stillMs;
      else this.#ramp('open-over', now);
    } else if (this.#state === 'degraded' || this.#state === 'ramping') this.#progress(now, undefined);
  }

  #trip(trip: Trip, now: number, retryAfterMs = 0): void {
    if (trip.to === 'open') this.#open(trip.reason, now, this.#openMs(now), retryAfterMs);
    else if (this.#state === 'closed') this.#degrade(trip.reason, now);
  }

  #progress(now: number, trip: Trip | undefined, retryAfterMs = 0): void {
    const limiter = this.#limiter;
    if (limiter === undefined) return;
    if (trip?.to === 'open') {
      this.#open(trip.reason, now, this.#openMs(now), retryAfterMs);
      return;
    }
    const progress = limiter.progress(now, this.#wire.threshold(now), this.#wire.hardLimit(now));
    if (progress === 'failing') this.#open(this.#state === 'ramping' ? 'ramp-failed' : 'failures', now, this.#openMs(now), retryAfterMs);
    else if (progress === 'healthy') {
      this.#reopened = 0;
      this.#enter('closed', 'recovered', now);
    }
  }

  #open(reason: ChangeReason, now: number, forMs: number, retryAfterMs = 0): void {
    const asked = this.#patience(retryAfterMs);
    this.#openUntil = now + Math.max(forMs, asked);
    this.#reopened += 1;
    this.#enter('open', asked > forMs ? 'retry-after' : reason, now);
  }

  /** Doubled each time, up to a fortieth of the outage's length: a service that is back is found soon, one that is gone for hours is left alone. */
  #openMs(now: number): number {
    const { initialMs, maximumMs } = this.definition.open;
    const bound = Math.max(3 * initialMs, (now - this.#troubleSince) / 40);
    const nodes = this.#wire.nodes(now);
    const spread = nodes > 1 ? 0.5 + this.#surroundings.random.next() : 0.9 + 0.2 * this.#surroundings.random.next();
    return Math.min(initialMs * 2 ** Math.min(this.#reopened, 30), bound, maximumMs) * nodes * spread;
  }

  #patience(retryAfterMs: number): number {
    return Math.min(retryAfterMs, this.definition.open.maximumRetryAfterMs);
  }

  #goodput(): number {
    const { buckets, bucketMs } = this.definition.window;
    return ((this.#window.calls - this.#window.failures) * 1_000) / (buckets * bucketMs);
  }

  #degrade(reason: ChangeReason, now: number): void {
    const usual = this.#wire.usual(now) ?? unknownUsual;
    const usualInFlight = (usual.callsPerSecond * usual.latencyMs) / 1_000;
    // Overload is met at once; what fails for reasons of its own needs no cap.
    const overload = reason === 'slow-calls' && usualInFlight > 0;
    this.#limiter = new Limiter({
      now,
      rate: unlimited,
      inFlight: overload ? Math.max(2, Math.min(this.#inEpoch, 3 * usualInFlight)) : unlimited,
      usualRate: usual.callsPerSecond,
      usualLatencyMs: usual.latencyMs,
      calmMs: calmDegradedMs,
      probes: 0,
    });
    this.#enter('degraded', reason, now);
  }

  #ramp(reason: ChangeReason, now: number): void {
    const usual = this.#wire.usual(now) ?? unknownUsual;
    // So many failures in a row as would be unlikely if all were as usual.
    const expected = Math.min(0.9, this.#wire.expected(now) ?? 0);
    const probes = expected < 0.1 ? 1 : Math.ceil(Math.log(0.1) / Math.log(expected));
    this.#limiter = new Limiter({
      now,
      rate: Math.max(1, usual.callsPerSecond / 4),
      inFlight: 1,
      usualRate: usual.callsPerSecond,
      usualLatencyMs: 0,
      calmMs: calmRampMs,
      probes,
    });
    this.#enter('ramping', reason, now);
  }

  #enter(state: BreakerState, reason: ChangeReason, now: number): void {
    const from = this.#state;
    const { clock } = this.#surroundings;
    this.#state = state;
    this.#reason = reason;
    this.#since = now;
    if (from === 'closed') this.#troubleSince = now;
    if (state !== 'closed' && state !== 'degraded') {
      this.#epoch += 1;
      this.#inEpoch = 0;
    }
    if (state !== 'degraded' && state !== 'ramping') this.#limiter = undefined;
    this.#wire.entered(state, now);
    this.within?.childEntered(this, state === 'open' || state === 'isolated');
    this.#registered?.(this, state);
    if (this.#changes?.observed !== true && this.changed === undefined) return;
    const figures = this.#figuresAt(now);
    const change: BreakerChange = { name: this.name, level: this.level, from, to: state, reason, at: clock.now(), figures };
    this.changed?.(change);
    this.#changes?.next(change);
  }

  #figuresAt(now: number): BreakerFigures {
    if (this.#untimed > 0) this.#countUntimed(now);
    this.#window.roll(now);
    const { calls, failures, slow, rejected } = this.#window;
    const blocked = this.#state === 'open' || this.#state === 'isolated';
    return {
      calls,
      failures,
      slow,
      rejected,
      failureRate: calls === 0 ? 0 : failures / calls,
      threshold: this.#wire.threshold(now),
      expected: this.#wire.expected(now),
      tolerated: this.#wire.tolerated(now),
      inFlight: this.#inFlight,
      admittedRate: blocked ? 0 : this.#limiter?.rate,
      admittedInFlight: blocked ? 0 : this.#limiter?.inFlight,
      retryAfterMs: this.#ownWaitMs(now, 'normal'),
    };
  }
}

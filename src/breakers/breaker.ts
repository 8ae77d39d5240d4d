/**
 * The breaker: admission by levels, what came of calls, and what is told of it. All kinds share it; they differ in the tripwire that sees trouble.
 */

import { Subject, type Observable } from '../core/observables.js';
import type { Learning } from './adaptive-tripwire.js';
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
import { Condition, type ConditionOwner } from './condition.js';
import { execute } from './execute.js';
import type { BreakerDefinition, OpenPeriods } from './options.js';
import { Refused, Ticket } from './permit.js';
import { checkSaved } from './saved.js';
import { StageGate } from './stage-gate.js';
import { SteadyTime } from './steady-time.js';
import { throttledTrip, type Tripwire } from './tripwire.js';
import { RollingWindow, WindowPool } from './window.js';

/** From so many calls in the window on, every eighth is timed: reading a clock costs more than all the rest. */
const sampledFrom = 1_280;
const sampleMask = 7;
const noCall: CallOptions = {};

/** Where a breaker stands, when it does not stand alone. */
export interface Place {
  readonly within?: StandardBreaker | undefined;
  /** Of its registry, whose keys share all that they can: there may be very many. */
  readonly registry?: {
    readonly pool: WindowPool;
    readonly time: SteadyTime;
    readonly learning: Learning | undefined;
    /** Told of every change of state. */
    readonly entered: (breaker: StandardBreaker, state: BreakerState) => void;
  };
}

export class StandardBreaker implements Breaker, ConditionOwner {
  readonly name: string;
  readonly definition: BreakerDefinition;
  readonly surroundings: BreakerSurroundings;
  readonly wire: Tripwire;
  gate: StageGate | undefined;
  /** Told of every change of state, before subscribers are. */
  changed: ((change: BreakerChange) => void) | undefined;
  readonly #place: Place;
  readonly #time: SteadyTime;
  readonly #window: RollingWindow;
  /** As long as it has never been anything but closed there is none. */
  #condition: Condition | undefined;
  #changes: Subject<BreakerChange> | undefined;
  #inFlight = 0;
  #sharedCalls = 0;
  #sharedFailures = 0;
  #tick = 0;
  /** Calls that succeeded and are not counted yet. */
  #untimed = 0;

  constructor(definition: BreakerDefinition, surroundings: BreakerSurroundings, place: Place = {}, name: string = definition.name) {
    const { registry, within } = place;
    this.definition = definition;
    this.name = name;
    this.surroundings = surroundings;
    this.#place = place;
    this.#time = registry?.time ?? new SteadyTime(surroundings.clock);
    this.#window = new RollingWindow(registry?.pool ?? new WindowPool(definition.window));
    this.wire = definition.tripwire(this.#window, registry?.learning ?? definition.learning?.(surroundings.clock, false));
    within?.adopt(this);
  }

  get level(): BreakerLevel {
    return this.definition.level;
  }

  get within(): StandardBreaker | undefined {
    return this.#place.within;
  }

  get state(): BreakerState {
    if (this.#condition === undefined && (this.gate === undefined || this.gate.quiet)) return 'closed';
    const { condition } = this;
    condition.look(this.#time.now());
    return condition.state;
  }

  get state$(): Observable<BreakerChange> {
    return (this.#changes ??= new Subject()).asObservable();
  }

  get periods(): OpenPeriods {
    return this.definition.open;
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
    let startedAt = Number.NaN;
    const state = this.#condition?.state ?? 'closed';
    if (state !== 'closed' || (this.gate !== undefined && !this.gate.quiet)) {
      const condition = this.condition;
      startedAt = this.#time.now();
      const priority = call.priority ?? 'normal';
      if (!condition.passes(startedAt, priority)) {
        this.#window.rejection(startedAt);
        return new Refused(this, condition.state, condition.waitMs(startedAt, priority));
      }
    } else if (this.#window.calls < sampledFrom || (this.#tick = (this.#tick + 1) & sampleMask) === 0) startedAt = this.#time.now();
    this.#inFlight += 1;
    const condition = this.#condition;
    if (condition !== undefined) condition.inEpoch += 1;
    return new Ticket(this, outer, condition === undefined ? 0 : condition.epoch, startedAt, call.priority === 'high');
  }

  /** A ticket is settled. */
  settled(ticket: Ticket, { verdict, retryAfterMs = 0, timedOut = false }: Classification): void {
    this.#inFlight -= 1;
    const condition = this.#condition;
    const current = condition === undefined || ticket.epoch === condition.epoch;
    if (condition !== undefined && current) condition.inEpoch -= 1;
    if (verdict === 'success' && current && (condition === undefined || condition.state === 'closed') && Number.isNaN(ticket.startedAt)) {
      this.#untimed += 1;
      return;
    }
    const now = this.#time.now();
    if (this.#untimed > 0) this.#countUntimed(now);
    if (verdict === 'success') this.#succeeded(now, current, now - ticket.startedAt, ticket.high);
    else if (verdict === 'failure') this.#failed(now, current, now - ticket.startedAt, ticket.high, timedOut, retryAfterMs);
    else if (verdict === 'throttled') this.#throttled(now, current, retryAfterMs);
  }

  /** A ticket is handed back unused. */
  cancelled(ticket: Ticket): void {
    this.#inFlight -= 1;
    const condition = this.#condition;
    if (ticket.epoch !== condition?.epoch) return;
    condition.inEpoch -= 1;
    condition.limiter?.giveBack();
  }

  #succeeded(now: number, current: boolean, latencyMs: number, high: boolean): void {
    this.#window.success(now);
    this.#sharedCalls += 1;
    if (!current) return;
    const condition = this.#condition;
    const trip = condition?.state === 'ramping' ? undefined : this.wire.success(now, latencyMs, high);
    if (condition === undefined || condition.state === 'closed') {
      if (trip !== undefined) this.condition.trip(trip, now, 0);
      return;
    }
    condition.limiter?.succeeded(now, latencyMs);
    condition.progress(now, trip, 0);
  }

  #failed(now: number, current: boolean, latencyMs: number, high: boolean, late: boolean, retryAfterMs: number): void {
    this.#window.failure(now);
    this.#sharedCalls += 1;
    this.#sharedFailures += 1;
    const condition = this.#condition;
    if (!current) {
      if (retryAfterMs > 0 && condition?.state === 'open') condition.leaveAlone(now, retryAfterMs, 0);
      return;
    }
    const trip = condition?.state === 'ramping' ? undefined : this.wire.failure(now, latencyMs, high, late);
    if (condition === undefined || condition.state === 'closed') {
      if (trip !== undefined) this.condition.trip(trip, now, retryAfterMs);
      return;
    }
    condition.limiter?.failed(now, latencyMs, late);
    condition.progress(now, trip, retryAfterMs);
  }

  /** Not a failure: it says how much may pass. */
  #throttled(now: number, current: boolean, retryAfterMs: number): void {
    this.#window.success(now);
    this.#sharedCalls += 1;
    const { buckets, bucketMs } = this.definition.window;
    // Before it trips: some kinds count anew then.
    const goodput = ((this.#window.calls - this.#window.failures) * 1_000) / (buckets * bucketMs);
    if (current && this.condition.state === 'closed') this.condition.trip(throttledTrip, now, 0);
    this.condition.leaveAlone(now, retryAfterMs, goodput);
  }

  /** Successes that no clock was read for count as if they had ended now: there are timed ones among every eight. */
  #countUntimed(now: number): void {
    const count = this.#untimed;
    this.#untimed = 0;
    this.#window.successes(now, count);
    this.#sharedCalls += count;
    if (this.#condition !== undefined && this.#condition.state !== 'closed') return;
    for (let index = 0; index < count; index += 1) this.wire.success(now, Number.NaN, false);
  }

  waitMs(priority: Priority = 'normal'): number {
    const now = this.#time.now();
    this.condition.look(now);
    return Math.max(this.condition.waitMs(now, priority), this.within?.waitMs(priority) ?? 0);
  }

  figures(): BreakerFigures {
    const now = this.#time.now();
    this.condition.look(now);
    return this.#figuresAt(now);
  }

  isolate(): void {
    this.condition.isolate(this.#time.now(), 'isolated');
  }

  release(): void {
    const { state } = this;
    if (state === 'isolated' || state === 'open') this.condition.ramp('released', this.#time.now());
  }

  exchange(): SharedCounters {
    if (this.#untimed > 0) this.#countUntimed(this.#time.now());
    const counters = { calls: this.#sharedCalls, failures: this.#sharedFailures };
    this.#sharedCalls = this.#sharedFailures = 0;
    return counters;
  }

  hear(node: string, counters: SharedCounters): void {
    // What another node says may be anything; who says nonsense is not heard.
    if (!(counters.failures >= 0 && counters.calls >= counters.failures && counters.calls < Infinity)) return;
    const now = this.#time.now();
    const { condition } = this;
    condition.look(now);
    const trip = this.wire.hear(node, counters, now);
    if (condition.state === 'closed' || condition.state === 'degraded') {
      if (trip !== undefined) condition.trip(trip, now, 0);
    } else if (counters.calls > counters.failures) condition.heardOfSuccess(now);
  }

  save(): SavedBreaker {
    const now = this.#time.now();
    this.condition.look(now);
    return this.condition.save(now, this.wire.save());
  }

  restore(saved: SavedBreaker): void {
    checkSaved(saved, this.name);
    this.wire.restore(saved.memory);
    this.condition.resume(saved, this.#time.now());
  }

  /** There is reason to think that it was not closed when its memory was last kept: it ramps. */
  suspect(): void {
    if (this.state === 'closed') this.condition.ramp('restored', this.#time.now());
  }

  /** Made when it is first needed. */
  private get condition(): Condition {
    return (this.#condition ??= new Condition(this, this.#inFlight));
  }

  /** A breaker within this one. */
  adopt(child: StandardBreaker): void {
    const { openChildren } = this.definition;
    if (openChildren === undefined) return;
    this.gate ??= new StageGate(openChildren);
    this.gate.add(child);
  }

  /** Hands back what it has of its registry. */
  dispose(): void {
    this.within?.gate?.delete(this);
    this.#window.dispose();
  }

  /** No call is under way and nothing is remembered that a new one would not begin with. */
  get idle(): boolean {
    return (this.#condition === undefined || this.#condition.state === 'closed') && this.#inFlight === 0;
  }

  /** Milliseconds for which a child keeps its stage closed; 0: it does not. */
  get openForMs(): number {
    return this.condition.openForMs(this.#time.now());
  }

  entered(from: BreakerState, to: BreakerState, reason: ChangeReason, now: number): void {
    // What is restored may be what it is already: nobody needs to hear of that.
    const told = from !== to && (this.#changes?.observed === true || this.changed !== undefined);
    // Before the wire begins anew.
    const figures = told ? this.#figuresAt(now) : undefined;
    this.wire.entered(to, now);
    this.within?.gate?.entered(this, to === 'open' || to === 'isolated');
    this.#place.registry?.entered(this, to);
    if (figures === undefined) return;
    const { name, level } = this;
    const change: BreakerChange = { name, level, from, to, reason, at: this.surroundings.clock.now(), figures };
    this.changed?.(change);
    this.#changes?.next(change);
  }

  #figuresAt(now: number): BreakerFigures {
    if (this.#untimed > 0) this.#countUntimed(now);
    const { state, limiter } = this.condition;
    this.#window.roll(now);
    const { calls, failures, slow, rejected } = this.#window;
    const blocked = state === 'open' || state === 'isolated';
    return {
      calls,
      failures,
      slow,
      rejected,
      failureRate: calls === 0 ? 0 : failures / calls,
      threshold: this.wire.threshold(now),
      expected: this.wire.expected(now),
      tolerated: this.wire.tolerated(now),
      inFlight: this.#inFlight,
      admittedRate: blocked ? 0 : limiter?.rate,
      admittedInFlight: blocked ? 0 : limiter?.inFlight,
      retryAfterMs: this.condition.waitMs(now, 'normal'),
    };
  }
}

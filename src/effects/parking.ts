/**
 * Operations that wait for a breaker. Who is refused joins the room of its guard, and leaves it in the order of `WaitingRoom` as leave is given: when an open period is over, by the ramp's tokens, when a call ends and makes room,
 * or when a person releases the breaker. A room has one timer, and none while nobody waits.
 *
 * Invariant: while somebody waits in a room, nobody passes its guard without having waited there.
 */

import type { Clock, TimerHandle } from '../core/clock.js';
import type { Random } from '../core/random.js';
import type { CallOptions, Guard, Permit } from '../breakers/contract.js';
import { WaitingRoom, type Waiting } from '../breakers/waiting-room.js';
import { BreakerOpenError } from '../core/errors.js';

export interface Parked extends Waiting {
  /** Name of the breaker that refused it. */
  readonly by: string;
  readonly guard: Guard;
  readonly call: CallOptions;
  /** Has leave. */
  readonly go: (permit: Permit) => void;
}

interface Room {
  readonly guard: Guard;
  readonly waiting: WaitingRoom<Parked>;
  timer: TimerHandle;
  pumping: boolean;
}

export interface Refused {
  /** Name of the breaker that refused. */
  readonly by: string;
  readonly retryAfterMs: number;
  readonly error: () => BreakerOpenError;
}

/** A room asks again after so long at the least, and looks again after so long at the latest. */
const leastMs = 5;
const mostMs = 60_000;

export class Parking {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #rooms = new Map<Guard, Room>();
  /** How many wait, by who refused them. */
  readonly #waiting = new Map<string, number>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** How many were refused by a breaker and wait. */
  waiting(by: string): number {
    return this.#waiting.get(by) ?? 0;
  }

  /** Leave, or why there is none. Who is refused may wait. */
  ask(guard: Guard, call: CallOptions): Permit | Refused {
    const room = this.#rooms.get(guard);
    if (room !== undefined && room.waiting.size > 0) this.#pump(room);
    const permit = guard.admit(call);
    if (permit.refused) return { by: permit.key, retryAfterMs: permit.retryAfterMs, error: () => permit.error() };
    const first = room?.waiting.first();
    if (first === undefined) return permit;
    // Others were first, and wait for the same.
    permit.cancel();
    const refusal = { key: first.by, level: undefined, state: 'full', retryAfterMs: leastMs };
    return { by: first.by, retryAfterMs: leastMs, error: () => BreakerOpenError.of(refusal) };
  }

  wait(parked: Parked): void {
    let room = this.#rooms.get(parked.guard);
    if (room === undefined) {
      room = { guard: parked.guard, waiting: new WaitingRoom(), timer: undefined, pumping: false };
      this.#rooms.set(parked.guard, room);
    }
    room.waiting.add(parked);
    this.#waiting.set(parked.by, this.waiting(parked.by) + 1);
    this.#pump(room);
  }

  /** Does not wait any more. False: it did not. */
  leave(parked: Parked): boolean {
    const room = this.#rooms.get(parked.guard);
    if (room === undefined || !this.#takeOut(room, parked)) return false;
    if (room.waiting.size === 0) this.#close(room);
    return true;
  }

  /** A call under this guard has ended: there may be room. */
  ended(guard: Guard): void {
    const room = this.#rooms.get(guard);
    if (room !== undefined) this.#pump(room);
  }

  /** A breaker has changed: everybody asks again. */
  changed(): void {
    for (const room of [...this.#rooms.values()]) this.#pump(room);
  }

  clear(): void {
    for (const room of this.#rooms.values()) this.#clock.clearTimeout(room.timer);
    this.#rooms.clear();
    this.#waiting.clear();
  }

  #takeOut({ waiting }: Room, parked: Parked): boolean {
    if (!waiting.delete(parked)) return false;
    const left = this.waiting(parked.by) - 1;
    if (left === 0) this.#waiting.delete(parked.by);
    else this.#waiting.set(parked.by, left);
    return true;
  }

  #pump(room: Room): void {
    // Whoever goes may end at once, and changes may come of that.
    if (room.pumping) return;
    room.pumping = true;
    let waitMs = Infinity;
    for (let first = room.waiting.first(); first !== undefined; first = room.waiting.first()) {
      const permit = room.guard.admit(first.call);
      if (permit.refused) {
        waitMs = permit.retryAfterMs;
        break;
      }
      this.#takeOut(room, first);
      first.go(permit);
    }
    room.pumping = false;
    if (room.waiting.size === 0) this.#close(room);
    else this.#setTimer(room, waitMs);
  }

  #setTimer(room: Room, waitMs: number): void {
    this.#clock.clearTimeout(room.timer);
    // Nodes that wait for the same service do not come back in the same moment.
    const jitter = 1 + 0.05 * this.#random.next();
    const ms = Math.min(mostMs, Math.max(leastMs, waitMs * jitter));
    room.timer = this.#clock.setTimeout(() => {
      room.timer = undefined;
      this.#pump(room);
    }, ms);
  }

  #close(room: Room): void {
    this.#clock.clearTimeout(room.timer);
    room.timer = undefined;
    this.#rooms.delete(room.guard);
  }
}

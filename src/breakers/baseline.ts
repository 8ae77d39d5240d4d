/**
 * What is normal, hour by hour of the week: the failure rate with its variance, the calls a second and their latency. It learns from whole minutes of a breaker that was closed and saw nothing suspicious; others count for little,
 * so that an outage does not teach itself, and what happens every week at the same hour is still learned in time.
 */

import { BadInputError } from '../core/errors.js';
import { minutesOfWeek, timeOfWeek, type TimeOfWeek } from './time-of-week.js';

const slotMinutes = 60;
const slots = minutesOfWeek / slotMinutes;
/** Near the edge of an hour the more tolerant of the two counts: jobs do not start on the second. */
const edgeMinutes = 5;
/** A slot remembers about three weeks. */
const memoryMinutes = 180;
/** So many minutes make a slot known. */
const knownMinutes = 10;
/** A minute with so many calls counts half of one with very many. */
const halfWeightCalls = 20;
/** Less teaches nothing. */
const leastWeight = 1e-6;
/** What one week may differ from another, of which a single one says nothing: so many points, and such a part of the rate. */
const spreadFloor = 0.008;
const spreadOfRate = 0.18;

const width = 5;
const RATE = 0;
const VARIANCE = 1;
const CALLS = 2;
const LATENCY = 3;
const MINUTES = 4;

/** One minute of a breaker. */
export interface Minute {
  /** Epoch milliseconds of its end. */
  readonly at: number;
  readonly calls: number;
  readonly failures: number;
  /** Mean milliseconds of a call; NaN: none was measured. */
  readonly latencyMs: number;
  /** 0 to 1: how much it may teach. */
  readonly trust: number;
}

export interface Expectation {
  /** Share of calls that fail. */
  readonly failureRate: number;
  /** Standard deviation of that rate from minute to minute and from week to week. */
  readonly spread: number;
  readonly callsPerSecond: number;
  readonly latencyMs: number;
}

/** As it is kept: base64 of the 32-bit floats, little endian. */
export interface SavedBaseline {
  readonly slots: string;
}

export class Baseline {
  readonly #minuteOf: TimeOfWeek;
  #cells: Float32Array | undefined;

  /** @throws BadInputError for a time zone that is none */
  constructor(timeZone?: string) {
    this.#minuteOf = timeOfWeek(timeZone);
  }

  /** What is normal now; undefined while this hour of the week is not known. */
  at(now: number): Expectation | undefined {
    const cells = this.#cells;
    if (cells === undefined) return undefined;
    const minute = this.#minuteOf(now);
    const slot = Math.floor(minute / slotMinutes);
    const here = this.#slot(cells, slot);
    const within = minute % slotMinutes;
    const neighbour =
      within < edgeMinutes
        ? this.#slot(cells, (slot + slots - 1) % slots)
        : within >= slotMinutes - edgeMinutes
          ? this.#slot(cells, (slot + 1) % slots)
          : undefined;
    if (here === undefined || neighbour === undefined) return here;
    return neighbour.failureRate > here.failureRate ? { ...here, failureRate: neighbour.failureRate, spread: neighbour.spread } : here;
  }

  learn(minute: Minute): void {
    const { calls, failures, latencyMs, trust } = minute;
    // Of how much of all that a slot knows.
    const weight = trust * (calls / (calls + halfWeightCalls));
    if (!(weight > leastWeight)) return;
    const cells = (this.#cells ??= new Float32Array(slots * width));
    const base = Math.floor(this.#minuteOf(minute.at - 1) / slotMinutes) * width;
    const seen = cells[base + MINUTES] as number;
    // The mean of all while there are few, then a moving one.
    const step = weight / Math.min(seen + weight, memoryMinutes);
    const rate = failures / calls;
    const before = cells[base + RATE] as number;
    const error = rate - before;
    const mean = before + step * error;
    cells[base + RATE] = mean;
    // What chance alone makes of so few calls is no unrest of the service.
    const chance = (mean * (1 - mean)) / calls;
    const variance = cells[base + VARIANCE] as number;
    const unrest = seen === 0 ? 0 : error * (rate - mean) - chance;
    cells[base + VARIANCE] = Math.max(0, variance + step * (unrest - variance));
    const load = cells[base + CALLS] as number;
    cells[base + CALLS] = load + step * (calls / 60 - load);
    if (latencyMs > 0) {
      const known = cells[base + LATENCY] as number;
      cells[base + LATENCY] = known === 0 ? latencyMs : known + step * (latencyMs - known);
    }
    cells[base + MINUTES] = Math.min(memoryMinutes, seen + weight);
  }

  save(): SavedBaseline | undefined {
    const cells = this.#cells;
    if (cells === undefined) return undefined;
    const bytes = Buffer.alloc(cells.length * 4);
    cells.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
    return { slots: bytes.toString('base64') };
  }

  /** @throws BadInputError */
  restore(saved: SavedBaseline): void {
    const bytes = Buffer.from(typeof saved?.slots === 'string' ? saved.slots : '', 'base64');
    if (bytes.length !== slots * width * 4) {
      throw new BadInputError(`a saved baseline has ${String(bytes.length)} bytes`, {
        hint: `It has ${String(slots * width * 4)}. Restore only what save() has made.`,
      });
    }
    const cells = Float32Array.from({ length: slots * width }, (_, index) => bytes.readFloatLE(index * 4));
    if (!cells.every((value) => value >= 0 && value < Infinity)) {
      throw new BadInputError('a saved baseline has values that are no numbers from 0', { hint: 'Restore only what save() has made.' });
    }
    this.#cells = cells;
  }

  #slot(cells: Float32Array, slot: number): Expectation | undefined {
    const base = slot * width;
    const minutes = cells[base + MINUTES] as number;
    if (minutes < knownMinutes) return undefined;
    const failureRate = cells[base + RATE] as number;
    const floor = spreadFloor + spreadOfRate * failureRate;
    return {
      failureRate,
      spread: Math.sqrt((cells[base + VARIANCE] as number) + floor * floor),
      callsPerSecond: cells[base + CALLS] as number,
      latencyMs: cells[base + LATENCY] as number,
    };
  }
}

/**
 * What a week of the world is like when nothing is broken: how many requests come at which hour, and which share of the calls fails
 * for reasons that have nothing to do with load. Hours are UTC; a week begins on Monday.
 *
 * The free figures were set so that the libraries trip about as often as in the measurement that this world repeats (see
 * bench/breakers/README.md), on seeds 1 to 10 and never on those of the report. Where that left a choice, see beside each figure.
 */

import { Seeded } from './seeded.js';

export const secondMs = 1_000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
export const weekMs = 7 * dayMs;

/** Monday, 5 January 2026, 0 h UTC: the learning week. Scenarios play in the week after it. */
export const firstMonday = Date.UTC(2026, 0, 5);

/** Requests per second: a cosine between the two, lowest at midnight and highest at noon. A week has 3.3 million. */
const nightRate = 3;
const peakRate = 8;
const peakHour = 12;

const ordinary = { business: 0.01, otherwise: 0.02 } as const;
/**
 * 2 to 4 h each night: drawn per night, and within the night a slow wave about it; 25 to 35 % in all. Drawn over the whole of that
 * range, with the wave beyond it, thresholds of 50 % tripped two to three times as often as in the measurement.
 */
const batch = { fromHour: 2, toHour: 4, low: 0.27, high: 0.33, wave: 0.02, waveMs: 23 * minuteMs } as const;
/**
 * On Sunday. Three hours bring the thresholds of 50 % to their figures; four are too many. Early, because at noon 42 % failures with
 * their retries are all that the service can bear, and without a guard it does not come out of that again.
 */
const maintenance = { day: 6, fromHour: 5, toHour: 8, share: 0.42 } as const;
/**
 * Three a day of four seconds, in which four calls of ten fail: a dozen failures at noon, which retries make good. None of the
 * libraries' figures depends on them much, so they are free: weak enough that an operator who is shown one afterwards would not have
 * wanted anything to open, strong enough that a window of a few seconds sees them.
 */
const blips = { perDay: 3, ms: 4 * secondMs, share: 0.4 } as const;

export class Calendar {
  readonly #nights: number[] = [];
  readonly #phases: number[] = [];
  readonly #blips: number[] = [];
  readonly #from: number;
  #nextBlip = 0;

  /** Of the days between the two, with blips only when they are wanted. */
  constructor(seed: number, { from, to, withBlips }: { readonly from: number; readonly to: number; readonly withBlips: boolean }) {
    const random = new Seeded(seed, `calendar-${String((from - firstMonday) / weekMs)}`);
    this.#from = from - ((((from - firstMonday) % dayMs) + dayMs) % dayMs);
    for (let day = this.#from; day < to; day += dayMs) {
      this.#nights.push(random.between(batch.low, batch.high));
      this.#phases.push(random.next() * 2 * Math.PI);
      if (!withBlips) continue;
      const ofDay = Array.from({ length: blips.perDay }, () => day + random.next() * (dayMs - blips.ms));
      this.#blips.push(...ofDay.sort((a, b) => a - b));
    }
  }

  /** Logical requests per second. */
  rate(at: number): number {
    const hour = ((at - firstMonday) % dayMs) / hourMs;
    return nightRate + (peakRate - nightRate) * 0.5 * (1 + Math.cos(((hour - peakHour) / 24) * 2 * Math.PI));
  }

  /** The share of calls that fail whatever the load. Asked with times that never go back. */
  failing(at: number): number {
    while ((this.#blips[this.#nextBlip] ?? Infinity) + blips.ms < at) this.#nextBlip += 1;
    if ((this.#blips[this.#nextBlip] ?? Infinity) <= at) return blips.share;
    const inWeek = (at - firstMonday) % weekMs;
    const weekday = Math.floor(inWeek / dayMs);
    const hour = (inWeek % dayMs) / hourMs;
    if (hour >= batch.fromHour && hour < batch.toHour) {
      const night = Math.floor((at - this.#from) / dayMs);
      const wave = Math.sin((at / batch.waveMs) * 2 * Math.PI + (this.#phases[night] ?? 0));
      return (this.#nights[night] ?? batch.low) + batch.wave * wave;
    }
    if (weekday === maintenance.day && hour >= maintenance.fromHour && hour < maintenance.toHour) return maintenance.share;
    return weekday < 5 && hour >= 9 && hour < 17 ? ordinary.business : ordinary.otherwise;
  }
}

export { peakRate };

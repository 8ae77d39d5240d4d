/** What an hour's expectation and a profile make of the thresholds. Worked out once a minute for all breakers that share a baseline. */

import type { Baseline, Expectation } from './baseline.js';
import type { Profile } from './profile.js';

const minuteMs = 60_000;
const leastThreshold = 0.05;
const mostThreshold = 0.9;

/** How likely a hit and a miss are if a rate has risen, by how likely they are if not: logarithms. */
export interface Weights {
  readonly hit: number;
  readonly miss: number;
}

export interface Tuning extends Weights {
  /** Undefined: nothing is known of this hour. */
  readonly expectation: Expectation | undefined;
  /** Failure rate that is too much. */
  readonly threshold: number;
  /** The upper end of what is normal. */
  readonly tolerated: number;
  readonly profile: Profile;
  readonly raised: number;
}

/** Tells a rate that is usual from one that is raised; both between 0 and 1. */
export function weigh(usual: number, raised: number): Weights {
  return { hit: Math.log(raised / usual), miss: Math.log((1 - raised) / (1 - usual)) };
}

/** Of one baseline. */
export class Tunings {
  readonly baseline: Baseline;
  #minute = Number.NaN;
  readonly #tunings = new Map<Profile, Tuning>();

  constructor(baseline: Baseline) {
    this.baseline = baseline;
  }

  /** `at`: epoch milliseconds. Within a minute the same for the same profile. */
  at(at: number, profile: Profile): Tuning {
    const minute = Math.floor(at / minuteMs);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#tunings.clear();
    }
    let tuning = this.#tunings.get(profile);
    if (tuning === undefined) this.#tunings.set(profile, (tuning = tune(this.baseline.at(at), profile)));
    return tuning;
  }

  /** What was worked out does not hold any more. */
  forget(): void {
    this.#minute = Number.NaN;
  }
}

function tune(expectation: Expectation | undefined, profile: Profile): Tuning {
  const { margin, deviations, hardLimit } = profile;
  if (expectation === undefined) {
    // Only what would be too much at any hour is too much.
    const tolerated = hardLimit - Math.min(margin, hardLimit / 2);
    const raised = Math.min(0.97, hardLimit + 0.2);
    return { expectation, threshold: hardLimit, tolerated, raised, profile, ...weigh(tolerated, raised) };
  }
  const { failureRate, spread } = expectation;
  const threshold = clamp(failureRate + Math.max(margin, deviations * spread), leastThreshold, mostThreshold);
  const tolerated = Math.min(clamp(failureRate + 2 * spread, 0.01, 0.8), threshold - 0.03);
  // Between the two lies, about, what is normal with the margin on top.
  const raised = Math.min(0.97, Math.max(threshold, tolerated + 0.15));
  return { expectation, threshold, tolerated, raised, profile, ...weigh(tolerated, raised) };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

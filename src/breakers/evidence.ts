/**
 * Has the rate of something risen? Page's cumulative sum of log likelihood ratios (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954): of all tests that cry wolf equally seldom it notices a change the soonest
 * (G. Lorden, 1971). It needs no window: one number, which also knows when the change began. Evidence that is old fades, so that failures hours apart do not add up.
 */

export class Evidence {
  #sum = 0;
  #at = 0;
  /** Since the change that it suspects. */
  trials = 0;
  hits = 0;

  get sum(): number {
    return this.#sum;
  }

  /** `weight`: of `Weights`; `count` at once. @returns the sum */
  hit(now: number, weight: number, halfLifeMs: number, count = 1): number {
    if (now - this.#at > 1_000) this.#fade(now, halfLifeMs);
    this.#at = now;
    this.trials += count;
    this.hits += count;
    return (this.#sum += weight * count);
  }

  /** @returns whether nothing is left of it */
  miss(weight: number, count = 1): boolean {
    if (this.#sum === 0) return true;
    this.trials += count;
    this.#sum += weight * count;
    if (this.#sum > 0) return false;
    this.clear();
    return true;
  }

  clear(): void {
    this.#sum = 0;
    this.trials = 0;
    this.hits = 0;
  }

  #fade(now: number, halfLifeMs: number): void {
    if (this.#sum === 0) return;
    const kept = 0.5 ** ((now - this.#at) / halfLifeMs);
    this.#sum *= kept;
    this.trials *= kept;
    this.hits *= kept;
    if (this.#sum < 0.1) this.clear();
  }
}

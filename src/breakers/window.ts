/**
 * Counters over the last few seconds: a ring of buckets with running totals. Buckets expire by the time that has passed, however many calls there were or were not. Many windows share one
 * typed array, because a small one of its own costs several times its contents.
 */

const fields = 4;
const CALLS = 0;
const FAILURES = 1;
const SLOW = 2;
const REJECTED = 3;

export interface WindowSize {
  readonly buckets: number;
  readonly bucketMs: number;
}

/** Twenty buckets of half a second: ten seconds. */
export const defaultWindow: WindowSize = { buckets: 20, bucketMs: 500 };

/** Where windows of one size keep their counts. */
export class WindowPool {
  readonly size: WindowSize;
  readonly #rowsPerChunk: number;
  readonly #free: { readonly cells: Uint32Array; readonly base: number }[] = [];

  /** `rowsPerChunk`: how many windows share an array; 1 for a window alone. */
  constructor(size: WindowSize, rowsPerChunk = 1) {
    this.size = size;
    this.#rowsPerChunk = rowsPerChunk;
  }

  take(): { readonly cells: Uint32Array; readonly base: number } {
    const row = this.#free.pop();
    if (row !== undefined) return row;
    const width = this.size.buckets * fields;
    const cells = new Uint32Array(this.#rowsPerChunk * width);
    for (let index = this.#rowsPerChunk - 1; index > 0; index -= 1) this.#free.push({ cells, base: index * width });
    return { cells, base: 0 };
  }

  give(row: { readonly cells: Uint32Array; readonly base: number }): void {
    row.cells.fill(0, row.base, row.base + this.size.buckets * fields);
    this.#free.push(row);
  }
}

export class RollingWindow {
  readonly #pool: WindowPool;
  #cells: Uint32Array;
  #base: number;
  /** Number of the newest bucket, counted from time 0. */
  #newest = 0;
  /** When the newest bucket is over. */
  #until: number;
  #at: number;
  calls = 0;
  failures = 0;
  slow = 0;
  rejected = 0;

  constructor(pool: WindowPool) {
    const { cells, base } = pool.take();
    this.#pool = pool;
    this.#cells = cells;
    this.#base = base;
    this.#at = base;
    this.#until = pool.size.bucketMs;
  }

  /** `now`: milliseconds that never go back. */
  success(now: number): void {
    if (now >= this.#until) this.roll(now);
    this.#add(CALLS, 1);
    this.calls += 1;
  }

  successes(now: number, count: number): void {
    if (now >= this.#until) this.roll(now);
    this.#add(CALLS, count);
    this.calls += count;
  }

  failure(now: number): void {
    if (now >= this.#until) this.roll(now);
    this.#add(CALLS, 1);
    this.#add(FAILURES, 1);
    this.calls += 1;
    this.failures += 1;
  }

  /** Said of a call that is counted as well. */
  slowCall(now: number): void {
    if (now >= this.#until) this.roll(now);
    this.#add(SLOW, 1);
    this.slow += 1;
  }

  rejection(now: number): void {
    if (now >= this.#until) this.roll(now);
    this.#add(REJECTED, 1);
    this.rejected += 1;
  }

  get callsPerSecond(): number {
    const { buckets, bucketMs } = this.#pool.size;
    return (this.calls * 1_000) / (buckets * bucketMs);
  }

  /** Lets what is too old expire. */
  roll(now: number): void {
    const { buckets, bucketMs } = this.#pool.size;
    const bucket = Math.floor(now / bucketMs);
    const passed = bucket - this.#newest;
    if (passed <= 0) return;
    if (passed >= buckets) this.clear();
    else for (let step = 1; step <= passed; step += 1) this.#expire((this.#newest + step) % buckets);
    this.#newest = bucket;
    this.#until = (bucket + 1) * bucketMs;
    this.#at = this.#base + (bucket % buckets) * fields;
  }

  clear(): void {
    this.#cells.fill(0, this.#base, this.#base + this.#pool.size.buckets * fields);
    this.calls = this.failures = this.slow = this.rejected = 0;
  }

  /** Hands its place back. Who still has it counts on, from nothing, in an array of its own. */
  dispose(): void {
    const { buckets } = this.#pool.size;
    this.#pool.give({ cells: this.#cells, base: this.#base });
    this.#cells = new Uint32Array(buckets * fields);
    this.#base = 0;
    this.#at = (this.#newest % buckets) * fields;
    this.calls = this.failures = this.slow = this.rejected = 0;
  }

  #add(field: number, count: number): void {
    const index = this.#at + field;
    this.#cells[index] = (this.#cells[index] as number) + count;
  }

  #expire(slot: number): void {
    const cells = this.#cells;
    const at = this.#base + slot * fields;
    this.calls -= cells[at + CALLS] as number;
    this.failures -= cells[at + FAILURES] as number;
    this.slow -= cells[at + SLOW] as number;
    this.rejected -= cells[at + REJECTED] as number;
    cells.fill(0, at, at + fields);
  }
}

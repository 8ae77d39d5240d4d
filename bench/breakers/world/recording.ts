/**
 * What happened in a run, second by second, and each change of a guard's state. Everything that is reported or drawn is computed from
 * this afterwards; the world itself judges nothing.
 */

export interface Change {
  /** Milliseconds since the begin of the run. */
  readonly atMs: number;
  readonly node: number;
  readonly from: string;
  readonly to: string;
}

/** Per second of the run. */
interface Seconds {
  /** New logical requests. */
  readonly offered: Float32Array;
  /** Calls through the guard, first ones and retries. */
  readonly attempted: Float32Array;
  /** Of those, refused by the guard. */
  readonly rejected: Float32Array;
  /** Calls that came to the service. */
  readonly reached: Float32Array;
  readonly succeeded: Float32Array;
  /** Calls that failed, timeouts among them. */
  readonly failed: Float32Array;
  /** Logical requests done. */
  readonly served: Float32Array;
  readonly lost: Float32Array;
  /** Logical requests that have waited for more than 5 s, at the end of the second. */
  readonly waiting: Float32Array;
  /** Of the service, 0 to 1. */
  readonly capacity: Float32Array;
  /** The guard's threshold and rate, where it has them; NaN otherwise. */
  readonly threshold: Float32Array;
  readonly rate: Float32Array;
}

export class Recording {
  readonly beginAt: number;
  readonly lengthS: number;
  readonly seconds: Seconds;
  readonly changes: Change[] = [];
  /** By the second of their arrival: logical requests that are not served. */
  readonly #undone: Float32Array;

  constructor(beginAt: number, lengthMs: number) {
    this.beginAt = beginAt;
    this.lengthS = Math.ceil(lengthMs / 1_000);
    const series = (): Float32Array => new Float32Array(this.lengthS + 1);
    this.seconds = {
      offered: series(),
      attempted: series(),
      rejected: series(),
      reached: series(),
      succeeded: series(),
      failed: series(),
      served: series(),
      lost: series(),
      waiting: series(),
      capacity: series(),
      threshold: series().fill(NaN),
      rate: series().fill(NaN),
    };
    this.#undone = series();
  }

  offered(at: number): void {
    this.#count(this.seconds.offered, at);
    this.#count(this.#undone, at);
  }

  attempted(at: number): void {
    this.#count(this.seconds.attempted, at);
  }

  rejected(at: number): void {
    this.#count(this.seconds.rejected, at);
  }

  reached(at: number): void {
    this.#count(this.seconds.reached, at);
  }

  succeeded(at: number): void {
    this.#count(this.seconds.succeeded, at);
  }

  failed(at: number): void {
    this.#count(this.seconds.failed, at);
  }

  served(at: number, arrivedAt: number): void {
    this.#count(this.seconds.served, at);
    const second = this.#second(arrivedAt);
    this.#undone[second] = (this.#undone[second] ?? 0) - 1;
  }

  lost(at: number): void {
    this.#count(this.seconds.lost, at);
  }

  changed(at: number, node: number, from: string, to: string): void {
    this.changes.push({ atMs: at - this.beginAt, node, from, to });
  }

  sample(at: number, sample: { waiting: number; capacity: number; threshold: number | undefined; rate: number | undefined }): void {
    const second = this.#second(at);
    this.seconds.waiting[second] = sample.waiting;
    this.seconds.capacity[second] = sample.capacity;
    this.seconds.threshold[second] = sample.threshold ?? NaN;
    this.seconds.rate[second] = sample.rate ?? NaN;
  }

  /** The sum of a series over the seconds from one to before the other. */
  sum(series: keyof Seconds, fromS = 0, toS: number = this.lengthS): number {
    let sum = 0;
    for (let second = fromS; second < toS; second += 1) sum += this.seconds[series][second] ?? 0;
    return sum;
  }

  /** Logical requests that arrived before this second and were never served. */
  unserved(beforeS: number): number {
    let sum = 0;
    for (let second = 0; second < beforeS; second += 1) sum += this.#undone[second] ?? 0;
    return sum;
  }

  #count(series: Float32Array, at: number): void {
    const second = this.#second(at);
    series[second] = (series[second] ?? 0) + 1;
  }

  #second(at: number): number {
    return Math.floor((at - this.beginAt) / 1_000);
  }
}

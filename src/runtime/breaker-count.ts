/** What a node has counted of a breaker: since it was started, and part by part of the last ten minutes. */

import type { SharedCounters } from '../breakers/contract.js';
import { traceEveryMs, traceParts, type Trace } from './breaker-notes.js';

export class BreakerCount {
  calls = 0;
  failures = 0;
  /** Of the part of time that is counted now. */
  #calls = 0;
  #failures = 0;
  /** In thousandths; -1: no calls. */
  #trace: number[] | undefined;

  get totals(): SharedCounters {
    return { calls: this.calls, failures: this.failures };
  }

  add({ calls, failures }: SharedCounters): void {
    this.calls += calls;
    this.failures += failures;
    this.#calls += calls;
    this.#failures += failures;
  }

  /** So many parts of time are over. */
  turn(parts: number): void {
    if (this.#trace === undefined && this.#calls === 0) return;
    const trace = (this.#trace ??= []);
    trace.push(this.#calls === 0 ? -1 : Math.round((1_000 * this.#failures) / this.#calls));
    for (let part = 1; part < Math.min(parts, traceParts); part += 1) trace.push(-1);
    trace.splice(0, trace.length - traceParts);
    this.#calls = this.#failures = 0;
    if (trace.every((rate) => rate < 0)) this.#trace = undefined;
  }

  /** `until`: end of the last part that is over; the one that is counted now comes with it. */
  trace(until: number): Trace {
    const rates = [...(this.#trace ?? [])];
    const running = this.#calls > 0;
    if (running) rates.push(Math.round((1_000 * this.#failures) / this.#calls));
    return {
      everyMs: traceEveryMs,
      until: running ? until + traceEveryMs : until,
      failureRates: rates.slice(-traceParts).map((rate) => (rate < 0 ? null : rate / 1_000)),
    };
  }
}

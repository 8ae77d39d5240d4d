/** A recording in points of so many seconds each, as a picture needs it. */

import type { Recording } from './world/recording.js';
import { fullCapacity } from './world/service.js';

/** The worst state of the interval is the one that is shown. */
const severity = ['closed', 'degraded', 'ramping', 'half-open', 'open', 'isolated'];

export class Series {
  readonly bucketS: number;
  readonly beginAt: number;
  /** Per second: new logical requests, calls through the guard, calls admitted, requests served, and what the service could take. */
  readonly offered: number[] = [];
  readonly attempted: number[] = [];
  readonly admitted: number[] = [];
  readonly served: number[] = [];
  readonly capacity: number[] = [];
  /** Shares; null where there is none. */
  readonly failing: (number | null)[] = [];
  readonly threshold: (number | null)[] = [];
  readonly state: string[] = [];

  private constructor(bucketS: number, beginAt: number) {
    this.bucketS = bucketS;
    this.beginAt = beginAt;
  }

  static of(recording: Recording, bucketS: number): Series {
    const series = new Series(bucketS, recording.beginAt);
    const { seconds, lengthS } = recording;
    const changes = recording.changes.filter(({ node }) => node === 0);
    let state = changes[0]?.from ?? 'closed';
    let next = 0;
    for (let second = 0; second < lengthS; second += bucketS) {
      const until = Math.min(lengthS, second + bucketS);
      const mean = (name: Parameters<Recording['sum']>[0]): number => round(recording.sum(name, second, until) / (until - second));
      series.offered.push(mean('offered'));
      series.attempted.push(mean('attempted'));
      series.admitted.push(mean('reached'));
      series.served.push(mean('served'));
      series.capacity.push(round(mean('capacity') * fullCapacity));
      const [ok, failed] = [recording.sum('succeeded', second, until), recording.sum('failed', second, until)];
      series.failing.push(ok + failed === 0 ? null : round(failed / (ok + failed)));
      const threshold = seconds.threshold[until - 1];
      series.threshold.push(threshold === undefined || Number.isNaN(threshold) ? null : round(threshold));
      let worst = state;
      while (next < changes.length && changes[next]!.atMs < until * 1_000) {
        state = changes[next]!.to;
        if (severity.indexOf(state) > severity.indexOf(worst)) worst = state;
        next += 1;
      }
      series.state.push(worst);
    }
    return series;
  }
}

function round(figure: number): number {
  return Math.round(figure * 1_000) / 1_000;
}

/** Figures of a recording that more than one scenario needs. Seconds are those of the recording; times are given in seconds. */

import type { Recording } from '../world/recording.js';
import { fullCapacity } from '../world/service.js';

/** So few requests that wait for more than 5 s are no backlog: on an ordinary day a failure that is retried leaves one or two. */
const fewWaiting = 4;
const peakWindowS = 5;

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** From the begin of the fault until a guard first left `closed`. */
export function noticedAfterS({ changes }: Recording, { fromMs, toMs }: Span): number | undefined {
  const change = changes.find(({ atMs, from }) => from === 'closed' && atMs >= fromMs && atMs < toMs);
  return change === undefined ? undefined : (change.atMs - fromMs) / 1_000;
}

/** From the begin of the fault until `open` of the guard that is the n-th to get there, of the first when `nth` is 1. */
export function openAfterS({ changes }: Recording, { fromMs, toMs }: Span, nth = 1): number | undefined {
  const first = new Map<number, number>();
  for (const { atMs, to, node } of changes) {
    if (to === 'open' && atMs >= fromMs && atMs < toMs && !first.has(node)) first.set(node, atMs);
  }
  const atMs = [...first.values()].sort((a, b) => a - b)[nth - 1];
  return atMs === undefined ? undefined : (atMs - fromMs) / 1_000;
}

export function failedDuring(recording: Recording, { fromMs, toMs }: Span): number {
  return recording.sum('failed', seconds(fromMs), seconds(toMs));
}

export function servedDuring(recording: Recording, { fromMs, toMs }: Span): number {
  return recording.sum('served', seconds(fromMs), seconds(toMs));
}

export function offeredDuring(recording: Recording, { fromMs, toMs }: Span): number {
  return recording.sum('offered', seconds(fromMs), seconds(toMs));
}

/** From the service's return until hardly anybody waits any more, for ten seconds on end. */
export function backlogGoneAfterS({ seconds: { waiting }, lengthS }: Recording, backMs: number): number | undefined {
  const back = seconds(backMs);
  let calm = 0;
  for (let second = back + 1; second < lengthS; second += 1) {
    calm = (waiting[second] ?? 0) <= fewWaiting ? calm + 1 : 0;
    if (calm === 10) return second - 9 - back;
  }
  return undefined;
}

/** The most calls that came to the service in any five seconds after its return, by what it can take in five when it is warm. */
export function peakLoad({ seconds: { reached }, lengthS }: Recording, backMs: number): number {
  let most = 0;
  for (let second = seconds(backMs); second + peakWindowS <= lengthS; second += 1) {
    let sum = 0;
    for (let each = second; each < second + peakWindowS; each += 1) sum += reached[each] ?? 0;
    most = Math.max(most, sum);
  }
  return most / peakWindowS / fullCapacity;
}

/** The same by what it could take in those five seconds, while it was still cold. */
export function peakLoadCold({ seconds: { reached, capacity }, lengthS }: Recording, backMs: number): number {
  let most = 0;
  for (let second = seconds(backMs); second + peakWindowS <= lengthS; second += 1) {
    let sum = 0;
    let able = 0;
    for (let each = second; each < second + peakWindowS; each += 1) {
      sum += reached[each] ?? 0;
      able += (capacity[each] ?? 0) * fullCapacity;
    }
    most = Math.max(most, sum / able);
  }
  return most;
}

/** How often a guard opened again after the first call that succeeded when the service was back. */
export function reopened({ changes, seconds: { succeeded }, lengthS }: Recording, backMs: number): number {
  let second = seconds(backMs);
  while (second < lengthS && succeeded[second] === 0) second += 1;
  return changes.filter(({ atMs, to }) => to === 'open' && atMs >= (second + 1) * 1_000).length;
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000);
}

/** What the agents of a team say to each other, and by which ids they know each other. */

import type { Findings, Quote, SourceFile, Topic } from '../findings.js';
import type { Tasks } from '../model/language-model.js';

export type PlannerEvent =
  | { readonly type: 'REPORTED'; readonly sha256: string }
  /** Somebody cannot go on. */
  | { readonly type: 'FAILED'; readonly who: string; readonly reason: string };

export interface ReviewRequest {
  readonly type: 'REVIEW';
  readonly topic: Topic;
  readonly quotes: readonly Quote[];
  readonly accepted: readonly Quote[];
  readonly files: readonly SourceFile[];
}
export interface CompareRequest {
  readonly type: 'COMPARE';
  readonly quotes: readonly (Quote & { readonly topic: number })[];
}
/** The work is over, or cannot be finished. */
export interface Dismissal {
  readonly type: 'DISMISSED';
}
/** Questions, answered with a `Verdict` and with `Repeats`. */
export type CriticEvent = ReviewRequest | CompareRequest | Dismissal;
export type Repeats = Tasks['compare']['answer'];

export type WriterEvent = { readonly type: 'FINDINGS'; readonly findings: Findings } | Dismissal;

export const plannerId = (run: string): string => `${run}/planner`;
export const criticId = (run: string): string => `${run}/critic`;
export const writerId = (run: string): string => `${run}/writer`;
export const researcherId = (run: string, topic: number): string => `${run}/researcher-${String(topic)}`;

/** For `FAILED`: what went wrong, in one line. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What an agent tells the planner when a call has failed for good: `event` is the invoke's error event. */
export function failureOf(who: string, event: object): PlannerEvent {
  return { type: 'FAILED', who, reason: reasonOf('error' in event ? event.error : event) };
}

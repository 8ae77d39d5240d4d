/** What the team hands from one to the other: topics, quotes, verdicts, sections. Plain data, all of it goes into the store. */

import type { WeightedTerm } from './text/ranking.js';

/** A document of the corpus as it was when the run began. */
export interface SourceFile {
  /** As cited. */
  readonly path: string;
  readonly sha256: string;
  readonly lines: number;
  /** Only its first part was taken. */
  readonly truncated: boolean;
}

export interface Listing {
  readonly files: readonly SourceFile[];
  /** What was left out and why, one line each, sorted. */
  readonly notes: readonly string[];
}

export interface Topic {
  /** From 1. */
  readonly number: number;
  readonly title: string;
  readonly question: string;
  /** The words that make the subject, heaviest first. */
  readonly subject: readonly WeightedTerm[];
  /** Words that go with it. */
  readonly companions: readonly WeightedTerm[];
  /** Paths to read, most promising first. */
  readonly documents: readonly string[];
}

export interface Quote {
  readonly path: string;
  readonly firstLine: number;
  readonly lastLine: number;
  readonly text: string;
  readonly heading: string;
  readonly score: number;
}

export interface Rejection {
  readonly quote: Quote;
  readonly reason: string;
}

export interface Verdict {
  readonly accepted: readonly Quote[];
  readonly rejected: readonly Rejection[];
  /** Words of the topic that no accepted quote mentions. */
  readonly missing: readonly string[];
  readonly another: boolean;
  readonly remark: string;
}

/** What a researcher hands to the writer. */
export interface Findings {
  readonly topic: Pick<Topic, 'number' | 'title' | 'question'>;
  readonly quotes: readonly Quote[];
  /** Accepted as well, and left out for brevity. */
  readonly spare: number;
  readonly rejected: readonly Rejection[];
  readonly rounds: number;
  readonly documentsRead: readonly string[];
  readonly passagesConsidered: number;
  readonly remark: string;
  readonly notes: readonly string[];
}

export interface Section {
  readonly findings: Findings;
  readonly lead: string;
}

export interface Report {
  readonly title: string;
  readonly question: string;
  readonly model: string;
  readonly researchers: number;
  readonly corpus: Listing & { readonly name: string };
  readonly summary: readonly string[];
  readonly sections: readonly Section[];
}

/** `path:line` or `path:first-last`. */
export function citation({ path, firstLine, lastLine }: Pick<Quote, 'path' | 'firstLine' | 'lastLine'>): string {
  return firstLine === lastLine ? `${path}:${String(firstLine)}` : `${path}:${String(firstLine)}-${String(lastLine)}`;
}

/** Order for all lists that reach the report: by place, never by time. */
export function byPlace(one: Pick<Quote, 'path' | 'firstLine'>, other: Pick<Quote, 'path' | 'firstLine'>): number {
  return compareText(one.path, other.path) || one.firstLine - other.firstLine;
}

/** By code unit: the same on every machine, whatever its language. */
export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

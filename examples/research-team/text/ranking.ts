/**
 * Relevance and variety: Okapi BM25 (Robertson and Zaragoza, 2009) over weighted terms, and maximal marginal relevance
 * (Carbonell and Goldstein, 1998) to choose passages that do not say the same twice. Pure; ties are broken by the order given,
 * so callers give a stable order.
 */

import { terms } from './tokens.js';

export interface WeightedTerm {
  readonly term: string;
  readonly weight: number;
}

const k1 = 1.2;
const b = 0.75;

/** How much a text of these terms is about the query. `averageLength` is in terms. */
export function bm25(text: readonly string[], query: readonly WeightedTerm[], averageLength: number): number {
  const counts = new Map<string, number>();
  for (const term of text) counts.set(term, (counts.get(term) ?? 0) + 1);
  const norm = k1 * (1 - b + (b * text.length) / Math.max(1, averageLength));
  let score = 0;
  for (const { term, weight } of query) {
    const count = counts.get(term) ?? 0;
    if (count > 0) score += (weight * count * (k1 + 1)) / (count + norm);
  }
  return score;
}

/** Rarity of a term that `documents` of `total` contain: never negative. */
export function idf(documents: number, total: number): number {
  return Math.log(1 + (total - documents + 0.5) / (documents + 0.5));
}

/** Share of common terms, 0 to 1 (Jaccard). */
export function likeness(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  let common = 0;
  for (const term of one) if (other.has(term)) common += 1;
  const all = one.size + other.size - common;
  return all === 0 ? 0 : common / all;
}

/** Chooses up to `count`, best first, each as relevant and as unlike the chosen ones as can be. `variety` 0 to 1. */
export function diverse<T>(
  items: readonly T[],
  count: number,
  { text, score, variety }: { text: (item: T) => string; score: (item: T) => number; variety: number },
): T[] {
  const best = Math.max(1e-9, ...items.map(score));
  const left = items.map((item) => ({ item, relevance: score(item) / best, set: new Set(terms(text(item))), nearest: 0 }));
  const chosen: T[] = [];
  while (chosen.length < count && left.length > 0) {
    let index = 0;
    let top = -Infinity;
    left.forEach(({ relevance, nearest }, place) => {
      const worth = (1 - variety) * relevance - variety * nearest;
      if (worth > top + 1e-12) [index, top] = [place, worth];
    });
    const [taken] = left.splice(index, 1);
    if (taken === undefined) break;
    chosen.push(taken.item);
    for (const other of left) other.nearest = Math.max(other.nearest, likeness(other.set, taken.set));
  }
  return chosen;
}

/** To three decimals, so that scores can be compared and printed. */
export function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

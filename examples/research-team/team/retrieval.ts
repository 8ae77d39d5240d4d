/** From a planner's words to a researcher's reading list: rarity gives each word its weight, and BM25 ranks the documents. */

import { compareText, type Topic } from '../findings.js';
import type { Document, Tasks } from '../model/language-model.js';
import { bm25, idf, rounded, type WeightedTerm } from '../text/ranking.js';
import { paragraphs } from '../text/passages.js';
import { stem, terms } from '../text/tokens.js';

/** The words that make the subject count so much more than those that go with it. */
const subjectFactor = 3;
/** A document is judged by its best paragraphs, so that long ones do not win by length. */
const bestParagraphs = 4;

type Planned = Tasks['plan']['answer']['topics'][number];

export function retrieve(topics: readonly Planned[], documents: readonly Document[]): Topic[] {
  const indexed = documents.map(({ path, lines }) => ({
    path,
    paragraphs: paragraphs(lines).map(({ heading, sentences }) => terms(`${heading} ${sentences.map(({ text }) => text).join(' ')}`)),
  }));
  const spread = new Map<string, number>();
  for (const document of indexed) {
    for (const term of new Set(document.paragraphs.flat())) spread.set(term, (spread.get(term) ?? 0) + 1);
  }
  const all = indexed.flatMap((document) => document.paragraphs);
  const averageLength = all.reduce((sum, paragraph) => sum + paragraph.length, 0) / Math.max(1, all.length);
  const weighted = (words: readonly string[], factor: number): WeightedTerm[] =>
    [...new Set(words.flatMap((word) => terms(word).map(stem)))].map((term) => ({
      term,
      weight: rounded(factor * (0.2 + idf(spread.get(term) ?? 0, documents.length))),
    }));
  return topics.map((planned, index) => {
    const subject = weighted(planned.subject, subjectFactor);
    // What was asked for weighs more than what merely stands beside the subject.
    const asked = new Set(terms(planned.question));
    const companions = weighted(planned.companions, 1)
      .filter(({ term }) => !subject.some((other) => other.term === term))
      .map(({ term, weight }) => ({ term, weight: asked.has(term) ? 2 * weight : weight }));
    const query = [...subject, ...companions];
    const ranked = indexed
      .map((document) => {
        const own = document.paragraphs.filter((paragraph) => subject.some(({ term }) => paragraph.includes(term)));
        const scores = own.map((paragraph) => bm25(paragraph, query, averageLength)).sort((one, other) => other - one);
        return { path: document.path, score: rounded(scores.slice(0, bestParagraphs).reduce((sum, score) => sum + score, 0)) };
      })
      .filter(({ score }) => score > 0)
      .sort((one, other) => other.score - one.score || compareText(one.path, other.path));
    return {
      number: index + 1,
      title: planned.title,
      question: planned.question,
      subject,
      companions,
      documents: ranked.map(({ path }) => path),
    };
  });
}

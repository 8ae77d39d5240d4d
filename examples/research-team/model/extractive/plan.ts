/**
 * Planning by reading: finds the phrases that a corpus (or the part of it that bears on the question) speaks of most, and divides them
 * into topics that overlap little. Each choice makes documents that are covered already count half, so that topics spread.
 */

import { paragraphs } from '../../text/passages.js';
import { indexPhrases, isSubject, type Phrase, type PhraseIndex } from '../../text/phrases.js';
import { bm25, idf } from '../../text/ranking.js';
import { isFurniture, terms } from '../../text/tokens.js';
import type { Tasks } from '../language-model.js';

const companionCount = 5;
/** Two words name a subject better than one. */
const lengthBonus = [0, 1, 3.2, 3.4];

export function plan({ question, open, topics, documents }: Tasks['plan']['prompt']): Tasks['plan']['answer'] {
  const index = indexPhrases(documents.map(({ lines }) => paragraphs(lines)));
  const focus = open ? [] : [...new Set(terms(question))].filter((term) => !isFurniture(term));
  const relevance = relevanceOf(index, focus.length > 0 ? focus : open ? [] : terms(question), documents.length);
  const chosen = choose(index, relevance, topics, documents.length);
  return {
    topics: chosen.map((phrase) => {
      const subject = phrase.key.split(' ');
      const companions = companionsOf(phrase, index).filter((term) => !subject.includes(term));
      const ownFocus = focus.filter((term) => !subject.includes(term));
      return {
        title: phrase.shown.charAt(0).toUpperCase() + phrase.shown.slice(1),
        question: open ? `What do the sources say about “${phrase.shown}”?` : `${question} In particular: “${phrase.shown}”.`,
        subject,
        companions: [...new Set([...ownFocus, ...companions])].slice(0, Math.max(companionCount, ownFocus.length)),
      };
    }),
  };
}

/** How much each paragraph bears on the question: 1 for all when there is none. */
function relevanceOf({ paragraphs: all }: PhraseIndex, focus: readonly string[], documents: number): readonly number[] {
  if (focus.length === 0) return all.map(() => 1);
  const query = focus.map((term) => {
    const having = new Set(all.filter((paragraph) => paragraph.terms.includes(term)).map(({ document }) => document));
    return { term, weight: idf(having.size, documents) };
  });
  const averageLength = all.reduce((sum, paragraph) => sum + paragraph.terms.length, 0) / Math.max(1, all.length);
  return all.map((paragraph) => bm25(paragraph.terms, query, averageLength));
}

function choose(index: PhraseIndex, relevance: readonly number[], count: number, documents: number): Phrase[] {
  // A phrase of one document only is its own subject, not the corpus's; small corpora have nothing else.
  const strict = { documents: documents >= 4 ? 2 : 1, paragraphs: 3 };
  const chosen: Phrase[] = [];
  const coverage = new Map<number, number>();
  for (const least of [strict, { documents: 1, paragraphs: 2 }, { documents: 1, paragraphs: 1 }]) {
    const candidates = index.phrases
      .filter((phrase) => phrase.documents.size >= least.documents && phrase.paragraphs.size >= least.paragraphs && isSubject(phrase))
      .map((phrase) => ({ phrase, byDocument: reachOf(phrase, index, relevance) }));
    while (chosen.length < count) {
      const taken = new Set(chosen.flatMap((phrase) => phrase.key.split(' ')));
      let best: Phrase | undefined;
      let top = 1e-9;
      for (const { phrase, byDocument } of candidates) {
        const tokens = phrase.key.split(' ');
        if (tokens.some((token) => taken.has(token))) continue;
        let worth = 0;
        for (const [document, reach] of byDocument) worth += reach * (coverage.get(document) ?? 1);
        worth *= Math.sqrt(idf(phrase.documents.size, documents)) * (lengthBonus[tokens.length] ?? 1);
        if (worth > top + 1e-9) [best, top] = [phrase, worth];
      }
      if (best === undefined) break;
      chosen.push(best);
      for (const document of best.documents) coverage.set(document, (coverage.get(document) ?? 1) / 2);
    }
    if (chosen.length >= count) break;
  }
  return chosen;
}

/** How much of each document speaks of the phrase: many paragraphs of one document count less than a few of several. */
function reachOf(phrase: Phrase, { paragraphs: all }: PhraseIndex, relevance: readonly number[]): Map<number, number> {
  const sums = new Map<number, number>();
  for (const place of phrase.paragraphs) {
    const document = all[place]?.document ?? 0;
    sums.set(document, (sums.get(document) ?? 0) + (relevance[place] ?? 0));
  }
  for (const [document, sum] of sums) sums.set(document, Math.log2(1 + sum));
  return sums;
}

/** Terms that stand beside the phrase more often than elsewhere. */
function companionsOf(phrase: Phrase, { paragraphs: all }: PhraseIndex): string[] {
  const beside = new Map<string, number>();
  const everywhere = new Map<string, number>();
  all.forEach((paragraph, place) => {
    for (const term of new Set(paragraph.terms)) {
      everywhere.set(term, (everywhere.get(term) ?? 0) + 1);
      if (phrase.paragraphs.has(place)) beside.set(term, (beside.get(term) ?? 0) + 1);
    }
  });
  return [...beside]
    .filter(([term, count]) => count >= 2 && term.length >= 3 && !isFurniture(term) && !/\d/.test(term))
    .map(([term, count]) => {
      const lift = count / phrase.paragraphs.size / ((everywhere.get(term) ?? count) / all.length);
      return { term, worth: count * Math.log(lift) };
    })
    .filter(({ worth }) => worth > 0)
    .sort((one, other) => other.worth - one.worth || (one.term < other.term ? -1 : 1))
    .slice(0, companionCount + 3)
    .map(({ term }) => term);
}

/**
 * Key phrases: runs of one to three words without stop words, counted by paragraph and by document. What a corpus talks about, in its
 * own words. A phrase is kept under its stemmed form and shown in the form the corpus uses most.
 */

import { isFurniture, isStopWord, stem, words } from './tokens.js';
import type { Paragraph } from './passages.js';

export interface Phrase {
  /** Stemmed words, joined by spaces. */
  readonly key: string;
  /** As most often written; words that the corpus writes in capitals keep them (`UNC path`), the others are lower case. */
  readonly shown: string;
  /** Index of each paragraph that has it. */
  readonly paragraphs: ReadonlySet<number>;
  /** Index of each document that has it. */
  readonly documents: ReadonlySet<number>;
}

export interface IndexedParagraph {
  readonly document: number;
  /** Stemmed terms, stop words dropped. */
  readonly terms: readonly string[];
}

export interface PhraseIndex {
  readonly phrases: readonly Phrase[];
  readonly paragraphs: readonly IndexedParagraph[];
}

/** Indexes documents given as their paragraphs. */
export function indexPhrases(documents: readonly (readonly Paragraph[])[]): PhraseIndex {
  const found = new Map<string, { forms: Map<string, number>; paragraphs: Set<number>; documents: Set<number> }>();
  const indexed: IndexedParagraph[] = [];
  const capitals = new Map<string, number>();
  documents.forEach((document, documentIndex) => {
    for (const { sentences } of document) {
      const place = indexed.length;
      const kept: string[] = [];
      for (const { text } of sentences) {
        for (const [word] of text.matchAll(/\p{L}{2,}/gu)) {
          const lower = word.toLowerCase();
          if (lower !== word) capitals.set(lower, (capitals.get(lower) ?? 0) + (word === word.toUpperCase() ? 1 : 0));
          else capitals.set(lower, (capitals.get(lower) ?? 0) - 1);
        }
        for (const run of runs(withoutMarkup(text))) {
          for (const token of run) kept.push(stem(token));
          for (const phrase of grams(run)) {
            const key = phrase.map(stem).join(' ');
            let entry = found.get(key);
            if (entry === undefined) found.set(key, (entry = { forms: new Map(), paragraphs: new Set(), documents: new Set() }));
            const form = phrase.join(' ');
            entry.forms.set(form, (entry.forms.get(form) ?? 0) + 1);
            entry.paragraphs.add(place);
            entry.documents.add(documentIndex);
          }
        }
      }
      indexed.push({ document: documentIndex, terms: kept });
    }
  });
  const phrases = [...found].map(([key, entry]) => ({
    key,
    shown: cased(commonest(entry.forms), capitals),
    paragraphs: entry.paragraphs,
    documents: entry.documents,
  }));
  phrases.sort((one, other) => (one.key < other.key ? -1 : 1));
  return { phrases, paragraphs: indexed };
}

/** Whether a phrase could be the title of a topic. */
export function isSubject(phrase: Phrase): boolean {
  const tokens = phrase.key.split(' ');
  if (tokens.every(isFurniture) || isFurniture(tokens.at(-1) ?? '')) return false;
  if (tokens.some((token) => /\d/.test(token) || token.length < 3)) return false;
  return new Set(tokens).size === tokens.length;
}

/** Sentences cut at stop words and punctuation. */
function runs(text: string): string[][] {
  const found: string[][] = [];
  for (const clause of text.split(/[.,;:!?()[\]{}"“”|/\\<>=—–]+/)) {
    let run: string[] = [];
    for (const token of words(clause)) {
      if (!isStopWord(token)) run.push(token);
      else if (run.length > 0) {
        found.push(run);
        run = [];
      }
    }
    if (run.length > 0) found.push(run);
  }
  return found;
}

function grams(run: readonly string[]): string[][] {
  const found: string[][] = [];
  for (let size = 1; size <= 3; size += 1) {
    for (let start = 0; start + size <= run.length; start += 1) found.push(run.slice(start, start + size));
  }
  return found;
}

function commonest(forms: ReadonlyMap<string, number>): string {
  return [...forms].sort(([one, many], [other, few]) => few - many || (one < other ? -1 : 1))[0]?.[0] ?? '';
}

/** Words written in capitals more often than not get them back. */
function cased(phrase: string, capitals: ReadonlyMap<string, number>): string {
  const words = phrase.split(' ');
  return words.map((word) => ((capitals.get(word) ?? 0) > 0 ? word.toUpperCase() : word)).join(' ');
}

/** Links, code and emphasis as the words in them; addresses dropped. */
function withoutMarkup(text: string): string {
  return text
    .replace(/!\[[^\]]*\]\([^)]*\)/g, ' ')
    .replace(/\]\([^)]*\)/g, '] ')
    .replace(/https?:\/\/\S+/g, ' ')
    .replace(/`[^`]*`/g, ' . ')
    .replace(/[*_~]/g, '');
}

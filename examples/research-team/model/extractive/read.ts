/**
 * Reading one document for a topic: every sentence of its prose is weighed by the topic's words, and the best are quoted as they stand.
 * Whether a quote is any good by itself is the critic's business.
 */

import { byPlace, type Quote, type Topic } from '../../findings.js';
import { paragraphs, type Sentence } from '../../text/passages.js';
import { bm25, diverse, rounded, type WeightedTerm } from '../../text/ranking.js';
import { terms, words } from '../../text/tokens.js';
import type { Tasks } from '../language-model.js';

/** Terms in a sentence of ordinary length. */
const ordinaryLength = 14;
const perDocument = 4;

export function read({ topic, emphasis, document }: Tasks['read']['prompt']): Tasks['read']['answer'] {
  const query = queryOf(topic, emphasis);
  const subject = new Set(topic.subject.map(({ term }) => term));
  const found: Quote[] = [];
  let considered = 0;
  for (const { sentences } of paragraphs(document.lines)) {
    for (const sentence of sentences) {
      if (!isQuotable(sentence)) continue;
      considered += 1;
      const own = terms(sentence.text);
      const above = terms(sentence.heading);
      if (!own.some((term) => subject.has(term)) && !above.some((term) => subject.has(term))) continue;
      const weight = bm25(own, query, ordinaryLength) + 0.25 * bm25(above, query, 4);
      const whole = subject.size > 1 && [...subject].every((term) => own.includes(term)) ? 1.5 : 1;
      const score = rounded(weight * whole * plainness(sentence.text));
      if (score > 0) found.push({ path: document.path, ...sentence, score });
    }
  }
  found.sort((one, other) => other.score - one.score || byPlace(one, other));
  return {
    quotes: diverse(found.slice(0, 40), perDocument, { text: ({ text }) => text, score: ({ score }) => score, variety: 0.3 }),
    considered,
  };
}

export function score({ topic, emphasis, quotes, count }: Tasks['score']['prompt']): Tasks['score']['answer'] {
  const missing = new Set(emphasis);
  const ranked = quotes
    .map((quote, index) => ({ index, quote, worth: quote.score * (terms(quote.text).some((term) => missing.has(term)) ? 1.5 : 1) }))
    .sort((one, other) => other.worth - one.worth || byPlace(one.quote, other.quote));
  // Several sources are worth more than one that says everything: after two quotes a file's further ones count less.
  const seen = new Map<string, number>();
  const spread = ranked.map((entry) => {
    const before = seen.get(entry.quote.path) ?? 0;
    seen.set(entry.quote.path, before + 1);
    return { ...entry, worth: entry.worth * (before < 2 ? 1 : 0.6 ** (before - 1)) };
  });
  const chosen = diverse(spread, count, {
    text: ({ quote }) => `${quote.text} ${topic.title}`,
    score: ({ worth }) => worth,
    variety: 0.35,
  });
  return { order: chosen.map(({ index }) => index) };
}

function queryOf(topic: Topic, emphasis: readonly string[]): WeightedTerm[] {
  return [...topic.subject, ...topic.companions].map(({ term, weight }) => ({
    term,
    weight: emphasis.includes(term) ? weight * 2 : weight,
  }));
}

/** Long enough to say something, short enough to quote, and whole: no HTML, no emphasis or code cut in half. */
function isQuotable({ text }: Sentence): boolean {
  if (text.length < 35 || text.length > 420) {
    if (!(text.length >= 12 && /\p{Script=Han}|\p{Script=Hiragana}/u.test(text))) return false;
  }
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  if (letters < text.length * 0.6 || words(text).length < 6) return false;
  if (/<\/?[a-z][^>]*>|!\[|^\W*https?:/i.test(text)) return false;
  const even = (mark: RegExp): boolean => (text.match(mark)?.length ?? 0) % 2 === 0;
  const level = (open: string, close: string): boolean => text.split(open).length === text.split(close).length;
  return even(/`/g) && even(/\*\*/g) && level('(', ')') && level('[', ']');
}

/** Less for what reads badly in a report: links, code, no end, great length. */
function plainness(text: string): number {
  const links = text.match(/\]\(|\]\[|https?:/g)?.length ?? 0;
  const code = (text.match(/`/g)?.length ?? 0) / 2;
  const ends = /[.!?。！？]["'”’)\]*_`]*$/.test(text);
  return 0.75 ** links * 0.95 ** code * (ends ? 1 : 0.8) * (text.length > 240 ? 0.75 : 1) * (/^[\p{Ll}]/u.test(text) ? 0.7 : 1);
}

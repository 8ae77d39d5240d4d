/**
 * The critic's judgement by rule: can the quote stand alone, is it about the topic, does it repeat another, and do the accepted
 * ones together cover the topic from more than one source? What is weak is sent back with the words that are missing.
 */

import { citation, type Quote, type Topic } from '../../findings.js';
import { likeness } from '../../text/ranking.js';
import { terms } from '../../text/tokens.js';
import type { Tasks } from '../language-model.js';

const leastQuotes = 5;
const leastSources = 2;
const leastCoverage = 0.7;
const sameness = 0.55;

const leaning =
  /^\W*(?:(?:and|but|or|so|then|however|also|thus|hence|therefore|otherwise|instead|additionally|furthermore|moreover|similarly|likewise|conversely)\b|(?:in|for) (?:this|that|these|those|such|both) |(?:this|that|these|those|it|they|he|she|such|both|here|there)\b(?! is (?:a|an|the|no) )|because of this\b|to \p{L}+ (?:this|that|these|those)\b)/iu;
const elsewhere = /\b(?:see (?:also )?(?:the |below|above)|below|above|the following|as follows|previous (?:example|section))\b/i;

export function critique({ topic, quotes, accepted }: Tasks['critique']['prompt']): Tasks['critique']['answer'] {
  const rejected: { index: number; reason: string }[] = [];
  const kept: Quote[] = [...accepted];
  quotes.forEach((quote, index) => {
    const reason = fault(quote, topic, kept);
    if (reason === undefined) kept.push(quote);
    else rejected.push({ index, reason });
  });
  const mentioned = new Set(kept.flatMap(({ text }) => terms(text)));
  const wanted = [...topic.subject, ...topic.companions].map(({ term }) => term);
  const missing = wanted.filter((term) => !mentioned.has(term));
  const sources = new Set(kept.map(({ path }) => path)).size;
  const lacks: string[] = [];
  if (kept.length < leastQuotes) lacks.push(`${String(kept.length)} of at least ${String(leastQuotes)} quotes`);
  if (sources < Math.min(leastSources, topic.documents.length))
    lacks.push(`${String(sources)} of at least ${String(leastSources)} sources`);
  if (missing.length > wanted.length * (1 - leastCoverage)) lacks.push(`nothing on ${missing.map((term) => `“${term}”`).join(', ')}`);
  return {
    rejected,
    missing,
    another: lacks.length > 0,
    remark: lacks.length === 0 ? '' : lacks.join('; '),
  };
}

export function compare({ quotes }: Tasks['compare']['prompt']): Tasks['compare']['answer'] {
  const repeats: { index: number; of: number }[] = [];
  const sets = quotes.map(({ text }) => new Set(terms(text)));
  const dropped = new Set<number>();
  quotes.forEach((quote, index) => {
    const of = quotes.findIndex((other, before) => {
      if (before >= index || dropped.has(before) || other.topic === quote.topic) return false;
      return likeness(sets[before] ?? new Set(), sets[index] ?? new Set()) >= sameness;
    });
    if (of < 0) return;
    dropped.add(index);
    repeats.push({ index, of });
  });
  return { repeats };
}

/** Why a quote cannot be used; undefined when it can. */
function fault(quote: Quote, topic: Topic, kept: readonly Quote[]): string | undefined {
  const { text } = quote;
  const own = new Set(terms(text));
  const opening = leaning.exec(text);
  if (opening !== null) return `cannot stand alone: it begins with “${opening[0].trim()}”`;
  if (text.endsWith(':')) return 'announces something that is not quoted: it ends with a colon';
  const pointer = elsewhere.exec(text);
  if (pointer !== null) return `refers to what stands elsewhere: “${pointer[0]}”`;
  const subject = topic.subject.map(({ term }) => term);
  const named = subject.filter((term) => own.has(term));
  if (named.length === 0) return `does not itself mention ${subject.map((term) => `“${term}”`).join(' or ')}`;
  // One word of several may mean anything: “system” is about file systems only in company.
  if (named.length < Math.min(2, subject.length) && !topic.companions.some(({ term }) => own.has(term))) {
    return `is about something else: “${named.join(' ')}”, but nothing that goes with ${topic.title}`;
  }
  const prose = text.replace(/\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])|https?:\S+/g, '');
  if (prose.length < text.length / 2) return 'is more link than statement';
  const twin = kept.find((other) => likeness(own, new Set(terms(other.text))) >= sameness);
  return twin === undefined ? undefined : `repeats ${citation(twin)}`;
}

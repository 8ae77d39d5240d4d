/**
 * What the team does, as durable activities: each is called, retried and recorded by the runtime, and its result is taken from the
 * ledger when the run is resumed. Inputs stay small (paths, topics, quotes): documents are loaded inside and never go into the store.
 */

import { activity, TerminalError } from 'statewarden';
import { CorpusError, readDocument, survey, type CorpusSource } from '../corpus.js';
import {
  byPlace,
  citation,
  type Findings,
  type Listing,
  type Quote,
  type Report,
  type SourceFile,
  type Topic,
  type Verdict,
} from '../findings.js';
import type { Tasks } from '../model/language-model.js';
import type { Provider } from '../provider.js';
import { isVerbatim } from '../text/passages.js';
import { retrieve } from './retrieval.js';

export interface Work {
  readonly source: CorpusSource;
  readonly provider: Provider;
  /** Writes the report; the same report written twice is one file. Gives its SHA-256. */
  readonly publish: (report: Report) => Promise<string>;
  /** Calls to the model at the same time. */
  readonly concurrency: number;
}

const patience = { attempts: 5, initialMs: 80, maximumMs: 5_000 };

export type Activities = ReturnType<typeof createActivities>;

export function createActivities({ source, provider, publish, concurrency }: Work) {
  // What asks a model or reads files may be asked and read again.
  const common = { onUnknown: 'retry', retry: patience, timeoutMs: 120_000, concurrency } as const;
  return {
    survey: activity({
      name: 'survey',
      onUnknown: 'retry',
      run: (_input: undefined, context): Promise<Listing> =>
        provider.logged('survey', context, () => {
          try {
            return survey(source);
          } catch (error) {
            if (error instanceof CorpusError) throw new TerminalError(`${error.message}. ${error.hint}`);
            throw error;
          }
        }),
    }),
    plan: activity({
      ...common,
      name: 'plan',
      run: async (input: { question: string; open: boolean; topics: number; files: readonly SourceFile[] }, context): Promise<Topic[]> => {
        const documents = input.files.map((file) => readDocument(source, file));
        const { question, open, topics } = input;
        const answer = await provider.ask('plan', question, { question, open, topics, documents }, context);
        return retrieve(answer.topics.slice(0, topics), documents);
      },
    }),
    read: activity({
      ...common,
      name: 'read',
      run: (input: { topic: Topic; emphasis: readonly string[]; file: SourceFile }, context): Promise<Tasks['read']['answer']> => {
        const { topic, emphasis, file } = input;
        const document = readDocument(source, file);
        return provider.ask('read', `${file.path} for ${topic.title}`, { topic, emphasis, document }, context);
      },
    }),
    score: activity({
      ...common,
      name: 'score',
      run: async (
        input: { topic: Topic; emphasis: readonly string[]; quotes: readonly Quote[]; count: number },
        context,
      ): Promise<Quote[]> => {
        const { order } = await provider.ask('score', `${input.topic.title} of ${String(input.quotes.length)}`, input, context);
        return pick(input.quotes, order).slice(0, input.count);
      },
    }),
    critique: activity({
      ...common,
      name: 'critique',
      run: async (
        input: { topic: Topic; quotes: readonly Quote[]; accepted: readonly Quote[]; files: readonly SourceFile[] },
        context,
      ): Promise<Verdict> => {
        // Wording is a matter of fact: checked against the files, whatever model judges the rest.
        const found = input.quotes.filter((quote) => stands(source, input.files, quote));
        const invented = input.quotes.filter((quote) => !found.includes(quote));
        const { topic, accepted } = input;
        const answer = await provider.ask(
          'critique',
          `${topic.title} ${String(accepted.length)}+${String(found.length)}`,
          { topic, quotes: found, accepted },
          context,
        );
        const reasons = new Map(answer.rejected.map(({ index, reason }) => [found[index], reason]));
        return {
          accepted: found.filter((quote) => !reasons.has(quote)),
          rejected: [
            ...found.flatMap((quote) => (reasons.has(quote) ? [{ quote, reason: reasons.get(quote) ?? '' }] : [])),
            ...invented.map((quote) => ({ quote, reason: `does not stand at ${citation(quote)}` })),
          ],
          missing: answer.missing,
          another: answer.another,
          remark: answer.remark,
        };
      },
    }),
    compare: activity({
      ...common,
      name: 'compare',
      run: async (input: { quotes: readonly (Quote & { readonly topic: number })[] }, context): Promise<Tasks['compare']['answer']> =>
        provider.ask('compare', String(input.quotes.length), input, context),
    }),
    write: activity({
      ...common,
      name: 'write',
      run: async (input: { findings: Findings }, context): Promise<string> => {
        const { paragraphs } = await provider.ask(
          'write',
          input.findings.topic.title,
          { part: 'section', findings: input.findings },
          context,
        );
        return paragraphs.join('\n\n');
      },
    }),
    conclude: activity({
      ...common,
      name: 'conclude',
      run: async (input: { question: string; findings: readonly Findings[] }, context): Promise<string[]> => {
        const { paragraphs } = await provider.ask('write', input.question, { part: 'summary', ...input }, context);
        return [...paragraphs];
      },
    }),
    publish: activity({
      name: 'publish',
      onUnknown: 'retry',
      run: (input: { report: Report }, context): Promise<string> => provider.logged('publish', context, () => publish(input.report)),
    }),
  };
}

/** The quotes at these places, each once; places that do not exist are a model's slip and are passed over. */
function pick(quotes: readonly Quote[], order: readonly number[]): Quote[] {
  return [...new Set(order)].flatMap((index) => quotes[index] ?? []);
}

function stands(source: CorpusSource, files: readonly SourceFile[], quote: Quote): boolean {
  const file = files.find(({ path }) => path === quote.path);
  return file !== undefined && isVerbatim(readDocument(source, file).lines, quote);
}

/** Quotes without those already seen, in order of place. */
export function unseen(quotes: readonly Quote[], seen: readonly Quote[]): Quote[] {
  const known = new Set(seen.map(citation));
  const fresh = new Map(quotes.filter((quote) => !known.has(citation(quote))).map((quote) => [`${citation(quote)} ${quote.text}`, quote]));
  return [...fresh.values()].sort(byPlace);
}

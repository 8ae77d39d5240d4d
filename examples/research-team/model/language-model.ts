/**
 * The language model as the team sees it: six tasks, each a prompt of plain data and an answer of plain data. Answers name quotes
 * by their place in the prompt, so that a model can choose and reject but not invent. `extractive.ts` answers them by reading, `gemini.ts`
 * by asking a model over the network.
 */

import type { Findings, Quote, Topic } from '../findings.js';

export interface Document {
  readonly path: string;
  readonly lines: readonly string[];
}

export interface Tasks {
  /** Divide the question among researchers. */
  plan: {
    readonly prompt: {
      readonly question: string;
      readonly open: boolean;
      readonly topics: number;
      readonly documents: readonly Document[];
    };
    readonly answer: {
      readonly topics: readonly {
        readonly title: string;
        readonly question: string;
        readonly subject: readonly string[];
        readonly companions: readonly string[];
      }[];
    };
  };
  /** Find the sentences of one document that speak to the topic. */
  read: {
    readonly prompt: { readonly topic: Topic; readonly emphasis: readonly string[]; readonly document: Document };
    readonly answer: { readonly quotes: readonly Quote[]; readonly considered: number };
  };
  /** Choose the best quotes, best first, that do not repeat each other. */
  score: {
    readonly prompt: {
      readonly topic: Topic;
      readonly emphasis: readonly string[];
      readonly quotes: readonly Quote[];
      readonly count: number;
    };
    readonly answer: { readonly order: readonly number[] };
  };
  /** Judge new quotes beside those accepted before. Their wording has been compared with the files already. */
  critique: {
    readonly prompt: { readonly topic: Topic; readonly quotes: readonly Quote[]; readonly accepted: readonly Quote[] };
    readonly answer: {
      readonly rejected: readonly { readonly index: number; readonly reason: string }[];
      readonly missing: readonly string[];
      readonly another: boolean;
      readonly remark: string;
    };
  };
  /** Find quotes that say the same in different sections. */
  compare: {
    readonly prompt: { readonly quotes: readonly (Quote & { readonly topic: number })[] };
    readonly answer: { readonly repeats: readonly { readonly index: number; readonly of: number }[] };
  };
  /** Write the opening of a section, or one line of the summary for each section. */
  write: {
    readonly prompt:
      | { readonly part: 'section'; readonly findings: Findings }
      | { readonly part: 'summary'; readonly question: string; readonly findings: readonly Findings[] };
    readonly answer: { readonly paragraphs: readonly string[] };
  };
}

export type TaskName = keyof Tasks;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** The same whenever the same call is made again. */
  readonly idempotencyKey: string;
}

export interface LanguageModel {
  /** For the report: which model answered. */
  readonly name: string;
  answer<T extends TaskName>(task: T, prompt: Tasks[T]['prompt'], options: CallOptions): Promise<Tasks[T]['answer']>;
}

/** The writer gathers what the researchers found, has the critic look for repetitions, writes section by section, and publishes. */

import { assign, setup } from 'xstate';
import { ask, tell } from 'statewarden';
import { citation, type Findings, type Listing, type Report, type Section } from '../findings.js';
import type { Activities } from './activities.js';
import { criticId, failureOf, plannerId, type CompareRequest, type Repeats, type WriterEvent } from './events.js';

export interface WriterInput {
  readonly run: string;
  readonly question: string;
  readonly model: string;
  /** How many researchers will report. */
  readonly topics: number;
  readonly corpus: Listing & { readonly name: string };
}

export interface WriterContext extends WriterInput {
  /** In order of topic, whoever came first. */
  readonly findings: readonly Findings[];
  readonly sections: readonly Section[];
  readonly summary: readonly string[];
  readonly sha256: string;
}

export function writerMachine({ write, conclude, publish }: Pick<Activities, 'write' | 'conclude' | 'publish'>) {
  return setup({
    types: { context: {} as WriterContext, events: {} as WriterEvent, input: {} as WriterInput },
    actors: { write, conclude, publish, askCritic: ask<Repeats, CompareRequest>() },
    actions: {
      giveReport: tell(
        ({ context }) => plannerId(context.run),
        ({ context }) => ({ type: 'REPORTED', sha256: context.sha256 }),
      ),
      giveUp: tell(
        ({ context }) => plannerId(context.run),
        ({ event }) => failureOf('writer', event),
      ),
    },
    guards: {
      allIn: ({ context }) => context.findings.length >= context.topics,
      allWritten: ({ context }) => context.sections.length >= context.findings.length,
    },
  }).createMachine({
    id: 'writer',
    context: ({ input }) => ({ ...input, findings: [], sections: [], summary: [], sha256: '' }),
    initial: 'gathering',
    on: { DISMISSED: '.dismissed' },
    states: {
      gathering: {
        always: { guard: 'allIn', target: 'checking' },
        on: {
          FINDINGS: {
            actions: assign({
              findings: ({ context, event }) =>
                [...context.findings, event.findings].sort((one, other) => one.topic.number - other.topic.number),
            }),
          },
        },
      },
      checking: {
        invoke: {
          src: 'askCritic',
          input: ({ context }) => ({
            to: criticId(context.run),
            event: { type: 'COMPARE', quotes: numbered(context.findings) },
          }),
          onDone: {
            target: 'sorting',
            actions: assign({ findings: ({ context, event }) => withoutRepeats(context.findings, event.output) }),
          },
          onError: 'stuck',
        },
      },
      sorting: {
        always: [{ guard: 'allWritten', target: 'concluding' }, { target: 'writing' }],
      },
      writing: {
        invoke: {
          src: 'write',
          input: ({ context }) => ({ findings: nextFindings(context) }),
          onDone: {
            target: 'sorting',
            actions: assign({
              sections: ({ context, event }) => [...context.sections, { findings: nextFindings(context), lead: event.output }],
            }),
          },
          onError: 'stuck',
        },
      },
      concluding: {
        invoke: {
          src: 'conclude',
          input: ({ context }) => ({ question: context.question, findings: context.findings }),
          onDone: { target: 'publishing', actions: assign({ summary: ({ event }) => event.output }) },
          onError: 'stuck',
        },
      },
      publishing: {
        invoke: {
          src: 'publish',
          input: ({ context }) => ({ report: reportOf(context) }),
          onDone: { target: 'finished', actions: assign({ sha256: ({ event }) => event.output }) },
          onError: 'stuck',
        },
      },
      finished: { entry: 'giveReport', type: 'final' },
      dismissed: { type: 'final' },
      stuck: { entry: 'giveUp', type: 'final' },
    },
  });
}

function nextFindings({ findings, sections }: WriterContext): Findings {
  const next = findings[sections.length];
  if (next === undefined) throw new Error('every section is written');
  return next;
}

function numbered(findings: readonly Findings[]): CompareRequest['quotes'] {
  return findings.flatMap(({ topic, quotes }) => quotes.map((quote) => ({ ...quote, topic: topic.number })));
}

/** Moves each quote that says what an earlier section's says to the rejected ones. */
function withoutRepeats(findings: readonly Findings[], { repeats }: Repeats): Findings[] {
  const all = numbered(findings);
  const reasons = new Map<string, string>();
  for (const { index, of } of repeats) {
    const [quote, earlier] = [all[index], all[of]];
    if (quote !== undefined && earlier !== undefined) {
      reasons.set(
        `${String(quote.topic)} ${citation(quote)} ${quote.text}`,
        `repeats ${citation(earlier)}, quoted under topic ${String(earlier.topic)}`,
      );
    }
  }
  return findings.map((one) => {
    const reasonFor = (quote: Findings['quotes'][number]): string | undefined =>
      reasons.get(`${String(one.topic.number)} ${citation(quote)} ${quote.text}`);
    return {
      ...one,
      quotes: one.quotes.filter((quote) => reasonFor(quote) === undefined),
      rejected: [...one.rejected, ...one.quotes.flatMap((quote) => ({ quote, reason: reasonFor(quote) ?? '' }))].filter(
        ({ reason }) => reason !== '',
      ),
    };
  });
}

function reportOf({ question, model, topics, corpus, summary, sections }: WriterContext): Report {
  return { title: `Findings from ${corpus.name}`, question, model, researchers: topics, corpus, summary, sections };
}

/**
 * A researcher has one topic: it reads the most promising documents, chooses quotes, and asks the critic. What the critic misses is
 * looked for in another round, in documents not yet read and then again in the best ones, until the critic is content or the rounds are used up.
 */

import { assign, setup } from 'xstate';
import { ask, tell } from 'statewarden';
import { byPlace, type Findings, type Quote, type Rejection, type SourceFile, type Topic, type Verdict } from '../findings.js';
import { unseen, type Activities } from './activities.js';
import { criticId, failureOf, plannerId, reasonOf, writerId, type Dismissal, type ReviewRequest } from './events.js';

export interface ResearcherInput {
  readonly run: string;
  readonly topic: Topic;
  /** The topic's documents as surveyed, most promising first. */
  readonly files: readonly SourceFile[];
}

export interface ResearcherContext extends ResearcherInput {
  readonly round: number;
  /** Documents to read in this round, and how many of them have been. */
  readonly list: readonly SourceFile[];
  readonly position: number;
  readonly read: readonly string[];
  readonly considered: number;
  /** Quotes found and not yet judged. */
  readonly found: readonly Quote[];
  readonly submitted: readonly Quote[];
  readonly accepted: readonly Quote[];
  readonly rejected: readonly Rejection[];
  /** Words to look for above all. */
  readonly emphasis: readonly string[];
  readonly remark: string;
  readonly another: boolean;
  readonly notes: readonly string[];
}

const perRound = 6;
const maxRounds = 3;
const submission = 6;
/** A section is read by people. */
const perSection = 8;

export function researcherMachine({ read, score }: Pick<Activities, 'read' | 'score'>) {
  return setup({
    types: { context: {} as ResearcherContext, events: {} as Dismissal, input: {} as ResearcherInput, output: {} as { quotes: number } },
    actors: { read, score, askCritic: ask<Verdict, ReviewRequest>() },
    actions: {
      nextRound: assign(({ context }) => {
        const unread = context.files.filter(({ path }) => !context.read.includes(path));
        const list = (unread.length > 0 ? unread : context.files).slice(0, perRound);
        return { round: context.round + 1, list, position: 0 };
      }),
      giveFindings: tell(
        ({ context }) => writerId(context.run),
        ({ context }) => ({ type: 'FINDINGS', findings: findingsOf(context) }),
      ),
      giveUp: tell(
        ({ context }) => plannerId(context.run),
        ({ event }) => failureOf('researcher', event),
      ),
    },
    guards: {
      listIsRead: ({ context }) => context.position >= context.list.length,
      nothingNew: ({ context }) => context.found.length === 0,
      worthAnotherRound: ({ context }) => context.another && context.round < maxRounds,
    },
  }).createMachine({
    id: 'researcher',
    context: ({ input }) => ({
      ...input,
      round: 0,
      list: [],
      position: 0,
      read: [],
      considered: 0,
      found: [],
      submitted: [],
      accepted: [],
      rejected: [],
      emphasis: [],
      remark: '',
      another: true,
      notes: [],
    }),
    initial: 'choosing',
    on: { DISMISSED: '.dismissed' },
    states: {
      choosing: { entry: 'nextRound', always: 'looking' },
      looking: {
        always: [{ guard: 'listIsRead', target: 'weighing' }, { target: 'reading' }],
      },
      reading: {
        invoke: {
          src: 'read',
          input: ({ context }) => ({ topic: context.topic, emphasis: context.emphasis, file: currentFile(context) }),
          onDone: {
            target: 'looking',
            actions: assign(({ context, event }) => {
              const judged = [...context.accepted, ...context.rejected.map(({ quote }) => quote)];
              const { path } = currentFile(context);
              return {
                position: context.position + 1,
                read: context.read.includes(path) ? context.read : [...context.read, path],
                considered: context.considered + (context.read.includes(path) ? 0 : event.output.considered),
                found: unseen([...context.found, ...event.output.quotes], judged),
              };
            }),
          },
          onError: {
            target: 'looking',
            actions: assign(({ context, event }) => ({
              position: context.position + 1,
              read: [...context.read, currentFile(context).path],
              notes: [...context.notes, `\`${currentFile(context).path}\` was not read: ${reasonOf(event.error)}`],
            })),
          },
        },
      },
      weighing: {
        always: { guard: 'nothingNew', target: 'concluding' },
        invoke: {
          src: 'score',
          input: ({ context }) => ({ topic: context.topic, emphasis: context.emphasis, quotes: context.found, count: submission }),
          onDone: { target: 'underReview', actions: assign({ submitted: ({ event }) => event.output }) },
          onError: 'stuck',
        },
      },
      underReview: {
        invoke: {
          src: 'askCritic',
          input: ({ context }) => ({
            to: criticId(context.run),
            event: {
              type: 'REVIEW',
              topic: context.topic,
              quotes: context.submitted,
              accepted: context.accepted,
              files: context.files.filter(({ path }) => context.submitted.some((quote) => quote.path === path)),
            },
          }),
          onDone: {
            target: 'concluding',
            actions: assign(({ context, event }) => {
              const accepted = [...context.accepted, ...event.output.accepted];
              const rejected = [...context.rejected, ...event.output.rejected];
              const { missing, another, remark } = event.output;
              return {
                accepted,
                rejected,
                emphasis: missing,
                another,
                remark,
                found: unseen(context.found, context.submitted),
                submitted: [],
              };
            }),
          },
          onError: 'stuck',
        },
      },
      concluding: {
        always: [{ guard: 'worthAnotherRound', target: 'choosing' }, { target: 'finished' }],
      },
      finished: { entry: 'giveFindings', type: 'final' },
      dismissed: { type: 'final' },
      stuck: { entry: 'giveUp', type: 'final' },
    },
    output: ({ context }) => ({ quotes: context.accepted.length }),
  });
}

function currentFile({ list, position }: ResearcherContext): SourceFile {
  const file = list[position];
  if (file === undefined) throw new Error('the reading list is at its end');
  return file;
}

function findingsOf(context: ResearcherContext): Findings {
  const { number, title, question } = context.topic;
  return {
    topic: { number, title, question },
    quotes: [...context.accepted].sort((one, other) => other.score - one.score || byPlace(one, other)).slice(0, perSection),
    spare: Math.max(0, context.accepted.length - perSection),
    rejected: [...context.rejected].sort((one, other) => byPlace(one.quote, other.quote)),
    rounds: context.round,
    documentsRead: [...context.read].sort(),
    passagesConsidered: context.considered,
    remark: context.remark,
    notes: [...context.notes].sort(),
  };
}

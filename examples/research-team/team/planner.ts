/** The planner leads: it surveys the corpus, divides the question into topics, makes the team, and waits for the report. */

import { assign, enqueueActions, setup } from 'xstate';
import { spawnAgent, tell } from 'statewarden';
import type { Listing, Topic } from '../findings.js';
import type { Activities } from './activities.js';
import { criticId, reasonOf, researcherId, writerId, type PlannerEvent } from './events.js';
import type { ResearcherInput } from './researcher.js';
import type { WriterInput } from './writer.js';

export interface PlannerInput {
  readonly run: string;
  readonly question: string;
  /** Nobody asked anything in particular: the corpus sets the topics. */
  readonly open: boolean;
  readonly researchers: number;
  /** What the corpus is called, where it is, and which model reads it: for the report, and to notice others when the run is resumed. */
  readonly name: string;
  readonly root: string;
  readonly model: string;
}

export type PlannerOutput = { readonly sha256: string } | { readonly failure: string };

export interface PlannerContext extends PlannerInput {
  readonly listing: Listing;
  readonly topics: readonly Topic[];
  readonly output: PlannerOutput;
}

export function plannerMachine({ survey, plan }: Pick<Activities, 'survey' | 'plan'>) {
  return setup({
    types: { context: {} as PlannerContext, events: {} as PlannerEvent, input: {} as PlannerInput, output: {} as PlannerOutput },
    actors: { survey, plan },
    actions: {
      fail: assign((_, { reason }: { reason: string }) => ({ output: { failure: reason } })),
      dismiss: enqueueActions(({ context: { run, topics }, enqueue }) => {
        for (const id of [criticId(run), writerId(run), ...topics.map(({ number }) => researcherId(run, number))])
          enqueue(tell(id, { type: 'DISMISSED' }));
      }),
      makeTeam: enqueueActions(({ context, enqueue }) => {
        const { run, question, listing, topics, name, model } = context;
        const writer: WriterInput = { run, question, model, topics: topics.length, corpus: { ...listing, name } };
        enqueue(spawnAgent('critic', { id: criticId(run), input: { run } }));
        enqueue(spawnAgent('writer', { id: writerId(run), input: writer }));
        for (const topic of topics) {
          const files = topic.documents.flatMap((path) => listing.files.find((file) => file.path === path) ?? []);
          const input: ResearcherInput = { run, topic, files };
          enqueue(spawnAgent('researcher', { id: researcherId(run, topic.number), input }));
        }
      }),
    },
  }).createMachine({
    id: 'planner',
    context: ({ input }) => ({ ...input, listing: { files: [], notes: [] }, topics: [], output: { failure: 'did not finish' } }),
    initial: 'surveying',
    states: {
      surveying: {
        invoke: {
          src: 'survey',
          onDone: { target: 'planning', actions: assign({ listing: ({ event }) => event.output }) },
          onError: { target: 'finished', actions: { type: 'fail', params: ({ event }) => ({ reason: reasonOf(event.error) }) } },
        },
      },
      planning: {
        invoke: {
          src: 'plan',
          input: ({ context }) => ({
            question: context.question,
            open: context.open,
            topics: context.researchers,
            files: context.listing.files,
          }),
          onDone: [
            {
              guard: ({ event }) => event.output.length === 0,
              target: 'finished',
              actions: { type: 'fail', params: { reason: 'nothing in these documents bears on the question' } },
            },
            { target: 'directing', actions: assign({ topics: ({ event }) => event.output }) },
          ],
          onError: { target: 'finished', actions: { type: 'fail', params: ({ event }) => ({ reason: reasonOf(event.error) }) } },
        },
      },
      directing: {
        entry: 'makeTeam',
        on: {
          REPORTED: {
            target: 'finished',
            actions: [
              assign({ output: ({ event }) => ({ sha256: event.sha256 }) }),
              tell(({ context }) => criticId(context.run), { type: 'DISMISSED' }),
            ],
          },
          FAILED: {
            target: 'finished',
            actions: [{ type: 'fail', params: ({ event }) => ({ reason: `${event.who}: ${event.reason}` }) }, 'dismiss'],
          },
        },
      },
      finished: { type: 'final' },
    },
    output: ({ context }) => context.output,
  });
}

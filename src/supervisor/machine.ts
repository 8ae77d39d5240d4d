/**
 * A supervisor as an agent: its context is what it knows (`mind.ts`), each event goes to its mind, and what that wants done leaves with the commit. Journal,
 * checkpoints, mailbox and recovery are those of every agent, so the tree and its counters survive the process.
 */

import { enqueueActions, setup, type EventObject } from 'xstate';
import {
  askedBy,
  commandType,
  letterType,
  replyType,
  takenAt,
  tellType,
  type CommandParams,
  type LetterParams,
  type ReplyParams,
  type TellParams,
} from '../actors/actions.js';
import { encode } from '../core/codec.js';
import { budgetId } from '../effects/budget/machine.js';
import type { BudgetEvent } from '../effects/budget/reducer.js';
import { budgetTag, tagOf, type FleetDeeds } from './fleet/deeds.js';
import type { ResolvedFleet } from './fleet/options.js';
import { newMind, think, type Mind } from './mind.js';
import type { SupervisorInput } from './spec.js';
import { describeExit, type Command } from './state.js';

/** Supervisors are agents of this kind; so are fleets. */
export const supervisorKind = 'statewarden.supervisor';

type Enqueue = (action: { readonly type: string; readonly params: object }) => void;

export const supervisorMachine = setup({
  types: { context: {} as Mind, input: {} as SupervisorInput, events: {} as EventObject },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => newMind(input),
  initial: 'supervising',
  states: { supervising: {} },
  on: {
    '*': {
      actions: enqueueActions(({ context, event, enqueue, self }) => {
        const { mind, commands, ...deeds } = think(self.id, context, event, takenAt(event), askedBy(event));
        enqueue.assign({ state: mind.state, fleet: mind.fleet });
        const add = enqueue as unknown as Enqueue;
        if (commands.length > 0) add({ type: commandType, params: paramsOf(commands) });
        doDeeds(self.id, deeds, mind.fleet?.spec.budget, add);
      }),
    },
  },
});

function paramsOf(commands: readonly Command[]): CommandParams {
  const end = commands.find((command) => command.do === 'exit');
  return {
    commands: commands.filter((command) => command.do !== 'exit'),
    exit:
      end === undefined
        ? undefined
        : {
            how: end.exit.type === 'shutdown' || end.exit.type === 'significant-child' ? 'shutdown' : 'failed',
            text: encode(end.exit, 'exit'),
            message: describeExit(end.exit),
          },
  };
}

/**
 * What a fleet sends: jobs to members, answers to askers, failed jobs to the dead letters. Jobs and their answers are known by their tags and taken once as mail: with
 * message ids both sides would have to remember every one of them for ever.
 */
function doDeeds(
  id: string,
  { given, asked, answers, letters }: Omit<FleetDeeds, 'commands'>,
  budget: ResolvedFleet['budget'],
  add: Enqueue,
): void {
  for (const job of given) {
    const params: TellParams = { to: job.member, event: job.event, messageId: undefined, answerTag: tagOf(job) };
    add({ type: tellType, params });
  }
  for (const job of asked) {
    const { name, amount } = budget as NonNullable<typeof budget>;
    const event: BudgetEvent = { type: 'budget.spend', amount };
    const params: TellParams = { to: budgetId(name), event, messageId: undefined, answerTag: `${budgetTag}${tagOf(job)}` };
    add({ type: tellType, params });
  }
  for (const { to, value, error } of answers) add({ type: replyType, params: { to, value, error } satisfies ReplyParams });
  for (const { job, error, details } of letters) {
    const { reason, renew: _, ...known } = details;
    const { message } = error;
    const params: LetterParams = {
      to: id,
      event: job.event,
      from: job.member,
      reason,
      details: { reason, deliveries: job.failures + 1, message, member: job.member, job: job.id, ...known },
    };
    add({ type: letterType, params });
  }
}

/**
 * A supervisor as an agent: its context is what it knows (`state.ts`), each event goes to its mind (`reducer.ts`), and what that wants done leaves with the commit. Journal,
 * checkpoints, mailbox and recovery are those of every agent, so the tree and its counters survive the process.
 */

import { enqueueActions, setup, type EventObject } from 'xstate';
import { commandType, type CommandParams } from '../actors/actions.js';
import { exitedType } from '../actors/setback.js';
import { encode } from '../core/codec.js';
import { supervise } from './reducer.js';
import type { SupervisorInput } from './spec.js';
import { describeExit, newSupervisor, type SupervisorEvent, type SupervisorState } from './state.js';

/** Supervisors are agents of this kind. */
export const supervisorKind = 'statewarden.supervisor';

/** Carries an event for a supervisor's mind. */
export const superviseType = 'statewarden.supervise';

export interface SuperviseEvent extends EventObject {
  readonly type: typeof superviseType;
  readonly do: SupervisorEvent;
}

/** What an event of the journal or the mailbox means to a supervisor's mind. */
export function meaningOf(event: EventObject): SupervisorEvent | undefined {
  if (event.type === superviseType) return (event as SuperviseEvent).do;
  if (event.type === exitedType) return { ...(event as unknown as Extract<SupervisorEvent, { type: 'exited' }>), type: 'exited' };
  return undefined;
}

export const supervisorMachine = setup({
  types: { context: {} as { state: SupervisorState }, input: {} as SupervisorInput, events: {} as EventObject },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({ state: newSupervisor(input.spec, input.children) }),
  initial: 'supervising',
  states: { supervising: {} },
  on: {
    '*': {
      actions: enqueueActions(({ context, event, enqueue }) => {
        const meaning = meaningOf(event);
        if (meaning === undefined) return;
        const { state, commands } = supervise(context.state, meaning);
        enqueue.assign({ state });
        if (commands.length === 0) return;
        const end = commands.find((command) => command.do === 'exit');
        const params: CommandParams = {
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
        (enqueue as unknown as (action: object) => void)({ type: commandType, params });
      }),
    },
  },
});

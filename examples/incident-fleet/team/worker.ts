/**
 * A member of the fleet that does the steps of all runbooks. It takes its job as an event and ends it with a reply. It tells the responder as well, because the job may have been
 * redriven from the dead letters long after whoever asked for it has given up. `remediate` has no `onError`: a worker that fails is restarted at its job, and after three times
 * the job is a dead letter and the worker begins anew.
 */

import { assign, setup } from 'xstate';
import { askedBy, reply, tell } from 'statewarden';
import type { World } from '../world.js';
import type { Activities } from './activities.js';
import { ids, type Remedy, type ResponderEvent } from './events.js';

export interface WorkerContext {
  readonly job: Remedy | undefined;
  readonly asker: string | undefined;
}

export function workerMachine(world: World, { remediate }: Pick<Activities, 'remediate'>) {
  return setup({
    types: { context: {} as WorkerContext, events: {} as Remedy },
    actors: { remediate },
    actions: {
      take: assign(({ event }) => {
        world.taste('worker', event.service);
        return { job: event, asker: askedBy(event) };
      }),
      tellResponder: tell(
        ({ context }) => ids.responder(jobOf(context).service),
        ({ context }): ResponderEvent => ({ type: 'REMEDIED', incident: jobOf(context).incident, step: jobOf(context).step }),
      ),
    },
  }).createMachine({
    id: 'worker',
    context: { job: undefined, asker: undefined },
    initial: 'free',
    states: {
      free: { on: { REMEDY: { target: 'working', actions: 'take' } } },
      working: {
        invoke: {
          src: 'remediate',
          input: ({ context }) => jobOf(context),
          onDone: {
            target: 'free',
            actions: [
              'tellResponder',
              reply(({ event }) => event.output, { to: ({ context }) => context.asker }),
              assign({ job: undefined, asker: undefined }),
            ],
          },
        },
      },
    },
  });
}

function jobOf({ job }: WorkerContext): Remedy {
  if (job === undefined) throw new Error('there is no job');
  return job;
}

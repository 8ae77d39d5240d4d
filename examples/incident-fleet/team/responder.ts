/**
 * One for each service. It looks into an incident, has the steps of its runbook done by the workers, one after the other, and closes it; what else comes in meanwhile waits.
 *
 * `diagnose` has no `onError`: when it fails the agent fails, and its supervisor brings it back to where it stood. A step that no worker could do is a dead letter of the
 * workers' fleet; the incident is put aside until a worker says that the step is done after all.
 */

import { assign, setup } from 'xstate';
import { ask, reply, tell } from 'statewarden';
import type { Incident } from '../incidents.js';
import type { World } from '../world.js';
import type { Activities } from './activities.js';
import { ids, reasonOf, type CommanderEvent, type Remedy, type ResponderEvent } from './events.js';

export interface Task {
  readonly incident: Incident;
  readonly evidence: string | undefined;
  readonly steps: readonly string[];
  /** Steps that are done. */
  readonly done: number;
}

export interface ResponderContext {
  readonly service: string;
  /** The first one is under way. */
  readonly tasks: readonly Task[];
  readonly aside: readonly Task[];
}

export function responderMachine(world: World, { diagnose }: Pick<Activities, 'diagnose'>) {
  return setup({
    types: { context: {} as ResponderContext, events: {} as ResponderEvent, input: {} as { readonly service: string } },
    actors: { diagnose, askWorkers: ask<string, Remedy>() },
    actions: {
      take: assign(({ context }, { incident }: { incident: Incident }) => {
        world.taste('responder', incident.service);
        return { tasks: [...context.tasks, { incident, evidence: undefined, steps: [], done: 0 }] };
      }),
      putAside: assign(({ context }) => ({ tasks: context.tasks.slice(1), aside: [...context.aside, first(context)] })),
      takeUp: assign(({ context }, { incident }: { incident: string }) => ({
        tasks: [...context.tasks, ...context.aside.filter((task) => task.incident.id === incident).map(oneFurther)],
        aside: context.aside.filter((task) => task.incident.id !== incident),
      })),
      stepDone: assign(({ context }) => ({ tasks: [oneFurther(first(context)), ...context.tasks.slice(1)] })),
      drop: assign(({ context }) => ({ tasks: context.tasks.slice(1) })),
      tellMitigating: tell(ids.commander, ({ context }): CommanderEvent => {
        const { incident, evidence = '' } = first(context);
        return { type: 'MITIGATING', incident: incident.id, evidence };
      }),
      tellBuried: tell(ids.commander, ({ context, event }): CommanderEvent => ({
        type: 'BURIED',
        incident: first(context).incident.id,
        reason: reasonOf(event),
      })),
      tellClosed: tell(ids.commander, ({ context }): CommanderEvent => {
        const { incident, steps } = first(context);
        return { type: 'CLOSED', incident: incident.id, actions: steps };
      }),
    },
    guards: {
      hasNothing: ({ context }) => context.tasks.length === 0,
      knowsNothing: ({ context }) => first(context).evidence === undefined,
      hasSteps: ({ context }) => first(context).done < first(context).steps.length,
      isAside: ({ context }, { incident, step }: { incident: string; step: number }) =>
        context.aside.some((task) => task.incident.id === incident && task.done === step),
    },
  }).createMachine({
    id: 'responder',
    context: ({ input }) => ({ service: input.service, tasks: [], aside: [] }),
    initial: 'ready',
    on: {
      MITIGATE: { actions: [{ type: 'take', params: ({ event }) => event }, reply('taken')] },
      REMEDIED: {
        guard: { type: 'isAside', params: ({ event }) => event },
        actions: { type: 'takeUp', params: ({ event }) => event },
      },
    },
    states: {
      ready: { always: { guard: ({ context }) => context.tasks.length > 0, target: 'choosing' } },
      choosing: {
        always: [
          { guard: 'hasNothing', target: 'ready' },
          { guard: 'knowsNothing', target: 'diagnosing' },
          { guard: 'hasSteps', target: 'remediating' },
          { target: 'choosing', reenter: true, actions: ['tellClosed', 'drop'] },
        ],
      },
      diagnosing: {
        invoke: {
          src: 'diagnose',
          input: ({ context }) => first(context).incident,
          onDone: {
            target: 'choosing',
            actions: [
              assign({ tasks: ({ context, event }) => [{ ...first(context), ...event.output }, ...context.tasks.slice(1)] }),
              'tellMitigating',
            ],
          },
        },
      },
      remediating: {
        invoke: {
          src: 'askWorkers',
          input: ({ context }) => {
            const { incident, steps, done } = first(context);
            const action = steps[done] ?? '';
            return { to: ids.workers, event: { type: 'REMEDY', incident: incident.id, service: context.service, step: done, action } };
          },
          onDone: { target: 'choosing', actions: 'stepDone' },
          onError: { target: 'choosing', actions: ['tellBuried', 'putAside'] },
        },
      },
    },
  });
}

function first({ tasks }: ResponderContext): Task {
  const [task] = tasks;
  if (task === undefined) throw new Error('there is no incident under way');
  return task;
}

function oneFurther(task: Task): Task {
  return { ...task, done: task.done + 1 };
}

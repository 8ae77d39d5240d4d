/**
 * Triage makes incidents of signals and gives each to the responder of its service. The way there is a courier's, an actor inside the triage agent, so that a responder that
 * is down keeps nobody else waiting; an incident that the responder cannot take is a dead letter, and the courier tells the commander so.
 */

import { assign, enqueueActions, sendParent, setup } from 'xstate';
import { ask, tell } from 'statewarden';
import { sortIn, type Incident, type Latest } from '../incidents.js';
import type { Service } from '../outage.js';
import type { Activities } from './activities.js';
import { ids, reasonOf, type CommanderEvent, type Mitigate, type TriageEvent } from './events.js';

export interface TriageContext {
  readonly services: readonly Service[];
  readonly latest: Latest;
  readonly incidents: number;
  /** Couriers on their way. */
  readonly pending: number;
  readonly ended: boolean;
}

export function triageMachine({ page }: Pick<Activities, 'page'>) {
  return setup({
    types: {
      context: {} as TriageContext,
      events: {} as TriageEvent,
      input: {} as { readonly services: readonly Service[] },
    },
    actors: { courier: courierMachine(), pager: pagerMachine(page) },
    actions: {
      tellSorted: tell(ids.commander, ({ context }): CommanderEvent => ({ type: 'SORTED', incidents: context.incidents })),
      sort: enqueueActions(({ context, enqueue }, { signal }: Extract<TriageEvent, { type: 'SIGNAL' }>) => {
        const { incident, opened } = sortIn(context.latest, signal, context.services);
        const before = context.latest[signal.service];
        enqueue.assign({ latest: { ...context.latest, [incident.service]: incident } });
        enqueue(tell(ids.commander, (): CommanderEvent => ({ type: opened ? 'OPENED' : 'ALERTED', incident })));
        let sent = 0;
        if (opened) {
          sent += 1;
          enqueue.spawnChild('courier', { id: `courier of ${incident.id}`, input: incident });
        }
        if (incident.severity === 1 && (opened || before?.severity !== 1)) {
          sent += 1;
          enqueue.spawnChild('pager', { id: `pager of ${incident.id}`, input: incident });
        }
        enqueue.assign({ incidents: context.incidents + (opened ? 1 : 0), pending: context.pending + sent });
      }),
    },
  }).createMachine({
    id: 'triage',
    context: ({ input }) => ({ services: input.services, latest: {}, incidents: 0, pending: 0, ended: false }),
    initial: 'sorting',
    states: {
      sorting: {
        always: { guard: ({ context }) => context.ended && context.pending === 0, target: 'finished' },
        on: {
          SIGNAL: { actions: { type: 'sort', params: ({ event }) => event } },
          DELIVERED: { actions: assign({ pending: ({ context }) => context.pending - 1 }) },
          END_OF_LOG: { actions: assign({ ended: true }) },
        },
      },
      finished: { entry: 'tellSorted', type: 'final' },
    },
  });
}

/** Asks a responder to take an incident. */
function courierMachine() {
  return setup({
    types: { context: {} as Incident, input: {} as Incident },
    actors: { askResponder: ask<string, Mitigate>() },
    actions: {
      tellBuried: tell(ids.commander, ({ context, event }): CommanderEvent => ({
        type: 'BURIED',
        incident: context.id,
        reason: reasonOf(event),
      })),
    },
  }).createMachine({
    id: 'courier',
    context: ({ input }) => input,
    initial: 'asking',
    states: {
      asking: {
        invoke: {
          src: 'askResponder',
          input: ({ context }) => ({ to: ids.responder(context.service), event: { type: 'MITIGATE', incident: context } }),
          onDone: 'gone',
          onError: { target: 'gone', actions: 'tellBuried' },
        },
      },
      gone: { entry: sendParent({ type: 'DELIVERED' }), type: 'final' },
    },
  });
}

/** Wakes somebody, as long as the budget of pages lasts. */
function pagerMachine(page: Activities['page']) {
  return setup({
    types: { context: {} as { readonly incident: Incident; readonly page: string }, input: {} as Incident },
    actors: { page },
    actions: {
      tellPaged: tell(ids.commander, ({ context }): CommanderEvent => ({
        type: 'PAGED',
        incident: context.incident.id,
        page: context.page,
      })),
    },
  }).createMachine({
    id: 'pager',
    context: ({ input }) => ({ incident: input, page: '' }),
    initial: 'paging',
    states: {
      paging: {
        invoke: {
          src: 'page',
          input: ({ context }) => context.incident,
          onDone: { target: 'gone', actions: assign({ page: ({ event }) => event.output }) },
          onError: {
            target: 'gone',
            actions: assign({
              page: ({ event }) =>
                (event.error as { readonly code?: string }).code === 'BUDGET_EXHAUSTED' ? 'no page left' : reasonOf(event),
            }),
          },
        },
      },
      gone: { entry: ['tellPaged', sendParent({ type: 'DELIVERED' })], type: 'final' },
    },
  });
}

/**
 * The commander keeps the board: what is open, who is at it, what is closed, and what is a dead letter. When nothing is left but dead letters it waits for the fix; when everything
 * is closed it ends, and the board is its output. How many incidents there are triage tells last, after everything else that it had to tell.
 */

import { assign, setup } from 'xstate';
import type { Incident } from '../incidents.js';
import type { CommanderEvent } from './events.js';

export interface Row {
  readonly incident: Incident;
  readonly status: 'open' | 'mitigating' | 'buried' | 'closed';
  readonly evidence: string;
  readonly page: string;
  readonly actions: readonly string[];
  /** Why it was a dead letter; empty when it never was. */
  readonly buried: string;
}

export type Board = Readonly<Record<string, Row>>;

export interface CommanderContext {
  readonly board: Board;
  /** How many incidents there are; undefined while triage is at work. */
  readonly total: number | undefined;
}

export function commanderMachine() {
  return setup({
    types: { context: {} as CommanderContext, events: {} as CommanderEvent, output: {} as Board },
    actions: {
      note: assign(({ context }, { incident, ...change }: { incident: string } & Partial<Omit<Row, 'incident'>>) => {
        const row = context.board[incident];
        return row === undefined ? {} : { board: { ...context.board, [incident]: { ...row, ...change } } };
      }),
      open: assign(({ context }, { incident }: { incident: Incident }) => ({
        board: { ...context.board, [incident.id]: { ...(context.board[incident.id] ?? newRow), incident } },
      })),
    },
    guards: {
      allClosed: ({ context }) => count(context, ['closed']) === context.total,
      allKnown: ({ context }) => count(context, ['closed', 'buried']) === context.total,
    },
  }).createMachine({
    id: 'commander',
    context: { board: {}, total: undefined },
    on: {
      SORTED: { actions: assign({ total: ({ event }) => event.incidents }) },
      OPENED: { actions: { type: 'open', params: ({ event }) => event } },
      ALERTED: { actions: { type: 'open', params: ({ event }) => event } },
      PAGED: { actions: { type: 'note', params: ({ event: { incident, page } }) => ({ incident, page }) } },
      MITIGATING: {
        actions: { type: 'note', params: ({ event: { incident, evidence } }) => ({ incident, evidence, status: 'mitigating' }) },
      },
      BURIED: { actions: { type: 'note', params: ({ event: { incident, reason } }) => ({ incident, buried: reason, status: 'buried' }) } },
      CLOSED: { actions: { type: 'note', params: ({ event: { incident, actions } }) => ({ incident, actions, status: 'closed' }) } },
    },
    initial: 'watching',
    states: {
      watching: {
        always: [
          { guard: 'allClosed', target: 'over' },
          { guard: 'allKnown', target: 'awaitingFix' },
        ],
      },
      awaitingFix: { always: { guard: 'allClosed', target: 'over' } },
      over: { type: 'final' },
    },
    output: ({ context }) => context.board,
  });
}

const newRow: Omit<Row, 'incident'> = { status: 'open', evidence: '', page: '', actions: [], buried: '' };

function count({ board }: CommanderContext, statuses: readonly Row['status'][]): number {
  return Object.values(board).filter(({ status }) => statuses.includes(status)).length;
}

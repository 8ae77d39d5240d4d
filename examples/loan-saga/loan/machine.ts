/** A loan: intake, identity and credit at the same time, a person's decision, the money, a letter. Whatever fails on the way, what was done is undone. */

import { approval, compensation } from 'statewarden';
import { assign, setup } from 'xstate';
import type { Loan } from '../bank/books.js';
import type { bankCalls } from './activities.js';

export interface LoanOutcome {
  readonly decision: 'granted' | 'refused';
  readonly why: string | undefined;
}

interface Context extends Loan {
  readonly why: string | undefined;
}

export const twoDaysMs = 2 * 86_400_000;

export function loanMachine(calls: ReturnType<typeof bankCalls>) {
  return setup({
    types: { context: {} as Context, input: {} as Loan, output: {} as LoanOutcome },
    actors: { ...calls, decide: approval(), undo: compensation() },
    actions: {
      because: assign({ why: (_, { why }: { why: string }) => why }),
    },
  }).createMachine({
    id: 'loan',
    context: ({ input }) => ({ ...input, why: undefined }),
    initial: 'intake',
    states: {
      intake: {
        invoke: {
          src: 'intake',
          input: ({ context }) => loanOf(context),
          onDone: 'checking',
          onError: { target: 'undoing', actions: { type: 'because', params: ({ event }) => ({ why: messageOf(event.error) }) } },
        },
      },
      checking: {
        type: 'parallel',
        onDone: 'deciding',
        states: {
          identity: {
            initial: 'running',
            states: {
              running: {
                invoke: {
                  src: 'identity',
                  input: ({ context }) => loanOf(context),
                  onDone: 'passed',
                  onError: {
                    target: '#loan.undoing',
                    actions: { type: 'because', params: ({ event }) => ({ why: messageOf(event.error) }) },
                  },
                },
              },
              passed: { type: 'final' },
            },
          },
          credit: {
            initial: 'running',
            states: {
              running: {
                invoke: {
                  src: 'credit',
                  input: ({ context }) => loanOf(context),
                  onDone: 'passed',
                  onError: {
                    target: '#loan.undoing',
                    actions: { type: 'because', params: ({ event }) => ({ why: messageOf(event.error) }) },
                  },
                },
              },
              passed: { type: 'final' },
            },
          },
        },
      },
      deciding: {
        invoke: {
          src: 'decide',
          input: ({ context }) => ({
            title: `Lend ${String(context.amount)} to ${context.customer}?`,
            details: { loan: context.id },
            deadlineMs: twoDaysMs * 2,
            remindEveryMs: twoDaysMs / 2,
          }),
          onDone: [
            { guard: ({ event }) => event.output.decision === 'approved', target: 'disbursing' },
            { target: 'undoing', actions: { type: 'because', params: ({ event }) => ({ why: `rejected by ${event.output.by}` }) } },
          ],
          onError: { target: 'undoing', actions: { type: 'because', params: ({ event }) => ({ why: messageOf(event.error) }) } },
        },
      },
      disbursing: {
        invoke: {
          src: 'disburse',
          input: ({ context }) => loanOf(context),
          onDone: 'notifying',
          onError: { target: 'undoing', actions: { type: 'because', params: ({ event }) => ({ why: messageOf(event.error) }) } },
        },
      },
      notifying: {
        invoke: {
          src: 'notify',
          input: ({ context }) => loanOf(context),
          onDone: 'granted',
          onError: { target: 'undoing', actions: { type: 'because', params: ({ event }) => ({ why: messageOf(event.error) }) } },
        },
      },
      undoing: { invoke: { src: 'undo', input: {}, onDone: 'refused' } },
      granted: { type: 'final' },
      refused: { type: 'final' },
    },
    output: ({ context: { why } }) => ({ decision: why === undefined ? 'granted' : 'refused', why }),
  });
}

function loanOf({ id, customer, amount }: Context): Loan {
  return { id, customer, amount };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

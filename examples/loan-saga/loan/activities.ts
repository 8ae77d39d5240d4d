/** The calls to the bank, each with what it needs to be safe: a key where the bank knows keys, a question where it does not, and a person where neither helps. */

import { activity, idempotentFetch, type Reconciled } from 'statewarden';
import type { Deed, Loan } from '../bank/books.js';

export type Fetch = typeof globalThis.fetch;

export function bankCalls(bank: string, fetch: Fetch) {
  const call = <TOutput>(what: Deed) =>
    idempotentFetch<Loan, TOutput>({ request: (loan) => ({ url: `${bank}/${what}`, body: loan }), fetch });
  const undo = (what: Deed) => {
    const post = call<object>(what);
    return (loan: Loan, _output: unknown, { signal, idempotencyKey }: { signal: AbortSignal; idempotencyKey: string }) =>
      post(loan, { signal, idempotencyKey });
  };
  const ask =
    <TOutput>(what: Deed) =>
    async (loan: Loan, _key: string, { signal }: { signal: AbortSignal }): Promise<Reconciled<TOutput>> => {
      const response = await fetch(`${bank}/${what}/${loan.id}`, { signal });
      return (await response.json()) as Reconciled<TOutput>;
    };
  const retry = { attempts: 4, initialMs: 20, maximumMs: 200 };
  return {
    intake: activity({ name: 'intake', retry, run: call<{ application: string }>('open'), compensate: undo('withdraw') }),
    identity: activity({
      name: 'identity',
      retry,
      run: call<{ person: string }>('identify'),
      compensate: undo('forget'),
      compensation: { independent: true },
    }),
    credit: activity({
      name: 'credit',
      retry,
      run: call<{ score: number }>('reserve'),
      // The bank knows no key for it: it is asked before it is asked for again.
      reconcile: ask<{ score: number }>('reserve'),
      compensate: undo('release'),
      compensation: { independent: true },
    }),
    disburse: activity({
      name: 'disburse',
      retry,
      run: call<{ transfer: string }>('disburse'),
      reconcile: ask<{ transfer: string }>('disburse'),
      compensate: undo('recall'),
    }),
    // A letter that may have been sent is not sent again unasked, and nobody but a person can tell.
    notify: activity({ name: 'notify', retry, run: call<{ letter: number }>('notify'), onUnknown: 'hold' }),
  };
}

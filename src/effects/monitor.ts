/**
 * A monitor on another agent, as actor logic (OTP's `monitor`): its output tells how the other ended or failed. It holds across restarts of either side and across nodes: the
 * intent is in the ledger, and whoever comes back looks again. Leaving the state ends it.
 */

import { fromPromise, type AnyActorLogic, type PromiseActorLogic } from 'xstate';
import type { FailureReason } from '../actors/failure.js';
import { BadInputError } from '../core/errors.js';

export interface Monitored {
  /** Of the agent that is watched. */
  readonly id: string;
}

/**
 * How an agent ended, or failed: `failed` is told of a supervised one, since the monitor began; its supervisor brings it back or does not, and a monitor that is to
 * go on begins again. `unknown`: there was none with this id when the monitor looked.
 */
export type Down<TOutput = unknown> = { readonly id: string } & (
  | { readonly status: 'done'; readonly output: TOutput }
  | { readonly status: 'error'; readonly error: Error }
  | { readonly status: 'failed'; readonly reason: FailureReason | 'start'; readonly error: Error }
  | { readonly status: 'stopped' }
  | { readonly status: 'unknown' }
);

const monitors = new WeakSet<AnyActorLogic>();

/** `setup({ actors: { watch: monitor<Report>() } })`, `invoke: { src: 'watch', input: { id: 'researchers/r-1' }, onDone }`. */
export function monitor<TOutput = unknown>(): PromiseActorLogic<Down<TOutput>, Monitored> {
  const logic = fromPromise<Down<TOutput>, Monitored>(() =>
    Promise.reject(new BadInputError('monitor() needs a runtime', { hint: 'Spawn the machine with createRuntime(…).spawn(…).' })),
  );
  monitors.add(logic);
  return logic;
}

export function isMonitor(logic: AnyActorLogic): boolean {
  return monitors.has(logic);
}

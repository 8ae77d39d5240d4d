/** A call under a guard, with a promise around it. */

import type { CallOptions, Guard, Permit } from './contract.js';

export function execute<T>(guard: Guard, run: (call: CallOptions) => PromiseLike<T> | T, call: CallOptions): Promise<T> {
  const { signal } = call;
  // Rejected without an async function around it: that is most of what a refusal costs.
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  const permit = guard.admit(call);
  return permit.refused ? Promise.reject(permit.error()) : executeWith(permit, run, call);
}

async function executeWith<T>(permit: Permit, run: (call: CallOptions) => PromiseLike<T> | T, call: CallOptions): Promise<T> {
  const { signal } = call;
  let value: T;
  try {
    value = await run(call);
  } catch (error) {
    // Who does not want the answer any more says nothing of the service, whatever the call threw then; whose patience is at an end does.
    if (signal !== undefined && isUnwanted(signal)) permit.cancel();
    else permit.settle({ ok: false, error });
    throw error;
  }
  permit.settle({ ok: true, value });
  return value;
}

function isUnwanted({ aborted, reason }: AbortSignal): boolean {
  return aborted && !(reason instanceof Error && reason.name === 'TimeoutError');
}

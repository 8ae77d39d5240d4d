/** A call under a guard, with a promise around it. */

import type { CallOptions, Guard } from './contract.js';

export async function execute<T>(guard: Guard, run: (call: CallOptions) => PromiseLike<T> | T, call: CallOptions): Promise<T> {
  const { signal } = call;
  if (signal?.aborted === true) throw signal.reason;
  const permit = guard.admit(call);
  if (permit.refused) throw permit.error();
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

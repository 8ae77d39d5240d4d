/** Promise logics that are no activities of the user's, taken as such: a plain `fromPromise`, and a monitor. */

import { activityOf, type ResolvedActivity } from './activity.js';
import { freely } from './caution.js';
import type { Down, Monitored } from './monitor.js';
import type { Operation } from '../actors/operation.js';
import { TerminalError } from './retry.js';

/** A plain `fromPromise`: its creator is called as XState would call it. */
export function plain(operation: Operation): ResolvedActivity {
  const creator = (operation.logic as unknown as { config: (argument: object) => unknown }).config;
  const { actor } = operation;
  const base = activityOf(operation.logic, operation.record.activity);
  return {
    ...base,
    run: (input, context) =>
      creator({
        input,
        self: actor,
        system: actor.system,
        get signal() {
          return context.signal;
        },
        emit: () => undefined,
      }),
  };
}

/** `ending` resolves when an agent has ended, or has failed since a time. */
export function monitoring(ending: (id: string, since: number, signal: AbortSignal) => Promise<Down>): ResolvedActivity {
  return {
    name: 'monitor',
    run: (input, { intendedAt, signal }) => {
      const id = (input as Monitored | undefined)?.id;
      if (typeof id === 'string' && id !== '') return ending(id, intendedAt, signal);
      throw new TerminalError(`monitor() was given ${JSON.stringify(input) ?? 'nothing'}: give its input as { id: 'the agent' }`);
    },
    profile: 'standard',
    retry: { attempts: Infinity, initialMs: 100, maximumMs: 5_000, deadlineMs: Infinity },
    timeoutMs: undefined,
    concurrency: Infinity,
    key: undefined,
    caution: freely,
  };
}

/** Several guards as one: leave of all is needed, in order; when one refuses, those before it get theirs back. */

import { BadInputError } from '../core/errors.js';
import type { CallOptions, Guard, Permit, Refusal } from './contract.js';
import { execute } from './execute.js';
import { SimplePermit } from './guard-permit.js';

const parts = new WeakMap<Guard, readonly Guard[]>();

/** What `allOf` was given; empty for any other guard. */
export function partsOf(guard: Guard): readonly Guard[] {
  return parts.get(guard) ?? [];
}

/**
 * The first is asked first: put what hands back cheaply before what counts, for example `allOf(bulkhead, retries, breaker)`.
 * @throws BadInputError
 */
export function allOf(...guards: readonly Guard[]): Guard {
  const strange = guards.findIndex((guard) => typeof guard?.admit !== 'function');
  if (guards.length === 0 || strange >= 0) {
    throw new BadInputError(guards.length === 0 ? 'allOf() was given no guards' : `allOf(): argument ${String(strange + 1)} is no guard`, {
      hint: 'Give breakers, bulkheads or retry budgets: allOf(bulkhead({ … }), adaptiveBreaker({ … })).',
    });
  }
  const guard: Guard = {
    name: guards.map(({ name }) => name).join('+'),
    admit(call?: CallOptions): Permit | Refusal {
      const permits: Permit[] = [];
      for (const each of guards) {
        const permit = each.admit(call);
        if (permit.refused) {
          for (const taken of permits.reverse()) taken.cancel();
          return permit;
        }
        permits.push(permit);
      }
      return new SimplePermit((outcome) => {
        for (const permit of permits) {
          if (outcome === undefined) permit.cancel();
          else permit.settle(outcome);
        }
      });
    },
    execute: <T>(run: (call: CallOptions) => PromiseLike<T> | T, call: CallOptions = {}) => execute(guard, run, call),
  };
  parts.set(guard, guards);
  return guard;
}

/**
 * A retry budget: retries may be such a share of the first attempts, so that retrying does not multiply the load on a service that has too much already (as in Finagle's RetryBudget and gRPC's retry throttling). It counts by
 * `attempt` of a call: the first pays in, each further one takes out.
 */

import { systemClock, type Clock } from '../core/clock.js';
import type { CallOptions, Guard, Permit, Refusal } from './contract.js';
import { execute } from './execute.js';
import { SimplePermit, SimpleRefusal } from './guard-permit.js';
import { badOption, checkName, checkShare } from './options.js';
import { SteadyTime } from './steady-time.js';

export interface RetryBudgetOptions {
  readonly name: string;
  /** Retries by first attempts: greater than 0, up to 1. Default 0.2. */
  readonly ratio?: number;
  /** Retries a second that are always allowed, for callers with little traffic. Default 1. */
  readonly minimumPerSecond?: number;
  /** The most retries that can be saved up. Default 100. */
  readonly maximum?: number;
  readonly clock?: Clock;
}

export interface RetryBudget extends Guard {
  /** Retries that may be made now. */
  readonly balance: number;
}

/** @throws BadInputError */
export function retryBudget(options: RetryBudgetOptions): RetryBudget {
  checkName('retryBudget()', options);
  const { name, ratio = 0.2, minimumPerSecond = 1, maximum = 100, clock = systemClock } = options;
  const where = `retryBudget "${name}"`;
  checkShare(where, 'ratio', ratio);
  if (!(minimumPerSecond >= 0 && minimumPerSecond < Infinity))
    throw badOption(where, 'minimumPerSecond', minimumPerSecond, 'Give a number from 0.');
  if (!(maximum >= 1 && maximum < Infinity)) throw badOption(where, 'maximum', maximum, 'Give a number from 1.');
  const time = new SteadyTime(clock);
  let balance = Math.min(maximum, Math.max(1, minimumPerSecond));
  let at = 0;
  const refill = (): void => {
    const now = time.now();
    balance = Math.min(maximum, balance + ((now - at) / 1_000) * minimumPerSecond);
    at = now;
  };
  const guard: RetryBudget = {
    name,
    get balance() {
      refill();
      return Math.floor(balance);
    },
    admit({ attempt = 1 }: CallOptions = {}): Permit | Refusal {
      refill();
      const retry = attempt > 1;
      if (retry && balance < 1) {
        return new SimpleRefusal(name, 'spent', minimumPerSecond > 0 ? ((1 - balance) / minimumPerSecond) * 1_000 : 1_000);
      }
      const before = balance;
      balance = Math.min(maximum, balance + (retry ? -1 : ratio));
      const paid = balance - before;
      // What was not called pays nothing and costs nothing.
      return new SimplePermit((outcome) => {
        if (outcome === undefined) balance = Math.min(maximum, Math.max(0, balance - paid));
      });
    },
    execute: <T>(run: (call: CallOptions) => PromiseLike<T> | T, call: CallOptions = {}) => execute(guard, run, call),
  };
  return guard;
}

/**
 * Those who call the service through a guard: each logical request is tried until it succeeds or its life is over. A caller waits 2 s
 * for an answer. After a failure or a refusal of its guard it tries again, after full jitter under an exponential cap; in a world
 * that parks, it lies still until the guard says that it may come, and has all the time there is.
 *
 * Whether a guard refused is not asked of its errors: a request was refused when the guard never called.
 */

import type { Guard } from '../policies/policy.js';
import { minuteMs } from './calendar.js';
import type { Scenario } from '../scenarios/scenario.js';
import type { Conditions } from './conditions.js';
import type { Recording } from './recording.js';
import type { Seeded } from './seeded.js';
import type { Call, Service } from './service.js';
import type { VirtualTime } from './virtual-time.js';

const patienceMs = 2_000;
const lifeMs = 5 * minuteMs;
const firstBackoffMs = 1_000;
const longestBackoffMs = 30_000;

interface Request {
  readonly arrivedAt: number;
  failures: number;
  over: boolean;
}

export interface CallersOptions {
  readonly time: VirtualTime;
  readonly service: Service;
  readonly conditions: Conditions;
  readonly recording: Recording;
  /** For the jitter of retries. */
  readonly random: Seeded;
  readonly guard: Guard;
  readonly node: number;
  readonly manner: Scenario['callers'];
  /** Whether `waitingSince` will be asked. */
  readonly detailed: boolean;
}

export class Callers {
  readonly #options: CallersOptions;
  /** In the order of their arrival, those that are over among them. */
  #requests: Request[] = [];

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  request(): void {
    const { time, recording } = this.#options;
    const request: Request = { arrivedAt: time.now(), failures: 0, over: false };
    if (this.#options.detailed) this.#requests.push(request);
    recording.offered(time.now());
    this.#attempt(request);
  }

  /** Requests that have waited for longer than this. */
  waitingSince(before: number): number {
    let first = 0;
    while (this.#requests[first]?.over === true) first += 1;
    if (first > 0) this.#requests.splice(0, first);
    let count = 0;
    for (const request of this.#requests) {
      if (request.arrivedAt > before) break;
      if (!request.over) count += 1;
    }
    return count;
  }

  #attempt(request: Request): void {
    const { time, recording, guard } = this.#options;
    recording.attempted(time.now());
    let reached = false;
    time.settled();
    guard
      .execute(() => {
        reached = true;
        return this.#call();
      })
      .then(
        () => this.#succeeded(request),
        (error: unknown) => {
          if (!reached) recording.rejected(time.now());
          this.#failed(request, error, reached);
        },
      );
  }

  #call(): Promise<void> {
    const { time, service, recording, conditions, node } = this.#options;
    return new Promise((resolve, reject) => {
      const now = time.now();
      const call: Call = {
        gone: false,
        answered: (ok) => {
          if (ok) {
            recording.succeeded(time.now());
            resolve();
          } else {
            recording.failed(time.now());
            reject(new CallError('the service failed', 'ECONNREFUSED', 503));
          }
        },
      };
      if (conditions.connected(now, node)) {
        recording.reached(now);
        service.submit(call);
      } else service.refuse(call);
      time.at(now + patienceMs, () => {
        if (call.gone) return;
        call.gone = true;
        time.settled();
        recording.failed(time.now());
        reject(new CallError('no answer in 2 s', 'ETIMEDOUT', 504));
      });
    });
  }

  #succeeded(request: Request): void {
    const { time, recording } = this.#options;
    if (request.over) return;
    request.over = true;
    recording.served(time.now(), request.arrivedAt);
  }

  #failed(request: Request, error: unknown, reached: boolean): void {
    if (request.over) return;
    const { time, recording, guard, random, manner } = this.#options;
    const now = time.now();
    if (manner === 'park' || (manner === 'retry-failures' && !reached)) {
      const parkedMs = manner === 'park' ? guard.park?.(error, reached) : undefined;
      if (parkedMs === undefined) {
        request.over = true;
        recording.lost(now);
      } else time.at(now + parkedMs, () => this.#attempt(request));
      return;
    }
    const mostMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(request.failures, 20));
    request.failures += 1;
    const again = now + random.next() * mostMs;
    const deadline = request.arrivedAt + lifeMs;
    if (again < deadline) time.at(again, () => this.#attempt(request));
    else {
      time.at(Math.max(now, deadline), () => {
        request.over = true;
        recording.lost(time.now());
      });
    }
  }
}

class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: string;
  readonly status: number;

  constructor(message: string, code: string, status: number) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

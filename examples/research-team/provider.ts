/**
 * The outside world of this example: a provider of calls that takes its time, fails now and then, and keeps its own log. The failures are
 * real to the team (a 503 that a second attempt mends) and depend only on what is asked, so that every run meets the same ones.
 */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActivityContext } from 'statewarden';
import type { CallLog } from './call-log.js';
import type { LanguageModel, TaskName, Tasks } from './model/language-model.js';

export interface ProviderOptions {
  readonly model: LanguageModel;
  readonly log: CallLog;
  /** What a call to the model takes at least. */
  readonly paceMs: number;
  /** One of so many calls fails at its first attempt; 0 for none. */
  readonly flakyEvery: number;
  readonly now: () => number;
}

/** What a provider under load answers. Trying again helps. */
export class ProviderBusyError extends Error {
  override readonly name = 'ProviderBusyError';
  readonly status = 503;
}

export class Provider {
  readonly #options: ProviderOptions;

  constructor(options: ProviderOptions) {
    this.#options = options;
  }

  get modelName(): string {
    return this.#options.model.name;
  }

  /** Asks the model. `about` says what the call is about: the same in every run. */
  ask<T extends TaskName>(task: T, about: string, prompt: Tasks[T]['prompt'], context: ActivityContext): Promise<Tasks[T]['answer']> {
    const { model, paceMs, flakyEvery } = this.#options;
    return this.logged(task, context, async () => {
      if (paceMs > 0) await sleep(paceMs, undefined, { signal: context.signal });
      if (flakyEvery > 0 && context.attempt === 1 && hash(`${task} ${about}`) % flakyEvery === 0) {
        throw new ProviderBusyError('503: the model is overloaded, try again');
      }
      return model.answer(task, prompt, context);
    });
  }

  /** Runs a call that is not the model's (a tool), on the same record. */
  async logged<T>(task: string, context: ActivityContext, call: () => Promise<T> | T): Promise<T> {
    const { log, now } = this.#options;
    const { idempotencyKey: key, attempt } = context;
    const { pid } = process;
    log.append({ type: 'start', key, task, attempt, pid, at: now() });
    let value: T;
    try {
      value = await call();
    } catch (error) {
      log.append({ type: 'failed', key, attempt, pid, at: now() });
      throw error;
    }
    log.append({ type: 'done', key, attempt, pid, at: now() });
    return value;
  }
}

function hash(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}

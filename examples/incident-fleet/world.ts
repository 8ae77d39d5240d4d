/**
 * The outside world of this example: services that things are done to, people who are paged, and the faults of the script. It takes an action once for an
 * idempotency key, and it keeps a journal. Which faults have struck, and whether the fix is deployed, is on disk: a killed process finds the world as it left it.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActivityContext } from 'statewarden';
import { readJournal, type Journal } from './journal.js';
import type { Fault, Outage } from './outage.js';

export interface WorldOptions {
  readonly outage: Outage;
  readonly journal: Journal;
  readonly journalPath: string;
  /** Its existence says that the fix is deployed. */
  readonly fixPath: string;
  /** What a call takes at least. */
  readonly paceMs: number;
}

type Who = Fault['who'];

const beatMs = 100;

export class World {
  readonly #options: WorldOptions;
  readonly #strikes = new Map<string, number>();
  readonly #applied = new Set<string>();
  #fixed: boolean;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#fixed = existsSync(options.fixPath);
    for (const entry of readJournal(options.journalPath)) {
      if (entry.type === 'fault') this.#count(entry.fault);
      else if (entry.type === 'applied') this.#applied.add(entry.key);
    }
  }

  get outage(): Outage {
    return this.#options.outage;
  }

  get fixed(): boolean {
    return this.#fixed;
  }

  /** From now on nothing of the script goes wrong any more, whoever is killed. */
  deployFix(): void {
    writeFileSync(this.#options.fixPath, 'deployed\n');
    this.#fixed = true;
  }

  /** A call to the outside, on the record. Says that it gets on while it takes its time. */
  async call<T>(call: string, context: ActivityContext, work: () => Promise<T> | T): Promise<T> {
    const { journal, paceMs } = this.#options;
    const { idempotencyKey: key, signal, heartbeat } = context;
    journal.append({ type: 'start', call, key });
    try {
      for (let left = paceMs; left > 0; left -= beatMs) {
        await sleep(Math.min(left, beatMs), undefined, { signal });
        heartbeat();
      }
      const value = await work();
      journal.append({ type: 'done', call, key });
      return value;
    } catch (error) {
      journal.append({ type: 'failed', call, key });
      throw error;
    }
  }

  /** Does something that must not be done twice. */
  apply(key: string, what: string): void {
    if (this.#applied.has(key)) return;
    this.#options.journal.append({ type: 'applied', key, what });
    this.#applied.add(key);
  }

  /** Crashes or hangs if the script says so. */
  async suffer(who: Who, service: string, signal: AbortSignal): Promise<void> {
    for (const { fault, times, message } of this.#faults(who, service)) {
      if (fault === 'poison') continue;
      const name = `${who} ${service} ${fault}`;
      if ((this.#strikes.get(name) ?? 0) >= (times === 'until-fixed' ? Infinity : times)) continue;
      this.#options.journal.append({ type: 'fault', fault: name });
      this.#count(name);
      if (fault === 'crash') throw new Error(message);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error(message)), { once: true }));
    }
  }

  /** For a machine that takes an event. @throws what the script says */
  taste(who: Who, service: string): void {
    for (const { fault, message } of this.#faults(who, service)) if (fault === 'poison') throw new TypeError(message);
  }

  #faults(who: Who, service: string): readonly Fault[] {
    return this.#fixed ? [] : this.#options.outage.faults.filter((one) => one.who === who && one.service === service);
  }

  #count(fault: string): void {
    this.#strikes.set(fault, (this.#strikes.get(fault) ?? 0) + 1);
  }
}

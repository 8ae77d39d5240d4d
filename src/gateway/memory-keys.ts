/**
 * Keys in this process's memory: for one gateway alone, and for tests. They are gone with it: a request that is repeated after a restart is
 * forwarded again. When it is full it takes no new keys; it never forgets one before its time.
 */

import { systemClock, type Clock } from '../core/clock.js';
import { StoreUnavailableError } from '../core/errors.js';
import type { Claim, Ending, KeyStore, Standing, StoreHealth } from './key-store.js';

export interface MemoryKeysOptions {
  readonly clock?: Pick<Clock, 'elapsed'>;
  /** Of kept answers. Default 256 MiB. */
  readonly maximumBytes?: number;
}

type Entry = { readonly fingerprint: string; readonly expiresAt: number } & (
  { readonly state: 'claimed' | 'sent'; readonly token: string; readonly leaseUntil: number } | Ending
);

/** A few words for a key that has no answer. */
const overheadBytes = 256;

export function memoryKeys(options: MemoryKeysOptions = {}): KeyStore {
  return new MemoryKeys(options);
}

class MemoryKeys implements KeyStore {
  readonly name = 'memory:';
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #maximumBytes: number;
  /** Each write moves its key to the end: those that expire first stand near the front. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor({ clock = systemClock, maximumBytes = 256 * 1_048_576 }: MemoryKeysOptions) {
    this.#clock = clock;
    this.#maximumBytes = maximumBytes;
  }

  async open(): Promise<void> {}

  async claim(key: string, { token, fingerprint, leaseMs, ttlMs, retake }: Claim): Promise<Standing> {
    const now = this.#clock.elapsed();
    const entry = this.#find(key, now);
    if (entry !== undefined) {
      switch (entry.state) {
        case 'claimed':
          if (entry.leaseUntil > now && entry.token !== token) return { state: 'under-way', fingerprint: entry.fingerprint };
          break;
        case 'sent':
          if (entry.leaseUntil > now) return { state: 'under-way', fingerprint: entry.fingerprint };
          if (!(retake && entry.fingerprint === fingerprint))
            return { state: 'unknown', fingerprint: entry.fingerprint, reason: 'crashed' };
          break;
        case 'done':
          return { state: 'done', fingerprint: entry.fingerprint, reason: entry.reason, answer: entry.answer };
        case 'unknown':
          if (!(retake && entry.fingerprint === fingerprint)) {
            return { state: 'unknown', fingerprint: entry.fingerprint, reason: entry.reason };
          }
          break;
      }
    } else if (this.#bytes >= this.#maximumBytes) {
      throw new StoreUnavailableError(`the gateway's memory holds ${String(this.#maximumBytes)} bytes of answers`, {
        hint: 'Use a Redis, a shorter --ttl, or wait until keys have been forgotten.',
      });
    }
    this.#put(key, { state: 'claimed', token, fingerprint, leaseUntil: now + leaseMs, expiresAt: now + ttlMs });
    return { state: 'yours' };
  }

  async markSent(key: string, token: string, leaseMs: number, ttlMs: number): Promise<boolean> {
    const now = this.#clock.elapsed();
    const held = this.#held(key, token, now);
    if (held === undefined) return false;
    this.#put(key, { ...held, state: 'sent', leaseUntil: now + leaseMs, expiresAt: now + ttlMs });
    return true;
  }

  async renew(key: string, token: string, leaseMs: number): Promise<boolean> {
    const now = this.#clock.elapsed();
    const held = this.#held(key, token, now);
    if (held === undefined) return false;
    this.#put(key, { ...held, leaseUntil: now + leaseMs });
    return true;
  }

  async settle(key: string, token: string, ending: Ending, ttlMs: number): Promise<boolean> {
    const now = this.#clock.elapsed();
    const held = this.#held(key, token, now);
    if (held?.state !== 'sent') return false;
    this.#put(key, { ...ending, fingerprint: held.fingerprint, expiresAt: now + ttlMs });
    return true;
  }

  async release(key: string, token: string): Promise<boolean> {
    if (this.#held(key, token, this.#clock.elapsed()) === undefined) return false;
    this.#drop(key);
    return true;
  }

  async health(): Promise<StoreHealth> {
    return {
      state: 'ready',
      detail: `${String(this.#entries.size)} keys`,
      warnings: ['keys are kept in memory and are gone with the process'],
    };
  }

  async close(): Promise<void> {}

  #held(key: string, token: string, now: number): (Entry & { readonly state: 'claimed' | 'sent' }) | undefined {
    const entry = this.#find(key, now);
    if (entry === undefined || entry.state === 'done' || entry.state === 'unknown') return undefined;
    return entry.token === token ? entry : undefined;
  }

  #find(key: string, now: number): Entry | undefined {
    for (const [oldest, { expiresAt }] of this.#entries) {
      if (expiresAt > now) break;
      this.#drop(oldest);
    }
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAt > now) return entry;
    this.#drop(key);
    return undefined;
  }

  #put(key: string, entry: Entry): void {
    this.#drop(key);
    this.#entries.set(key, entry);
    this.#bytes += sizeOf(entry);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= sizeOf(entry);
  }
}

function sizeOf(entry: Entry): number {
  return overheadBytes + (entry.state === 'done' ? (entry.answer?.length ?? 0) : 0);
}

/**
 * Keys in a Redis, for several gateways at once and across their restarts. What it acknowledged must still be there at the next call: else, and when
 * that cannot be known after a restart of Redis, every call throws `ClaimsLostError` until an operator accepts the loss. What it cannot see: single
 * keys that somebody deletes, and a Redis that is emptied while no gateway is running.
 */

import { systemClock, type Clock } from '../core/clock.js';
import { BadInputError, CapabilityMissingError, StoreOpenError, StoreUnavailableError } from '../core/errors.js';
import { systemRandom, type Random } from '../core/random.js';
import {
  ClaimsLostError,
  type Claim,
  type DoneReason,
  type Ending,
  type KeyStore,
  type Standing,
  type StoreHealth,
  type UnknownReason,
} from './key-store.js';
import { connectRedis, throwIfRefused, type RedisLink } from './redis-link.js';
import { changeScript, claimScript, enterScript } from './redis-scripts.js';
import { thingsSaid, weaknesses } from './redis-state.js';

export interface RedisKeysOptions {
  /** Before all keys. Default `statewarden:gateway:`. */
  readonly prefix?: string;
  /** A loss that was found is accepted: keys from before may be forwarded again. For one start, not for every one. Default false. */
  readonly acceptLoss?: boolean;
  /** Redis keeps all it acknowledges over its restarts and failovers, although it does not say so. Default false. */
  readonly trustRestarts?: boolean;
  /** So long Redis may take for one call. Default 2 s. */
  readonly callMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Needs the package `redis`. One Redis, not a Redis Cluster.
 * @throws BadInputError for what is no such URL.
 */
export function redisKeys(url: string, options: RedisKeysOptions = {}): KeyStore {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new BadInputError('the URL of Redis cannot be read', { hint: 'Write redis://host:6379.', cause });
  }
  if (!['redis:', 'rediss:'].includes(parsed.protocol) || parsed.hostname === '') {
    throw new BadInputError(`a Redis has no URL with ${parsed.protocol}`, { hint: 'Write redis://host:6379.' });
  }
  return new RedisKeys(parsed, options);
}

class RedisKeys implements KeyStore {
  readonly name: string;
  readonly #url: URL;
  readonly #options: Required<RedisKeysOptions>;
  readonly #me: string;
  #link: RedisLink | undefined;
  #epoch = '';
  /** The count of its own writes that Redis acknowledged last. */
  #acknowledged = 0;
  /** Undefined: the connection is new, and nobody has looked yet whether all is there. */
  #found: { readonly state: 'ready' } | { readonly state: 'lost'; readonly why: string } | undefined;
  #examining: Promise<void> | undefined;
  #warnings: readonly string[] = [];
  /** Whether a loss may be accepted: at the start only. */
  #mayAccept: boolean;
  #away = 'it was not asked yet';
  #evicts: string | undefined;

  constructor(url: URL, options: RedisKeysOptions) {
    const { clock = systemClock, random = systemRandom } = options;
    const { prefix = 'statewarden:gateway:', acceptLoss = false, trustRestarts = false, callMs = 2_000 } = options;
    this.#options = { prefix, acceptLoss, trustRestarts, callMs, clock, random };
    this.#mayAccept = acceptLoss;
    this.#url = url;
    this.#me = random.id();
    this.name = `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;
  }

  async open(): Promise<void> {
    if (this.#link !== undefined) return;
    this.#link = await connectRedis(this.#url, {
      name: this.name,
      lost: (why) => {
        this.#found = undefined;
        this.#away = why;
      },
      ready: () => void this.#examine().catch(() => undefined),
    });
    try {
      await this.#examine();
    } catch (error) {
      await this.close();
      throwIfRefused(this.name, (error as Error).cause);
      throw error;
    }
    if (this.#evicts === undefined) return;
    await this.close();
    throw new CapabilityMissingError(`${this.name}: ${this.#evicts}`, {
      hint: 'redis-cli CONFIG SET maxmemory-policy noeviction; of a Memorystore: gcloud redis instances update … --update-redis-config maxmemory-policy=noeviction.',
    });
  }

  async claim(key: string, { token, fingerprint, leaseMs, ttlMs, retake }: Claim): Promise<Standing> {
    const reply = await this.#run(claimScript, key, [token, fingerprint, leaseMs, ttlMs, retake ? 1 : 0]);
    const [word, second = '', third = ''] = reply.map(String);
    switch (word) {
      case 'yours':
        return { state: 'yours' };
      case 'under-way':
        return { state: 'under-way', fingerprint: second };
      case 'unknown':
        return { state: 'unknown', fingerprint: second, reason: third as UnknownReason };
      default:
        return { state: 'done', fingerprint: second, reason: third as DoneReason, answer: third === 'kept' ? reply[3] : undefined };
    }
  }

  markSent(key: string, token: string, leaseMs: number, ttlMs: number): Promise<boolean> {
    return this.#change(key, [token, 'send', leaseMs, ttlMs]);
  }

  renew(key: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#change(key, [token, 'renew', leaseMs]);
  }

  settle(key: string, token: string, ending: Ending, ttlMs: number): Promise<boolean> {
    const answer = ending.state === 'done' && ending.answer !== undefined ? [Buffer.from(ending.answer)] : [];
    return this.#change(key, [token, 'settle', 0, ttlMs, ending.state, ending.reason, ...answer]);
  }

  release(key: string, token: string): Promise<boolean> {
    return this.#change(key, [token, 'release']);
  }

  async health(): Promise<StoreHealth> {
    try {
      await this.#ready();
      // One word, so that a Redis that hangs is seen.
      await this.#limited(this.#linked().call(['PING']));
      return { state: 'ready', detail: this.name, warnings: this.#warnings };
    } catch (error) {
      const state = error instanceof ClaimsLostError ? 'lost' : 'away';
      return { state, detail: (error as Error).message, warnings: this.#warnings };
    }
  }

  async close(): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    if (this.#found?.state === 'ready') {
      await this.#limited(link.call(['HDEL', this.#name('counts'), this.#me])).catch(() => undefined);
    }
    this.#link = undefined;
    link.close();
  }

  async #change(key: string, words: readonly (string | number | Buffer)[]): Promise<boolean> {
    const [word] = await this.#run(changeScript, key, words);
    return String(word) === 'done';
  }

  /** @throws StoreUnavailableError, ClaimsLostError */
  async #run(script: string, key: string, words: readonly (string | number | Buffer)[]): Promise<Buffer[]> {
    await this.#ready();
    const link = this.#linked();
    const era = link.era;
    const keys = [this.#name(`key:${key}`), this.#name('epoch'), this.#name('counts')];
    const args = [this.#epoch, this.#acknowledged, this.#me, ...words].map((word) => (Buffer.isBuffer(word) ? word : String(word)));
    const reply = await this.#limited(link.call(['EVAL', script, '3', ...keys, ...args]) as Promise<Buffer[]>);
    // Sent over a connection that broke, perhaps to a Redis that has been another one since: nothing may be built on that.
    if (link.era !== era) throw this.#unavailable('the connection broke');
    const word = String(reply[0]);
    if (word === 'lost') {
      await this.#lookAgain();
      throw this.#unavailable('its data was replaced meanwhile, and that was accepted');
    }
    if (word === 'yours' || word === 'done') {
      const count = Number(reply[1]);
      // `done` has a fingerprint there when it stands for a key that is done.
      if (Number.isSafeInteger(count) && reply.length === 2) this.#acknowledged = Math.max(this.#acknowledged, count);
    }
    return reply;
  }

  /** Throws when something is wrong; looks again when something was. */
  async #ready(): Promise<void> {
    const link = this.#linked();
    if (!link.ready) throw this.#unavailable(this.#away);
    if (this.#found?.state === 'ready') return;
    await this.#lookAgain();
  }

  /** @throws ClaimsLostError, StoreUnavailableError */
  async #lookAgain(): Promise<void> {
    await this.#examine();
    // Read anew: the examination has set it.
    const found = this.#found as { readonly state: 'ready' } | { readonly state: 'lost'; readonly why: string } | undefined;
    if (found?.state === 'ready') return;
    if (found === undefined) throw this.#unavailable(this.#away);
    throw new ClaimsLostError(`${this.name}: ${found.why}`, {
      hint: 'Find out which operations were under way; then run `statewarden gateway --store … --accept-loss`.',
    });
  }

  /** One at a time: whoever asks meanwhile gets the same answer. */
  #examine(): Promise<void> {
    return (this.#examining ??= this.#lookAround().finally(() => (this.#examining = undefined)));
  }

  async #lookAround(): Promise<void> {
    const link = this.#linked();
    const era = link.era;
    const said = await this.#limited(thingsSaid(link));
    const { trustRestarts, random } = this.#options;
    const flags = [said.durable, trustRestarts, this.#mayAccept].map((flag) => (flag ? '1' : '0'));
    const keys = [this.#name('epoch'), this.#name('counts')];
    const args = [this.#epoch, String(this.#acknowledged), this.#me, random.id(), said.runId, ...flags];
    const reply = await this.#limited(link.call(['EVAL', enterScript, '2', ...keys, ...args]) as Promise<Buffer[]>);
    if (link.era !== era) return;
    const [word, what = ''] = reply.map(String);
    this.#warnings = weaknesses(said, trustRestarts);
    this.#evicts = said.evicts;
    if (word === 'lost') {
      this.#found = { state: 'lost', why: what };
      return;
    }
    this.#mayAccept = false;
    if (what !== this.#epoch) [this.#epoch, this.#acknowledged] = [what, 0];
    this.#found = said.evicts === undefined ? { state: 'ready' } : { state: 'lost', why: said.evicts };
  }

  #linked(): RedisLink {
    if (this.#link === undefined) throw this.#unavailable('it is not open');
    return this.#link;
  }

  #name(what: string): string {
    return `${this.#options.prefix}${what}`;
  }

  #unavailable(why: string, cause?: unknown): StoreUnavailableError {
    const hint = 'It is tried again by itself; look whether Redis is up and can be reached.';
    return new StoreUnavailableError(`${this.name}: ${why}`, cause === undefined ? { hint } : { hint, cause });
  }

  /** Redis has so long; after that the call may still be done. */
  async #limited<T>(call: Promise<T>): Promise<T> {
    const { clock, callMs } = this.#options;
    let handle: unknown;
    const late = new Promise<never>((_, reject) => {
      handle = clock.setTimeout(() => reject(this.#unavailable(`no answer in ${String(callMs)} ms`)), callMs);
    });
    call.catch(() => undefined);
    try {
      return await Promise.race([call, late]);
    } catch (error) {
      if (error instanceof StoreUnavailableError || error instanceof StoreOpenError || error instanceof CapabilityMissingError) throw error;
      throw this.#unavailable(error instanceof Error ? error.message : String(error), error);
    } finally {
      clock.clearTimeout(handle);
    }
  }
}

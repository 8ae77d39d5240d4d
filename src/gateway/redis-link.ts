/**
 * A connection to Redis by the package `redis`, which is loaded here and nowhere else. It comes back by itself; while it is away calls fail at once
 * and are not kept for later. `era` changes each time it breaks: a reply that began in another era may come from another Redis.
 */

import type * as redis from 'redis';
import { CapabilityMissingError, StoreOpenError, StoreUnavailableError } from '../core/errors.js';

export interface RedisLink {
  readonly ready: boolean;
  readonly era: number;
  /** Replies are bytes, numbers, or lists of them. */
  call(words: readonly (string | Buffer)[]): Promise<unknown>;
  close(): void;
}

export interface RedisLinkOptions {
  /** Without a password. */
  readonly name: string;
  readonly lost: (why: string) => void;
  /** It is back. */
  readonly ready: () => void;
}

type Package = typeof redis;

/** @throws CapabilityMissingError, StoreUnavailableError, StoreOpenError */
export async function connectRedis(
  url: URL,
  { name, lost, ready }: RedisLinkOptions,
  load: () => Promise<Package> = () => import('redis'),
): Promise<RedisLink> {
  const { createClient, RESP_TYPES } = await load().catch((cause: unknown) => {
    throw new CapabilityMissingError('a Redis store needs the package "redis"', {
      hint: 'Run npm install redis, beside statewarden.',
      cause,
    });
  });
  let opened = false;
  let era = 0;
  const client = createClient({
    url: url.href,
    RESP: 2,
    disableOfflineQueue: true,
    // Managed ones refuse CLIENT.
    disableClientInfo: true,
    maintNotifications: 'disabled',
    // A connection whose other end is gone without a word is given up.
    pingInterval: 2_000,
    socket: {
      connectTimeout: 5_000,
      socketTimeout: 10_000,
      reconnectStrategy: (retries, cause) => (opened ? Math.min(25 * 2 ** retries, 1_000) : cause),
    },
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
  client.on('error', (error: Error) => {
    era += 1;
    lost(error.message === '' ? 'it cannot be reached' : error.message);
  });
  client.on('ready', () => {
    era += 1;
    if (opened) ready();
  });
  try {
    await client.connect();
  } catch (cause) {
    client.destroy();
    const { message } = cause as Error;
    throwIfRefused(name, cause);
    throw new StoreUnavailableError(`${name} cannot be reached: ${message === '' ? 'no connection' : message}`, {
      hint: 'Is it up, and is the URL right?',
      cause,
    });
  }
  opened = true;
  return {
    get ready() {
      return client.isReady;
    },
    get era() {
      return era;
    },
    call: (words) => client.sendCommand(words),
    close: () => client.destroy(),
  };
}

/** Trying again does not help against what is set up wrongly. @throws StoreOpenError */
export function throwIfRefused(name: string, cause: unknown): void {
  const message = cause instanceof Error ? cause.message : '';
  if (!/WRONGPASS|NOAUTH|NOPERM|invalid password|DB index|unknown command/i.test(message)) return;
  throw new StoreOpenError(`${name} refuses: ${message}`, {
    hint: 'Give user, password and database in the URL: redis://user:password@host:6379/0.',
    cause,
  });
}

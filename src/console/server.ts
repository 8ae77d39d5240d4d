/** A console on a port of the loopback address: beside a runtime, whose agents it shows as they work and may order about; or on a store alone, which it only reads. */

import { createAdaptorServer } from '@hono/node-server';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, type Clock } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import type { OpenedStore } from '../persistence/store.js';
import type { KindRegistry } from '../runtime/options.js';
import type { Runtime } from '../runtime.js';
import { consoleApp } from './app.js';
import { Breakers } from './breakers.js';
import { Token } from './guard.js';
import { Monitor } from './monitor.js';
import { PageFiles, pageFolder } from './page-files.js';
import { Redactor, type RedactRule } from './shown.js';
import { Source } from './source.js';
import { defaultPort, listenLocally, localHost } from './port.js';
import { Hub } from './stream.js';

export interface ConsoleOptions {
  /** Default 4747; 0: any that is free. */
  readonly port?: number;
  /** What orders need: at least 16 letters, digits, `-` or `_`. Default: a fresh one. False: nobody may order anything. */
  readonly token?: string | false;
  /** Says of a value whether it is left out, beyond what the built-in rules leave out; false shows what they would not. */
  readonly redact?: RedactRule;
  /** Streams open at once. Default 20. */
  readonly pages?: number;
  /** A page that takes nothing for so long is cut off. Default 10,000. */
  readonly stallMs?: number;
  /** Whether it keeps the process alive. Default false beside a runtime, true on a store. */
  readonly keepAlive?: boolean;
}

export interface StoreConsoleOptions extends Omit<ConsoleOptions, 'token'> {
  /** For people. */
  readonly storeName: string;
  /** Where archived agents are. */
  readonly artifacts?: () => Promise<ArtifactStore | undefined>;
  readonly clock?: Clock;
}

export interface ServedConsole {
  /** `http://127.0.0.1:4747/` */
  readonly url: string;
  /** The same with the token, behind `#`: browsers send it to nobody. */
  readonly link: string;
  readonly port: number;
  readonly token: string | undefined;
  /** Pages that are open. */
  readonly pages: number;
  close(): Promise<void>;
}

/**
 * Serves the console of a runtime, until the runtime closes. While no page is open it costs nothing: no event is made for it.
 * @throws BadInputError, PortInUseError
 */
export async function serveConsole<TKinds extends KindRegistry, TBudget extends string>(
  runtime: Runtime<TKinds, TBudget>,
  { token, ...options }: ConsoleOptions = {},
): Promise<ServedConsole> {
  const { store, tools } = runtime;
  const word = token === false ? undefined : (token ?? randomBytes(24).toString('base64url'));
  if (word !== undefined && !/^[\w-]{16,200}$/.test(word)) {
    throw new BadInputError('the token cannot be used', { hint: 'Give 16 to 200 letters, digits, - or _; leave it out for a fresh one.' });
  }
  const served = await listen({
    store,
    storeName: tools.storeName,
    runtime: runtime as unknown as Runtime,
    artifacts: async () => tools.artifacts,
    token: word,
    clock: systemClock,
    keepAlive: false,
    ...options,
  });
  const forget = tools.whenClosing(() => served.close());
  return {
    ...served,
    get pages() {
      return served.pages;
    },
    close: async () => {
      forget();
      await served.close();
    },
  };
}

/** Serves the console of an opened store, which it only reads and never closes. @throws BadInputError, PortInUseError */
export async function serveStore(store: OpenedStore, options: StoreConsoleOptions): Promise<ServedConsole> {
  const { artifacts = async () => undefined, clock = systemClock } = options;
  return listen({ keepAlive: true, ...options, store, runtime: undefined, artifacts, token: undefined, clock });
}

interface Listening extends Omit<ConsoleOptions, 'token'> {
  readonly store: OpenedStore;
  readonly storeName: string;
  readonly runtime: Runtime | undefined;
  readonly artifacts: () => Promise<ArtifactStore | undefined>;
  readonly token: string | undefined;
  readonly clock: Clock;
}

async function listen(options: Listening): Promise<ServedConsole> {
  const { port = defaultPort, redact, pages = 20, stallMs = 10_000, keepAlive, token, runtime, clock } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new BadInputError(`port is ${String(port)}`, { hint: 'Give a whole number up to 65,535; 0: any that is free.' });
  }
  const source = new Source({ ...options, redactor: new Redactor(redact) });
  const monitor = new Monitor(runtime, clock);
  const breakers = new Breakers(source);
  const hub = new Hub(source, monitor, breakers, pages);
  const parts = {
    version: ownVersion(),
    source,
    monitor,
    breakers,
    hub,
    token: new Token(token),
    page: new PageFiles(pageFolder),
    stallMs,
  };
  const server = createAdaptorServer({ fetch: consoleApp(parts).fetch, createServer, overrideGlobalObjects: false }) as Server;
  await listenLocally(server, port);
  if (keepAlive === false) server.unref();
  const address = server.address() as AddressInfo;
  const url = `http://${localHost}:${String(address.port)}/`;
  return {
    url,
    link: token === undefined ? url : `${url}#token=${token}`,
    port: address.port,
    token,
    get pages() {
      return hub.size;
    },
    close: async () => {
      hub.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

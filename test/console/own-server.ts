/** A console made of its parts, for tests that look behind it: a page folder of their own, what is composed for each page, and the answer that it is written to. */

import { createAdaptorServer } from '@hono/node-server';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Runtime } from 'statewarden';
import { consoleApp } from '#src/console/app.js';
import { Breakers } from '#src/console/breakers.js';
import { Token } from '#src/console/guard.js';
import { Monitor } from '#src/console/monitor.js';
import { PageFiles } from '#src/console/page-files.js';
import { listenLocally } from '#src/console/port.js';
import { Redactor } from '#src/console/shown.js';
import { Source } from '#src/console/source.js';
import { Hub, type Client } from '#src/console/stream.js';
import { systemClock } from '#src/core/clock.js';

export interface OwnServer {
  readonly port: number;
  readonly hub: Hub;
  /** Of each page that has come, in order. */
  readonly clients: readonly Client[];
  readonly answers: readonly ServerResponse[];
  close(): Promise<void>;
}

export async function ownServer(
  runtime: Runtime,
  { folder = '/nowhere', stallMs = 60_000 }: { readonly folder?: string; readonly stallMs?: number } = {},
): Promise<OwnServer> {
  const { store, tools } = runtime;
  const clock = systemClock;
  const source = new Source({
    store,
    storeName: tools.storeName,
    runtime,
    artifacts: () => Promise.resolve(undefined),
    clock,
    redactor: new Redactor(),
  });
  const [monitor, breakers] = [new Monitor(runtime, clock), new Breakers(source)];
  const hub = new Hub(source, monitor, breakers, 20);
  const clients: Client[] = [];
  const answers: ServerResponse[] = [];
  const open = hub.open.bind(hub);
  hub.open = async (choice) => {
    const client = await open(choice);
    clients.push(client);
    return client;
  };
  const token = new Token('a-token-for-the-tests');
  const { fetch } = consoleApp({ version: '0.0.0', source, monitor, breakers, hub, token, page: new PageFiles(folder), stallMs });
  const server = createAdaptorServer({
    fetch: (request, env) => {
      answers.push((env as { readonly outgoing: ServerResponse }).outgoing);
      return fetch(request, env as never);
    },
    createServer,
    overrideGlobalObjects: false,
  }) as Server;
  await listenLocally(server, 0);
  return {
    port: (server.address() as AddressInfo).port,
    hub,
    clients,
    answers,
    close: async () => {
      hub.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * A gateway on a port, by Hono's server for Node. It answers with the headers that there are and adds none. Closing it takes no new connections, lets
 * what is under way end, and closes the gateway after it.
 */

import { createAdaptorServer } from '@hono/node-server';
import {
  createServer,
  ServerResponse,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Connection, Gateway } from './gateway.js';

export interface ServeOptions {
  /** 0: a free one. */
  readonly port: number;
  readonly host: string;
}

export interface Served {
  readonly url: string;
  /** Resolves when everything under way has ended. */
  close(): Promise<void>;
}

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

/** Hono's server names a type for a body that has none: an answer goes on as it came. An empty type stands for none. */
class PlainResponse<TRequest extends IncomingMessage = IncomingMessage> extends ServerResponse<TRequest> {
  override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
    if (typeof reason === 'object' && !Array.isArray(reason) && reason['content-type'] === '') {
      const { 'content-type': _, ...rest } = reason;
      return super.writeHead(status, rest);
    }
    return super.writeHead(status, reason as string, headers);
  }
}

/** @throws the system's error when the port cannot be had. */
export async function serveGateway(gateway: Gateway, { port, host }: ServeOptions): Promise<Served> {
  const server = createAdaptorServer({
    fetch: async (request, connection) => {
      const response = await gateway.fetch(request, connection as Connection);
      if (!response.headers.has('content-type')) response.headers.set('content-type', '');
      return response;
    },
    createServer,
    // A duplicate waits for as long as the gateway says, not the server.
    serverOptions: { ServerResponse: PlainResponse, requestTimeout: 0 },
    overrideGlobalObjects: false,
  }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${String(address.port)}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      const drained = gateway.close();
      server.closeIdleConnections();
      await drained;
      // Those who waited are answered; what keeps its connection open has had its time.
      server.closeIdleConnections();
      await closed;
    },
  };
}

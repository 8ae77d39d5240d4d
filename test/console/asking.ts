/** Asks a console as its page does, and as somebody does who should not. */

import { request } from 'node:http';
import type { Failure, StreamEvent } from '#src/console/api.js';
import type { ServedConsole } from 'statewarden/console';

export interface Answer<T = Failure> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: T;
}

/** `node:http`, for `fetch` lets nobody choose the host and the origin. */
export function ask<T = Failure>(
  console: Pick<ServedConsole, 'port'>,
  path: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer<T>> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: console.port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => {
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          parsed = undefined;
        }
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parsed as T });
      });
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

export async function get<T>(console: Pick<ServedConsole, 'port'>, path: string): Promise<T> {
  const { status, body, text } = await ask<T>(console, path);
  if (status !== 200) throw new Error(`${String(status)}: ${text}`);
  return body;
}

/** As the page orders. */
export function order<T>(console: ServedConsole, path: string, body: unknown, token = console.token): Promise<Answer<T>> {
  const origin = `http://127.0.0.1:${String(console.port)}`;
  const headers = {
    host: `127.0.0.1:${String(console.port)}`,
    origin,
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return ask<T>(console, path, { method: 'POST', headers, body: JSON.stringify(body) });
}

export interface OpenStream {
  readonly events: StreamEvent[];
  /** The first one from now on, or that has come already. */
  until<T extends StreamEvent['type']>(
    type: T,
    fits?: (event: Extract<StreamEvent, { type: T }>) => boolean,
  ): Promise<Extract<StreamEvent, { type: T }>>;
  close(): void;
}

export async function openStream(console: Pick<ServedConsole, 'port'>, query: string): Promise<OpenStream> {
  const aborting = new AbortController();
  const response = await fetch(`http://127.0.0.1:${String(console.port)}/api/stream?${query}`, { signal: aborting.signal });
  if (response.status !== 200) throw new Error(`${String(response.status)}: ${await response.text()}`);
  const events: StreamEvent[] = [];
  const waiting = new Set<() => void>();
  void (async () => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = text
          .slice(0, end)
          .split('\n')
          .find((line) => line.startsWith('data: '));
        text = text.slice(end + 2);
        if (data !== undefined) events.push(JSON.parse(data.slice(6)) as StreamEvent);
      }
      waiting.forEach((wake) => wake());
    }
  })().catch(() => undefined);
  return {
    events,
    until: (type, fits = () => true) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = events.find((event) => event.type === type && fits(event as never));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found as never);
        };
        waiting.add(look);
        look();
      }),
    close: () => aborting.abort(),
  };
}

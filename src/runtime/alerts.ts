/**
 * Alerts on their way to people. Each is told once it is durable what it tells of, tried again while its receiver fails, and told again at the next start for what still waits: a receiver may hear of
 * the same thing twice, never of nothing. Its `id` is the same each time.
 */

import { longestTimeoutMs, type Clock } from '../core/clock.js';
import { errorOf } from '../core/codec.js';
import { BadInputError } from '../core/errors.js';
import type { AlertEvent, RuntimeEvent } from '../core/runtime-event.js';
import type { WithoutTime } from '../actors/host.js';

/** Somebody should look; `at` in epoch milliseconds. */
export type Alert = AlertEvent & { readonly at: number };

/** Where alerts go. One that throws or rejects is called again, up to five times in all. */
export type AlertSink = (alert: Alert) => void | Promise<void>;

export interface WebhookOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** The request's body. Default: the alert, its error as `{ name, message, code, hint }`. Sent as JSON. */
  readonly body?: (alert: Alert) => unknown;
  /** For one request. Default 10,000. */
  readonly timeoutMs?: number;
  /** Default `globalThis.fetch`. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Posts each alert to a URL, its `id` also as `Idempotency-Key`. Any answer but 2xx, a redirection too, counts as not taken. @throws BadInputError */
export function webhookAlerts(url: string | URL, options: WebhookOptions = {}): AlertSink {
  let target: URL;
  try {
    target = new URL(url);
  } catch (cause) {
    throw new BadInputError(`webhookAlerts: ${JSON.stringify(url)} is no URL`, {
      hint: "Give the whole URL: 'https://hooks.example/…'.",
      cause,
    });
  }
  if (!/^https?:$/.test(target.protocol)) {
    throw new BadInputError(`webhookAlerts: ${target.protocol} takes no alerts`, {
      hint: 'Give an address that begins with https: or http:.',
    });
  }
  const { headers = {}, body = alertDocument, timeoutMs = 10_000 } = options;
  if (!(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= longestTimeoutMs)) {
    throw new BadInputError(`webhookAlerts: timeoutMs is ${String(timeoutMs)}`, {
      hint: 'Give whole milliseconds greater than 0, or leave it out.',
    });
  }
  return async (alert) => {
    const response = await (options.fetch ?? globalThis.fetch)(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': encodeURIComponent(alert.id), ...headers },
      body: JSON.stringify(body(alert)),
      // A redirected post arrives as a get, with nothing in it.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`${target.origin}${target.pathname} answered ${String(response.status)}`);
  };
}

/** Writes each alert as a line of JSON, by default to standard error. */
export function logAlerts(write: (line: string) => void = (line) => void process.stderr.write(line)): AlertSink {
  return (alert) => write(`${JSON.stringify(alertDocument(alert))}\n`);
}

/** As it is sent and logged. */
export function alertDocument({ error, ...alert }: Alert): object {
  if (error === undefined) return alert;
  const { code, hint } = error as { readonly code?: unknown; readonly hint?: unknown };
  return { ...alert, error: { name: error.name, message: error.message, code, hint } };
}

const attempts = 5;
const firstWaitMs = 1_000;

export class Alerts {
  readonly #sinks: readonly AlertSink[];
  readonly #clock: Clock;
  readonly #tell: (event: WithoutTime<RuntimeEvent>) => void;
  /** What ends the waits that are under way. */
  readonly #waits = new Set<() => void>();
  #closed = false;

  constructor(sinks: readonly AlertSink[], clock: Clock, tell: (event: WithoutTime<RuntimeEvent>) => void) {
    this.#sinks = sinks;
    this.#clock = clock;
    this.#tell = tell;
  }

  get wanted(): boolean {
    return this.#sinks.length > 0;
  }

  raise(event: AlertEvent): void {
    this.#tell(event);
    const alert = { ...event, at: this.#clock.now() };
    for (const sink of this.#sinks) void this.#deliver(sink, alert);
  }

  /** What is not told yet is told at the next start. */
  close(): void {
    this.#closed = true;
    for (const end of this.#waits) end();
  }

  async #deliver(sink: AlertSink, alert: Alert): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await sink(alert);
        return;
      } catch (thrown) {
        if (this.#closed) return;
        if (attempt === attempts) {
          this.#tell({ type: 'alert-failed', id: alert.id, error: errorOf(thrown) });
          return;
        }
      }
      await this.#wait(firstWaitMs * 2 ** (attempt - 1));
      if (this.#closed) return;
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#clock.clearTimeout(timer);
        this.#waits.delete(end);
        resolve();
      };
      const timer = this.#clock.setTimeout(end, ms);
      this.#waits.add(end);
    });
  }
}

/**
 * How long the other side wants to be left alone: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), `retry-after-ms` (OpenAI, Azure), and `google.rpc.RetryInfo` in the details of Google's errors. Headers are looked
 * for where HTTP clients put them: on the answer, on the error, or on the error's response.
 */

import type { Clock } from '../core/clock.js';

/** Epoch milliseconds. */
export type WallClock = Pick<Clock, 'now'>;

/** Milliseconds, at least 0; undefined: it did not say. `clock` gives epoch milliseconds. */
export function retryAfterOf(source: object, clock: WallClock): number | undefined {
  const { headers, response, details, retryAfterMs } = source as Record<string, unknown>;
  if (typeof retryAfterMs === 'number' && retryAfterMs >= 0) return retryAfterMs;
  const all = [headers, (response as { headers?: unknown } | null | undefined)?.headers];
  for (const one of all) {
    if (typeof one !== 'object' || one === null) continue;
    const precise = Number.parseFloat(header(one, 'retry-after-ms') ?? '');
    if (precise >= 0) return precise;
    const said = parseRetryAfter(header(one, 'retry-after'), clock);
    if (said !== undefined) return said;
  }
  const { errorDetails, statusDetails } = source as Record<string, unknown>;
  return retryInfo(details) ?? retryInfo(errorDetails) ?? retryInfo(statusDetails);
}

/** The value of a `Retry-After` header. @returns milliseconds; undefined for what is neither seconds nor a date */
export function parseRetryAfter(value: string | undefined, clock: WallClock): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.now());
}

function header(headers: object, name: string): string | undefined {
  const { get } = headers as { get?: unknown };
  const value: unknown = typeof get === 'function' ? get.call(headers, name) : fieldOf(headers as Record<string, unknown>, name);
  const one: unknown = Array.isArray(value) ? value[0] : value;
  return typeof one === 'string' ? one : typeof one === 'number' ? String(one) : undefined;
}

/** Names of headers are written in any case; most clients use small letters. */
function fieldOf(headers: Readonly<Record<string, unknown>>, name: string): unknown {
  return headers[name] ?? headers[Object.keys(headers).find((key) => key.toLowerCase() === name) ?? name];
}

/** `{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s" }`, or with seconds and nanos. */
function retryInfo(details: unknown): number | undefined {
  if (!Array.isArray(details)) return undefined;
  for (const detail of details as { retryDelay?: unknown }[]) {
    const delay = detail?.retryDelay;
    if (typeof delay === 'string' && /^\d+(\.\d+)?s$/.test(delay)) return Number.parseFloat(delay) * 1_000;
    if (typeof delay === 'object' && delay !== null) {
      const { seconds, nanos } = delay as { seconds?: unknown; nanos?: unknown };
      const ms = Number(seconds ?? 0) * 1_000 + Number(nanos ?? 0) / 1e6;
      if (ms >= 0) return ms;
    }
  }
  return undefined;
}

/**
 * Wake-up calls over HTTP: a function from Request to Response for whatever serves the URL that a task queue calls. Its status says to the queue whether to call again: 2xx is given only when
 * nothing is left that this call would have to begin.
 */

import { BadInputError, StatewardenError } from '../core/errors.js';
import { parseWakeTask, type WakeTask } from '../effects/dispatch.js';
import { checkWait, type WakeOptions, type Woken } from './wake.js';

export interface WakeHandlerOptions {
  /** Whether the request comes from the queue; false is answered with 401. Default: all do, for a URL that only the queue can reach. */
  readonly authenticate?: (request: Request) => boolean | Promise<boolean>;
  /**
   * How long an answer may wait for rest, in milliseconds. Default 60,000. After it 202 is given while an attempt runs: the queue does not call again, so give more than the longest attempt takes where a process has no time between requests.
   */
  readonly waitMs?: number;
}

/** A call is a few hundred bytes; ids may be long. */
const longestBody = 65_536;
/** What a queue is asked to wait when nothing says how long it will take. */
const pauseS = 5;
const longestPauseS = 3_600;

/**
 * 200: it is over, held, waits for its next attempt, or there is nobody to wake. 202: it still runs after `waitMs`. 400: no wake-up call. 401: not authenticated. 405: not a POST. 500: it can never be done here.
 * 503 with `Retry-After`: not now, because another node has the agent, the store is away, or the call came too early.
 * @throws BadInputError when it is made
 */
export function wakeHandler(
  runtime: { wake(task: WakeTask, options?: WakeOptions): Promise<Woken> },
  { authenticate, waitMs = 60_000 }: WakeHandlerOptions = {},
): (request: Request) => Promise<Response> {
  if (typeof runtime?.wake !== 'function') {
    throw new BadInputError('wakeHandler() needs a runtime', { hint: 'Pass what createRuntime(…) resolved to.' });
  }
  if (authenticate !== undefined && typeof authenticate !== 'function') {
    throw new BadInputError(`wakeHandler: authenticate is ${typeof authenticate}`, {
      hint: 'Give a function of the request that says whether it may pass.',
    });
  }
  checkWait(waitMs);
  return async (request) => {
    if (request.method !== 'POST') return answer(405, { outcome: 'refused', error: 'a wake-up call is a POST' }, { allow: 'POST' });
    try {
      if (authenticate !== undefined && !(await authenticate(request))) {
        return answer(401, { outcome: 'refused', error: 'the request is not authenticated' });
      }
      return answered(await runtime.wake(parseWakeTask(await bodyOf(request)), { waitMs }));
    } catch (error) {
      return failed(error);
    }
  };
}

/** @throws BadInputError */
async function bodyOf(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > longestBody) {
      throw new BadInputError('no wake-up call: the body is too long', { hint: `At most ${String(longestBody)} bytes are read.` });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answered(woken: Woken): Response {
  switch (woken.outcome) {
    case 'settled':
    case 'held':
    case 'waiting':
    case 'gone':
      return answer(200, woken);
    case 'running':
      return answer(202, woken);
    case 'early':
      return later(woken, Math.ceil(woken.inMs / 1_000));
    case 'unfit':
      return later({ outcome: 'unfit', ...described(woken.error) });
    case 'refused':
    case 'unwritten':
    case 'elsewhere':
    case 'undispatched':
      return later(woken);
  }
}

function failed(error: unknown): Response {
  const told = { outcome: 'failed', ...described(error) };
  if (error instanceof BadInputError) return answer(400, told);
  // Another process of this service may be able to.
  const passes = !(error instanceof StatewardenError) || error.disposition === 'retry' || isEnd(error);
  return passes ? later(told) : answer(500, told);
}

function isEnd({ code }: StatewardenError): boolean {
  return code === 'RUNTIME_CLOSED' || code === 'STORE_POISONED';
}

function described(error: unknown): object {
  if (!(error instanceof StatewardenError)) return { error: error instanceof Error ? error.message : String(error) };
  return { code: error.code, error: error.message, hint: error.hint };
}

function later(told: object, seconds = pauseS): Response {
  return answer(503, told, { 'retry-after': String(Math.min(longestPauseS, Math.max(1, seconds))) });
}

function answer(status: number, told: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(told), { status, headers: { 'content-type': 'application/json', ...headers } });
}

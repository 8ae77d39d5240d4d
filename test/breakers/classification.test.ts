/** What outcomes say of a service: a table of what HTTP clients, SDKs, gRPC and the system really throw and return. */

import { expect } from 'chai';
import { TerminalError } from 'statewarden';
import { classifyError, classifyValue, classifyWith, type Classify, type Verdict } from '#src/breakers/classification.js';
import { retryAfterOf } from '#src/breakers/retry-after.js';
import { BreakerOpenError, CancelledError, StoreUnavailableError, TimeoutError } from '#src/core/errors.js';
import { HandClock, monday } from './by-hand.js';

const clock = new HandClock();
const hint = 'what to do about it';

/** `timed out`: a failure that is a sign of overload. */
type Expected = Verdict | 'timed out';
const shown = (expected: Expected): object => (expected === 'timed out' ? { verdict: 'failure', timedOut: true } : { verdict: expected });

/** As the SDK of OpenAI and that of Anthropic make them: a status, headers, and the class as the only name. */
class APIError extends Error {
  constructor(
    readonly status: number | undefined,
    readonly headers: Headers | Record<string, string> | undefined,
    more: object = {},
  ) {
    super(`${String(status)} of the provider`);
    Object.assign(this, more);
  }
}
class RateLimitError extends APIError {}
class APIUserAbortError extends APIError {}
class APIConnectionTimeoutError extends APIError {}

const named = (name: string, more: object = {}): Error => Object.assign(new Error(name), { name }, more);
const coded = (code: string | number, more: object = {}): Error => Object.assign(new Error(String(code)), { code }, more);
/** As fetch does it. */
const fetchFailed = (cause: unknown): TypeError => new TypeError('fetch failed', { cause });
/** As axios does it. */
const axios = (status: number, headers: object = {}): Error =>
  Object.assign(new Error(`Request failed with status code ${String(status)}`), {
    name: 'AxiosError',
    code: status < 500 ? 'ERR_BAD_REQUEST' : 'ERR_BAD_RESPONSE',
    response: { status, headers },
  });

describe('what a value says of the service', () => {
  const answer = (status: number, headers: Record<string, string> = {}): Response => new Response(null, { status, headers });
  const table: readonly (readonly [string, unknown, Expected])[] = [
    ['200', answer(200), 'success'],
    ['204', answer(204), 'success'],
    ['304', answer(304), 'success'],
    ['400', answer(400), 'ignored'],
    ['401', answer(401), 'ignored'],
    ['404', answer(404), 'ignored'],
    ['408', answer(408), 'timed out'],
    ['409', answer(409), 'ignored'],
    ['422', answer(422), 'ignored'],
    ['429', answer(429), 'throttled'],
    ['499 of nginx', answer(499), 'ignored'],
    ['500', answer(500), 'failure'],
    ['501', answer(501), 'failure'],
    ['502', answer(502), 'failure'],
    ['503', answer(503), 'failure'],
    ['504', answer(504), 'timed out'],
    ['529 of Anthropic', answer(529), 'failure'],
    ['an answer of axios or got', { status: 503, headers: {}, data: 'down' }, 'failure'],
    ['nothing', undefined, 'success'],
    ['null', null, 'success'],
    ['a text', 'error', 'success'],
    ['a record with a status of its own', { status: 503 }, 'success'],
    ['a record whose status is a word', { status: 'failed', headers: {} }, 'success'],
    ['an error that is returned', new Error('as a value'), 'success'],
  ];
  for (const [name, value, expected] of table) {
    it(`${name}: ${expected}`, () => expect(classifyValue(value, clock)).to.deep.equal(shown(expected)));
  }
});

describe('what an error says of the service', () => {
  const table: readonly (readonly [string, unknown, Expected])[] = [
    ['an error without a word', new Error('oops'), 'failure'],
    ['a text that is thrown', 'oops', 'failure'],
    ['undefined', undefined, 'failure'],
    ['null', null, 'failure'],
    ['an AbortError of a signal', AbortSignal.abort().reason, 'ignored'],
    ['an AbortError of Node', named('AbortError', { code: 'ABORT_ERR' }), 'ignored'],
    ['a TimeoutError of a signal', new DOMException('too late', 'TimeoutError'), 'timed out'],
    ['a request that axios was told to cancel', named('CanceledError', { code: 'ERR_CANCELED' }), 'ignored'],
    ['fetch: connection refused', fetchFailed(coded('ECONNREFUSED', { syscall: 'connect' })), 'failure'],
    ['fetch: no such host', fetchFailed(coded('ENOTFOUND', { syscall: 'getaddrinfo' })), 'failure'],
    ['fetch: headers too late', fetchFailed(named('HeadersTimeoutError', { code: 'UND_ERR_HEADERS_TIMEOUT' })), 'timed out'],
    ['fetch: the other side hung up', fetchFailed(named('SocketError', { code: 'UND_ERR_SOCKET' })), 'failure'],
    ['fetch: cancelled', fetchFailed(named('AbortError')), 'ignored'],
    ['fetch: without a cause', fetchFailed(undefined), 'failure'],
    ['undici: connecting too late', named('ConnectTimeoutError', { code: 'UND_ERR_CONNECT_TIMEOUT' }), 'timed out'],
    ['undici: body too late', named('BodyTimeoutError', { code: 'UND_ERR_BODY_TIMEOUT' }), 'timed out'],
    ['undici: aborted', named('RequestAbortedError', { code: 'UND_ERR_ABORTED' }), 'ignored'],
    ['undici: 503 thrown', named('ResponseStatusCodeError', { code: 'UND_ERR_RESPONSE_STATUS_CODE', statusCode: 503 }), 'failure'],
    ['axios: 500', axios(500), 'failure'],
    ['axios: 404', axios(404), 'ignored'],
    ['axios: 429', axios(429), 'throttled'],
    ['axios: its own time limit', named('AxiosError', { code: 'ETIMEDOUT' }), 'timed out'],
    ['axios: no answer', named('AxiosError', { code: 'ECONNRESET' }), 'failure'],
    ['openai: 429', new RateLimitError(429, new Headers(), { code: 'rate_limit_exceeded', type: 'tokens' }), 'throttled'],
    ['openai: 500', new APIError(500, new Headers(), { type: 'server_error' }), 'failure'],
    ['openai: 400', new APIError(400, new Headers(), { type: 'invalid_request_error' }), 'ignored'],
    ['openai: rate limit in a stream', new APIError(undefined, undefined, { code: 'rate_limit_exceeded' }), 'throttled'],
    ['openai: cancelled', new APIUserAbortError(undefined, undefined), 'ignored'],
    ['openai: its own time limit', new APIConnectionTimeoutError(undefined, undefined), 'timed out'],
    ['openai: no connection', new APIError(undefined, undefined, { cause: fetchFailed(coded('ECONNRESET')) }), 'failure'],
    ['anthropic: 529, overloaded', new APIError(529, new Headers(), { type: 'overloaded_error' }), 'failure'],
    ['anthropic: rate limit in a stream', new APIError(undefined, undefined, { type: 'rate_limit_error' }), 'throttled'],
    ['google: 429', named('ApiError', { status: 429 }), 'throttled'],
    ['google: 503', named('ApiError', { status: 503 }), 'failure'],
    ['google: a quota by its name', coded('RESOURCE_EXHAUSTED'), 'throttled'],
    ['google: an HTTP status as code', coded(429), 'throttled'],
    ['gRPC 0 OK', coded(0), 'success'],
    ['gRPC 1 CANCELLED', coded(1), 'ignored'],
    ['gRPC 2 UNKNOWN', coded(2), 'failure'],
    ['gRPC 3 INVALID_ARGUMENT', coded(3), 'ignored'],
    ['gRPC 4 DEADLINE_EXCEEDED', coded(4), 'timed out'],
    ['gRPC 5 NOT_FOUND', coded(5), 'ignored'],
    ['gRPC 6 ALREADY_EXISTS', coded(6), 'ignored'],
    ['gRPC 7 PERMISSION_DENIED', coded(7), 'ignored'],
    ['gRPC 8 RESOURCE_EXHAUSTED', coded(8), 'throttled'],
    ['gRPC 9 FAILED_PRECONDITION', coded(9), 'ignored'],
    ['gRPC 10 ABORTED', coded(10), 'ignored'],
    ['gRPC 11 OUT_OF_RANGE', coded(11), 'ignored'],
    ['gRPC 12 UNIMPLEMENTED', coded(12), 'ignored'],
    ['gRPC 13 INTERNAL', coded(13), 'failure'],
    ['gRPC 14 UNAVAILABLE', coded(14), 'failure'],
    ['gRPC 15 DATA_LOSS', coded(15), 'failure'],
    ['gRPC 16 UNAUTHENTICATED', coded(16), 'ignored'],
    ['a number that is no code', coded(17), 'failure'],
    ['system: ECONNRESET', coded('ECONNRESET', { errno: -104 }), 'failure'],
    ['system: EPIPE', coded('EPIPE'), 'failure'],
    ['system: ETIMEDOUT', coded('ETIMEDOUT'), 'timed out'],
    ['system: ESOCKETTIMEDOUT', coded('ESOCKETTIMEDOUT'), 'timed out'],
    ['system: EAI_AGAIN', coded('EAI_AGAIN'), 'failure'],
    ['ours: a time limit', new TimeoutError('too late', { hint }), 'timed out'],
    ['ours: cancelled', new CancelledError('left', { hint }), 'ignored'],
    ['ours: trying again will not help', new TerminalError('no such order'), 'ignored'],
    ['ours: an inner breaker is open', BreakerOpenError.of({ key: 'k', level: 'call', state: 'open', retryAfterMs: 5 }), 'ignored'],
    ['ours: anything else', new StoreUnavailableError('locked', { hint }), 'ignored'],
    ['a TypeError whose cause is a text', fetchFailed('text'), 'failure'],
    ['a TypeError of one’s own code', new TypeError('x is not a function'), 'failure'],
  ];
  for (const [name, error, expected] of table) {
    it(`${name}: ${expected}`, () => expect(classifyError(error, clock)).to.deep.equal(shown(expected)));
  }

  it('is a failure when causes go in a circle', () => {
    const one = fetchFailed(undefined);
    one.cause = fetchFailed(one);
    expect(classifyWith(undefined, { ok: false, error: one }, clock)).to.deep.equal({ verdict: 'failure' });
  });
});

describe('a function of one’s own that classifies', () => {
  const said = (classify: unknown, error: unknown = new Error('down')): object =>
    classifyWith(classify as Classify, { ok: false, error }, clock);

  for (const verdict of ['success', 'failure', 'ignored', 'throttled'] as const) {
    it(`says ${verdict}`, () => {
      expect(said(() => verdict)).to.deep.equal({ verdict });
      expect(said(() => ({ verdict, retryAfterMs: 70 }))).to.deep.equal({ verdict, retryAfterMs: 70 });
    });
  }

  it('is given the outcome, and leaves to the default what it does not know', () => {
    const classify: Classify = (outcome) => (outcome.ok && outcome.value === 'soft error' ? 'failure' : undefined);
    expect(classifyWith(classify, { ok: true, value: 'soft error' }, clock).verdict).to.equal('failure');
    expect(classifyWith(classify, { ok: true, value: 'fine' }, clock).verdict).to.equal('success');
    expect(classifyWith(classify, { ok: false, error: { status: 404 } }, clock).verdict).to.equal('ignored');
  });

  const nonsense: readonly unknown[] = [
    'succes',
    '',
    'toString',
    '__proto__',
    null,
    0,
    5,
    true,
    {},
    { verdict: 'constructor' },
    { verdict: null },
  ];
  for (const each of nonsense) {
    it(`counts as a failure when it says ${typeof each === 'string' ? `“${each}”` : JSON.stringify(each)}`, () => {
      expect(said(() => each)).to.deep.equal({ verdict: 'failure' });
    });
  }

  it('counts as a failure when it throws', () => {
    const fails: Classify = () => {
      throw new Error('a mistake');
    };
    expect(said(fails)).to.deep.equal({ verdict: 'failure' });
    expect(classifyWith(fails, { ok: true, value: 1 }, clock)).to.deep.equal({ verdict: 'failure' });
  });

  for (const retryAfterMs of [NaN, -1, '5', null]) {
    it(`asks for no wait when it asks for ${String(retryAfterMs)}`, () => {
      expect(said(() => ({ verdict: 'throttled', retryAfterMs }))).to.deep.equal({ verdict: 'throttled' });
    });
  }
});

describe('how long the other side wants to be left alone', () => {
  const inAMinute = new Date(monday + 60_000).toUTCString();
  const info = (retryDelay: unknown): object[] => [
    { '@type': 'type.googleapis.com/google.rpc.Help', links: [] },
    { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay },
  ];
  const table: readonly (readonly [string, object, number | undefined])[] = [
    ['seconds, Headers', { headers: new Headers({ 'Retry-After': '7' }) }, 7_000],
    ['seconds, a plain object', { headers: { 'retry-after': '7' } }, 7_000],
    ['seconds, with the capitals of the standard', { headers: { 'Retry-After': '7' } }, 7_000],
    ['seconds, as a number', { headers: { 'retry-after': 7 } }, 7_000],
    ['seconds, several values', { headers: { 'retry-after': ['7', '9'] } }, 7_000],
    ['seconds with a part', { headers: { 'retry-after': ' 0.5 ' } }, 500],
    ['none at all', { headers: { 'retry-after': '0' } }, 0],
    ['a date', { headers: { 'retry-after': inAMinute } }, 60_000],
    ['a date that is over', { headers: { 'retry-after': new Date(monday - 60_000).toUTCString() } }, 0],
    ['on the response of the error', { response: { headers: { 'retry-after': '3' } } }, 3_000],
    ['on a fetch Response', new Response(null, { status: 503, headers: { 'retry-after': '4' } }), 4_000],
    ['retry-after-ms before retry-after', { headers: { 'retry-after-ms': '1500', 'retry-after': '2' } }, 1_500],
    ['retry-after-ms, Headers', { headers: new Headers({ 'retry-after-ms': '20.5' }) }, 20.5],
    ['retry-after-ms that is empty', { headers: { 'retry-after-ms': '', 'retry-after': '2' } }, 2_000],
    ['retry-after-ms that is no number', { headers: { 'retry-after-ms': 'soon', 'retry-after': '2' } }, 2_000],
    ['RetryInfo as JSON', { details: info('34s') }, 34_000],
    ['RetryInfo with a part of a second', { details: info('34.125s') }, 34_125],
    ['RetryInfo as a message', { details: info({ seconds: '34', nanos: 500_000_000 }) }, 34_500],
    ['RetryInfo of @google/generative-ai', { errorDetails: info('12s') }, 12_000],
    ['RetryInfo of a gRPC error of Google', { details: 'quota', statusDetails: info({ seconds: 12, nanos: 0 }) }, 12_000],
    ['RetryInfo that says nothing', { details: info('soon') }, undefined],
    ['details that are null', { details: [null] }, undefined],
    ['retryAfterMs of our own errors', { retryAfterMs: 250 }, 250],
    ['retryAfterMs that is negative', { retryAfterMs: -5 }, undefined],
    ['a word', { headers: { 'retry-after': 'soon' } }, undefined],
    ['no such header', { headers: new Headers() }, undefined],
    ['headers that are null', { headers: null, response: null }, undefined],
    ['nothing', {}, undefined],
  ];
  for (const [name, source, expected] of table) {
    it(`${name}: ${String(expected)}`, () => expect(retryAfterOf(source, clock)).to.equal(expected));
  }

  it('is part of what an answer says of the service when it fails or slows down, and only then', () => {
    const headers = { 'retry-after': '7' };
    const value = (status: number): object => classifyValue({ status, headers }, clock);
    expect(value(503)).to.deep.equal({ verdict: 'failure', retryAfterMs: 7_000 });
    expect(value(429)).to.deep.equal({ verdict: 'throttled', retryAfterMs: 7_000 });
    expect(value(404)).to.deep.equal({ verdict: 'ignored' });
    expect(classifyError({ code: 8, details: [{ retryDelay: '2s' }] }, clock)).to.deep.equal({ verdict: 'throttled', retryAfterMs: 2_000 });
    expect(classifyError(axios(503, headers), clock)).to.deep.equal({ verdict: 'failure', retryAfterMs: 7_000 });
    expect(classifyError(new RateLimitError(429, new Headers(headers)), clock)).to.include({ retryAfterMs: 7_000 });
  });
});

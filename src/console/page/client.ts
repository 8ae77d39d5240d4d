/** Asks the server: JSON in and out, failures with their code and hint, the token with what acts. */

import { signal } from '@preact/signals';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { About, Done, Failure } from '../api.js';
import { told } from './notices.js';
import { askForToken, forgetToken, token } from './token.js';

export class RefusedError extends Error {
  constructor(
    readonly status: number,
    readonly failure: Failure,
  ) {
    super(failure.message);
  }
}

/** A part of the page that is loaded when it is wanted could not be had: the server was away, or has another page by now. */
export class NotFetchedError extends Error {
  constructor(readonly what: string) {
    super(`${what} could not be fetched`);
  }
}

export const about = signal<About | undefined>(undefined);
/** The server's clock less this machine's. */
export const ahead = signal(0);

export const failureOf = (error: unknown): Failure =>
  error instanceof RefusedError
    ? error.failure
    : { code: 'UNREACHABLE', message: 'The server does not answer.', hint: 'Is the process that serves this page still running?' };

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(`api/${path}`, { ...init, credentials: 'same-origin' });
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new RefusedError(response.status, {
      code: `HTTP_${String(response.status)}`,
      message: text.slice(0, 200) || response.statusText,
    });
  }
  if (!response.ok) throw new RefusedError(response.status, body as Failure);
  return body as T;
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => call<T>(path, signal === undefined ? {} : { signal });

/** Why nobody can act here; undefined: one can. */
export function whyReadOnly(): string | undefined {
  if (about.value === undefined) return 'Not connected.';
  return about.value.acts ? undefined : 'Read-only: this console looks at a store, no runtime that could act is behind it.';
}

const order = (path: string, given: string, body: unknown): Promise<Done> =>
  call<Done>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${given}` },
    body: JSON.stringify(body),
  });

/** Why the server does not take the token; undefined: it does, or does not answer now. */
async function whyRefused(given: string): Promise<string | undefined> {
  try {
    await order('token', given, {});
  } catch (error) {
    if (error instanceof RefusedError && error.status === 401) return error.failure.message;
  }
  return undefined;
}

/** Tries the token that came with the address, or is left from another console: whoever may not act is to know before he tries. */
export async function tryToken(): Promise<void> {
  const given = token.peek();
  const refused = given === undefined || about.peek()?.acts !== true ? undefined : await whyRefused(given);
  if (refused === undefined || token.peek() !== given) return;
  forgetToken();
  told({ kind: 'bad', text: `Read-only: ${refused}.`, hint: 'Press k to enter the one that was printed when the console was started.' });
}

/** Asks for the token until it is taken, or the person would rather not. */
export async function enterToken(): Promise<void> {
  let refused: string | undefined;
  do {
    const given = await askForToken(refused);
    if (given === undefined) return;
    refused = about.peek()?.acts === true ? await whyRefused(given) : undefined;
    if (refused !== undefined) forgetToken();
  } while (refused !== undefined);
}

/** Acts, asks for the token when there is none or it is refused, and says how it went. Undefined: it did not. */
export async function act(what: string, path: string, body: unknown = {}): Promise<Done | undefined> {
  const closed = whyReadOnly();
  if (closed !== undefined) {
    told({ kind: 'bad', text: closed });
    return undefined;
  }
  let refused: string | undefined;
  for (;;) {
    const given = refused === undefined ? (token.peek() ?? (await askForToken())) : await askForToken(refused);
    if (given === undefined) return undefined;
    try {
      const done = await order(path, given, body);
      told({ kind: 'good', text: `${what}: done${done.count === undefined ? '' : ` (${String(done.count)})`}.` });
      return done;
    } catch (error) {
      const failure = failureOf(error);
      if (!(error instanceof RefusedError) || error.status !== 401) {
        told({
          kind: 'bad',
          text: `${what}: ${failure.message}`,
          code: failure.code,
          ...(failure.hint === undefined ? {} : { hint: failure.hint }),
        });
        return undefined;
      }
      forgetToken();
      refused = failure.message;
    }
  }
}

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly failure: Failure | undefined;
  readonly reload: () => void;
  readonly put: (change: (data: T) => T) => void;
}

/** What `path` answers, asked again when it changes. The old answer stays until the new one is there. */
export function useLoaded<T>(path: string | undefined): Loaded<T> {
  const [state, setState] = useState<{ readonly path?: string; readonly data?: T; readonly failure?: Failure }>({});
  const asking = useRef<AbortController | undefined>(undefined);
  const load = useCallback(() => {
    asking.current?.abort();
    if (path === undefined) return;
    const controller = new AbortController();
    asking.current = controller;
    get<T>(path, controller.signal).then(
      (data) => setState({ path, data }),
      (error: unknown) => {
        if (!controller.signal.aborted)
          setState((before) => ({ ...(before.path === path ? before : { path }), failure: failureOf(error) }));
      },
    );
  }, [path]);
  useEffect(() => {
    load();
    return () => asking.current?.abort();
  }, [load]);
  const put = useCallback((change: (data: T) => T) => {
    setState((before) => (before.data === undefined ? before : { ...before, data: change(before.data) }));
  }, []);
  return { data: state.data, failure: state.failure, reload: load, put };
}

/** The line on which the server tells what happens. One for the page; it is opened again when what is looked at changes, and when it breaks. */

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { StreamEvent } from '../api.js';
import { ahead } from './client.js';

type Type = StreamEvent['type'];
type Told<T extends Type> = Extract<StreamEvent, { readonly type: T }>;

export const line = signal<'opening' | 'open' | 'lost'>('opening');
/** Counts how often it was opened after it had been lost: what was loaded before may be old. */
export const returns = signal(0);

const types: readonly Type[] = ['agent', 'agents', 'counts', 'breakers', 'tree', 'people', 'dead-letters', 'beat'];
const listeners = new Map<Type, Set<(event: never) => void>>();
/** Silence that long means that nobody is there: the server beats more often. */
const silenceMs = 45_000;
const longestPauseMs = 10_000;

let source: EventSource | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let watchdog: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
/** Nobody can be told of an agent that is not there. */
export const missing = signal<string | undefined>(undefined);

export function follow(agent: string | undefined, topics: readonly Type[]): void {
  const query = new URLSearchParams({ ...(agent === undefined ? {} : { agent }), topics: topics.join(',') });
  clearTimeout(retry);
  open(`api/stream?${query.toString()}`);
}

function open(url: string): void {
  source?.close();
  const opened = new EventSource(url);
  source = opened;
  const alive = (): void => {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, silenceMs);
  };
  const lost = (): void => {
    if (source !== opened) return;
    opened.close();
    clearTimeout(watchdog);
    failures += 1;
    // Not worth a word when it is back at once.
    if (failures > 1) line.value = 'lost';
    retry = setTimeout(() => open(url), Math.min(longestPauseMs, 150 * 2 ** Math.min(failures, 7)));
  };
  opened.onopen = () => {
    if (failures > 0) returns.value += 1;
    failures = 0;
    line.value = 'open';
    alive();
  };
  opened.onerror = lost;
  for (const type of types) {
    opened.addEventListener(type, (message: MessageEvent<string>) => {
      alive();
      const event = JSON.parse(message.data) as StreamEvent;
      if (event.type === 'beat') ahead.value = event.now - Date.now();
      for (const listener of listeners.get(type) ?? []) listener(event as never);
    });
  }
}

/** Hears of `type` until the returned function is called. */
export function listen<T extends Type>(type: T, listener: (event: Told<T>) => void): () => void {
  const all = listeners.get(type) ?? new Set();
  listeners.set(type, all);
  all.add(listener);
  return () => all.delete(listener);
}

/** For as long as the component is there. */
export function useTold<T extends Type>(type: T, listener: (event: Told<T>) => void, on: readonly unknown[] = []): void {
  useEffect(() => listen(type, listener), on);
}

/** Calls when the line is back after it was lost. */
export function useReturn(reload: () => unknown): void {
  const times = returns.value;
  useEffect(() => {
    if (times > 0) reload();
  }, [times]);
}

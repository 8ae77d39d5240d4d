/** Numbers, times and states as a person reads them. */

import { signal } from '@preact/signals';
import { ahead } from './client.js';

/** The server's time, once a second. */
export const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now() + ahead.peek();
}, 1_000);

const grouped = new Intl.NumberFormat('en');
export const count = (value: number): string => grouped.format(value);
export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

/** `1.2k`, `34M`. */
export function short(value: number): string {
  if (value < 10) return String(Math.round(value * 100) / 100);
  if (value < 1_000) return String(Math.round(value));
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= size) return `${String(Number((value / size).toPrecision(3)))}${unit}`;
  }
  return String(value);
}

export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  for (; size >= 1_000 && unit < units.length - 1; unit++) size /= 1_000;
  return `${String(unit === 0 ? Math.round(size) : Number(size.toPrecision(3)))} ${units[unit] as string}`;
}

/** `820 ms`, `4.2 s`, `3 min 5 s`, `2 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${String(Math.max(0, Math.round(ms)))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${String(value)} ${unit}`)
    .join(' ');
}

/** `now`, `12 s ago`, `in 3 min`. */
export function age(at: number, from: number): string {
  const ms = from - at;
  if (Math.abs(ms) < 1_500) return 'now';
  const text = coarse(Math.abs(ms));
  return ms > 0 ? `${text} ago` : `in ${text}`;
}

function coarse(ms: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
  ] as const) {
    if (ms >= size) return `${String(Math.floor(ms / size))} ${unit}`;
  }
  return `${String(Math.floor(ms / 1_000))} s`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });
const day = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short', year: 'numeric' });
export const time = (at: number): string => clock.format(at);
export const moment = (at: number): string => `${day.format(at)}, ${clock.format(at)}`;

/** `open`, `packing.box`, `packing.{box.a, papers.p}`. */
export function stateText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  const parts = Object.entries(value).map(([key, inner]) => {
    const deeper = stateText(inner);
    return deeper === '' ? key : `${key}.${deeper}`;
  });
  return parts.length === 1 ? (parts[0] as string) : parts.length === 0 ? '' : `{${parts.join(', ')}}`;
}

/** XState's own names for what a state waits for or invokes, as one would say them: `after 1 h in order.paying`, `order.paying`. */
export function spoken(name: string): string {
  const after = /^#?xstate\.after\.(\d+)\.(?:\(machine\)|(.*))$/.exec(name);
  if (after !== null) return `after ${duration(Number(after[1]))}${after[2] === undefined ? '' : ` in ${after[2]}`}`;
  return name.replace(/^xstate\.(done|error)\.actor\./, '$1: ').replace(/^((?:done|error): )?\d+\./, '$1');
}

/** On one line, cut. */
export function brief(value: unknown, length = 80): string {
  if (value === undefined) return '';
  const text = JSON.stringify(value) ?? '';
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Messages of errors begin small and end without a stop. */
export function sentence(text: string): string {
  const begun = /^[a-z]+ /.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text;
  return /[\p{L}\p{N}"')\]]$/u.test(begun) ? `${begun}.` : begun;
}

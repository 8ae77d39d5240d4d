/** Breakers in words: how one stands, its rates as small pictures and figures. */

import type { BreakerState } from '../breakers/contract.js';
import type { SeenBreaker } from '../runtime/seen-breakers.js';
import type { Colour } from './output.js';

export const stateColours: Readonly<Record<BreakerState, Colour>> = {
  closed: 'green',
  degraded: 'yellow',
  open: 'red',
  ramping: 'cyan',
  isolated: 'red',
};

/** `open`; `closed, open in 1 of 4`; `closed, to be isolated`. */
export function stateInWords({ notes, pending }: SeenBreaker): string {
  const live = notes.filter((one) => one.live);
  const [first] = notes;
  const { state } = first?.note.saved ?? { state: '' };
  const others = new Map<string, number>();
  for (const { note } of live) if (note.saved.state !== state) others.set(note.saved.state, (others.get(note.saved.state) ?? 0) + 1);
  const parts = [
    ...(state === '' ? [] : [state]),
    ...[...others].map(([other, nodes]) => `${other} in ${String(nodes)} of ${String(live.length)}`),
    ...(pending === undefined ? [] : [pending.order === 'isolate' ? 'to be isolated' : 'to be released']),
  ];
  return parts.join(', ');
}

const bars = '▁▂▃▄▅▆▇█';

/** As so many characters; `·` for a time without calls. */
export function sparkline(rates: readonly (number | null)[], length: number): string {
  const each = rates.length / length;
  return Array.from({ length }, (_, index) => {
    const part = rates.slice(Math.round(index * each), Math.round((index + 1) * each)).filter((rate) => rate !== null);
    if (part.length === 0) return '·';
    const worst = Math.max(...part);
    return bars[Math.min(bars.length - 1, Math.floor(worst * bars.length))] as string;
  }).join('');
}

/** The rate of the last minute; undefined: there were no calls. */
export function currentRate(rates: readonly (number | null)[]): number | undefined {
  return (
    rates
      .slice(-6)
      .filter((rate) => rate !== null)
      .at(-1) ?? undefined
  );
}

/** `2.1 %`, `43 %`. */
export function percent(share: number): string {
  return `${digits(share)} %`;
}

/** `0.8–3.1 %`. */
export function band(expected: number | null, tolerated: number | null): string {
  if (expected === null || tolerated === null) return '';
  return `${digits(expected)}–${digits(tolerated)} %`;
}

/** `12/s`; `–`: no cap. */
export function rate(perSecond: number | null): string {
  return perSecond === null ? '–' : `${perSecond === 0 || perSecond >= 10 ? String(Math.round(perSecond)) : perSecond.toFixed(1)}/s`;
}

function digits(share: number): string {
  const hundredths = 100 * share;
  return hundredths < 9.95 && hundredths > 0 ? hundredths.toFixed(1) : String(Math.round(hundredths));
}

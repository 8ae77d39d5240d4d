/** Ages as people write them: `30d`, `12h`, `45min`, `90s`. */

import { UsageError } from './usage-error.js';

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds. @throws UsageError */
export function parseAge(option: string, text: string): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text) ?? [];
  const ms = Number(amount) * (units[unit] ?? NaN);
  if (text === '0') return 0;
  if (amount !== '' && Number.isFinite(ms)) return ms;
  throw new UsageError(`--${option} is "${text}"`, 'Give a number with its unit, ms, s, min, h, d or w: 30d.');
}

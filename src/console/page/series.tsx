/** Series of numbers as small pictures: sparklines, and charts of a few minutes that tell their value under the pointer. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { short, time } from './words.js';

const round = (value: number): string => String(Math.round(value * 100) / 100);

function lineThrough(values: readonly number[], top: number, width: number, height: number): string {
  const step = values.length < 2 ? 0 : width / (values.length - 1);
  return values
    .map((value, index) => `${index === 0 ? 'M' : 'L'}${round(index * step)} ${round(height - (value / top) * height)}`)
    .join('');
}

interface Point {
  readonly calls: number;
  readonly failures: number;
  readonly open: number;
}

/** Calls as an area, failures over it, and under both a band that tells when the breaker was open. */
export function BreakerSpark({ past }: { readonly past: readonly Point[] }): VNode {
  const [width, height] = [240, 36];
  const top = Math.max(1, ...past.map(({ calls }) => calls));
  const step = width / Math.max(1, past.length);
  const calls = lineThrough(
    past.map((point) => point.calls),
    top,
    width,
    height,
  );
  const failures = lineThrough(
    past.map((point) => point.failures),
    top,
    width,
    height,
  );
  const close = `L${String(width)} ${String(height)}L0 ${String(height)}Z`;
  const last = past.at(-1);
  const words = last === undefined ? 'no calls seen' : `${String(last.calls)} calls in the window, ${String(last.failures)} of them failed`;
  return (
    <>
      <svg class="spark" viewBox={`0 -2 ${String(width)} ${String(height + 8)}`} preserveAspectRatio="none" role="img" aria-label={words}>
        {past.length > 1 && (
          <>
            <path class="spark-area" d={`${calls}${close}`} />
            <path class="spark-line" d={calls} />
            <path class="spark-bad" d={`${failures}${close}`} />
          </>
        )}
        {past.map(({ open }, index) =>
          open === 0 ? null : (
            <rect
              key={index}
              class={open === 1 ? 'spark-open' : 'spark-half'}
              x={round(index * step)}
              y={height + 2}
              width={round(step + 0.5)}
              height={4}
            />
          ),
        )}
      </svg>
      <p class="spark-words" aria-hidden="true">
        {past.length < 2 ? 'seen from now on' : `last ${duration(past.length)}`}
        <span class="spark-key">calls</span>
        <span class="spark-key bad">failed</span>
        <span class="spark-key under">under the line: open</span>
      </p>
    </>
  );
}

export interface Line {
  readonly name: string;
  readonly values: readonly number[];
  readonly second?: boolean;
}

interface ChartProps {
  readonly title: string;
  readonly unit?: string;
  readonly lines: readonly Line[];
  /** Of the last value; one a second. */
  readonly at: number;
  /** Counts that are mostly nothing. */
  readonly bars?: boolean;
  /** What matters is how many there were, not how many in the last second. */
  readonly total?: boolean;
  readonly format?: (value: number) => string;
}

export function Chart({ title, unit = '', lines, at, bars = false, total = false, format = short }: ChartProps): VNode {
  const [hovered, setHovered] = useState<number | undefined>(undefined);
  const [width, height] = [300, 84];
  const length = Math.max(0, ...lines.map(({ values }) => values.length));
  const peak = Math.max(0, ...lines.flatMap(({ values }) => values));
  const top = niceTop(peak);
  const index = hovered ?? length - 1;
  const step = length < 2 ? width : width / (length - 1);
  const all = total && hovered === undefined;
  const told = lines.map(({ values }) => (all && values.length > 0 ? values.reduce((sum, value) => sum + value, 0) : values[index]));
  const find = (event: PointerEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    setHovered(Math.max(0, Math.min(length - 1, Math.round(part * (length - 1)))));
  };
  return (
    <figure class="series">
      <figcaption>
        <span class="series-title">{title}</span>
        <span class="series-values">
          {lines.map(({ name, second = false }, n) => (
            <span key={name} class={second ? 'second' : ''}>
              {lines.length > 1 && <span class="series-name">{name}</span>}
              <b>{told[n] === undefined ? '–' : format(told[n])}</b>
            </span>
          ))}
          <span class="unit">{all && length > 0 ? `in ${duration(length)}` : unit}</span>
        </span>
      </figcaption>
      <svg
        viewBox={`0 -1 ${String(width)} ${String(height + 2)}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${lines.map(({ name }, n) => `${lines.length > 1 ? `${name} ` : ''}${told[n] === undefined ? 'nothing yet' : format(told[n])}`).join(', ')} ${unit}; at most ${format(peak)} in the last ${String(Math.ceil(length / 60))} minutes`}
        onPointerMove={find}
        onPointerLeave={() => setHovered(undefined)}
      >
        {[0, 0.5, 1].map((part) => (
          <line key={part} class="grid" x1={0} x2={width} y1={height * part} y2={height * part} />
        ))}
        {lines.map(({ name, values, second = false }) => {
          const line = bars ? barsOf(values, top, width, height) : lineThrough(values, top, width, height);
          const area = bars || second || length < 2 ? '' : `${line}L${String(width)} ${String(height)}L0 ${String(height)}Z`;
          return (
            <g key={name} class={second ? 'second' : ''}>
              {area !== '' && <path class="area" d={area} />}
              <path class={bars ? 'bars' : 'line'} d={line} />
            </g>
          );
        })}
        {hovered !== undefined && <line class="cross" x1={hovered * step} x2={hovered * step} y1={0} y2={height} />}
      </svg>
      <div class="series-foot">
        <span>
          {length === 0
            ? 'nothing yet'
            : hovered === undefined
              ? `${duration(length)} ago`
              : time(at - (length - 1 - index) * 1_000).slice(0, 8)}
        </span>
        {peak > 0 && <span>max {format(peak)}</span>}
        <span>now</span>
      </div>
    </figure>
  );
}

const duration = (seconds: number): string => (seconds < 60 ? `${String(seconds)} s` : `${String(Math.round(seconds / 60))} min`);

function barsOf(values: readonly number[], top: number, width: number, height: number): string {
  const step = values.length < 2 ? 0 : width / (values.length - 1);
  return values
    .map((value, index) => (value === 0 ? '' : `M${round(index * step)} ${String(height)}V${round(height - (value / top) * height)}`))
    .join('');
}

/** The next of 1, 2, 5, 10, … */
function niceTop(peak: number): number {
  if (peak <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(peak));
  return ([1, 2, 5, 10].find((part) => part * size >= peak) ?? 10) * size;
}

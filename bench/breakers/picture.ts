/**
 * One scenario as an SVG picture: what was offered and admitted, what failed beside the threshold, and the guard's state as a band.
 * It brings its own background and colours, so that it reads the same on a light page and on a dark one.
 */

import type { Scenario } from './scenarios/scenario.js';
import type { Series } from './series.js';
import { fullCapacity } from './world/service.js';

const width = 960;
const left = 70;
const right = 24;
const inner = width - left - right;
const ink = '#1f2933';
const faint = '#7b8794';
const grid = '#e4e7eb';
const states: Readonly<Record<string, { readonly colour: string; readonly says: string }>> = {
  closed: { colour: '#8fce9b', says: 'closed' },
  degraded: { colour: '#f2c14e', says: 'degraded' },
  ramping: { colour: '#6ca6e0', says: 'ramping' },
  'half-open': { colour: '#6ca6e0', says: 'half-open' },
  open: { colour: '#d64545', says: 'open' },
  isolated: { colour: '#5b4b8a', says: 'isolated' },
};

interface Line {
  readonly values: readonly (number | null)[];
  readonly colour: string;
  readonly says: string;
  readonly dashed?: boolean;
}

interface Panel {
  readonly top: number;
  readonly height: number;
  readonly unit: string;
  readonly most: number;
  readonly lines: readonly Line[];
}

export function picture(scenario: Scenario, policy: string, seed: number, series: Series): string {
  const most = (...all: readonly (readonly (number | null)[])[]): number => Math.max(1, ...all.flat().map((value) => value ?? 0));
  const panels: Panel[] = [
    {
      top: 84,
      height: 90,
      unit: 'calls/s',
      most: niceTop(most(series.attempted)),
      lines: [{ values: series.attempted, colour: '#8d6cab', says: 'offered to the guard: first tries and retries' }],
    },
    {
      top: 216,
      height: 190,
      unit: 'calls/s',
      most: niceTop(Math.min(2.5 * fullCapacity, most(series.admitted, series.served, series.offered, series.capacity))),
      lines: [
        { values: series.capacity, colour: faint, says: 'the service can take', dashed: true },
        { values: series.offered, colour: '#b58b3a', says: 'new requests' },
        { values: series.admitted, colour: '#2b6cb0', says: 'admitted' },
        { values: series.served, colour: '#2f855a', says: 'served' },
      ],
    },
    {
      top: 448,
      height: 100,
      unit: '%',
      most: 100,
      lines: [
        { values: series.failing.map(percent), colour: '#e39191', says: 'calls that failed' },
        { values: series.threshold.map(percent), colour: '#c53030', says: 'threshold' },
      ],
    },
  ];
  const band = { top: 566, height: 18 };
  const bottom = band.top + band.height;
  const height = bottom + 78;
  const count = series.state.length;
  const x = (index: number): number => left + (inner * index) / count;
  const faultAt = scenario.faults[0]?.fromMs;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="${ink}" role="img" aria-label="${escape(scenario.title)}, ${escape(policy)}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>`,
    `<text x="${left}" y="30" font-size="17" font-weight="600">${escape(scenario.title)}</text>`,
    `<text x="${left}" y="50" fill="${faint}">${escape(policy)}, seed ${seed}; each point is the mean of ${spell(series.bucketS)}</text>`,
  ];
  for (const fault of scenario.faults) {
    const [from, to] = [x(fault.fromMs / 1_000 / series.bucketS), x(fault.toMs / 1_000 / series.bucketS)];
    parts.push(
      `<rect x="${fixed(from)}" y="84" width="${fixed(to - from)}" height="${bottom - 84}" fill="#f7ece4"/>`,
      `<text x="${fixed((from + to) / 2)}" y="${bottom + 58}" text-anchor="middle" fill="#9c4221">${faultNames[fault.kind]}</text>`,
    );
  }
  const ticks = timeTicks(scenario, series, faultAt);
  for (const { index } of ticks) {
    parts.push(`<line x1="${fixed(x(index))}" x2="${fixed(x(index))}" y1="84" y2="${bottom + 4}" stroke="${grid}"/>`);
  }
  for (const panel of panels) parts.push(...drawPanel(panel, x));
  parts.push(...drawBand(series, band, x));
  for (const { index, says } of ticks) {
    parts.push(`<text x="${fixed(x(index))}" y="${bottom + 20}" text-anchor="middle">${says}</text>`);
  }
  parts.push(
    `<text x="${left + inner / 2}" y="${bottom + 39}" text-anchor="middle" fill="${faint}">${faultAt === undefined ? 'day of the week, from 0 h UTC' : 'minutes since the begin of the fault'}</text>`,
    '</svg>',
  );
  return `${parts.join('\n')}\n`;
}

const faultNames = {
  errors: 'errors that have nothing to do with load',
  capacity: 'less capacity',
  outage: 'outage',
  network: "one node's network fails",
} as const;

function drawPanel(panel: Panel, x: (index: number) => number): string[] {
  const { top, height, most, unit, lines } = panel;
  const y = (value: number): number => top + height - (height * Math.min(value, most)) / most;
  const parts: string[] = [];
  const steps = height > 150 ? 4 : 2;
  for (let step = 0; step <= steps; step += 1) {
    const value = (most * step) / steps;
    parts.push(
      `<line x1="${left}" x2="${left + inner}" y1="${fixed(y(value))}" y2="${fixed(y(value))}" stroke="${step === 0 ? faint : grid}"/>`,
      `<text x="${left - 8}" y="${fixed(y(value) + 4)}" text-anchor="end">${value}</text>`,
    );
  }
  parts.push(
    `<text transform="translate(${left - 46} ${top + height / 2}) rotate(-90)" text-anchor="middle" fill="${faint}">${unit}</text>`,
  );
  let legend = left;
  for (const { values, colour, says, dashed } of lines) {
    let path = '';
    let drawing = false;
    values.forEach((value, index) => {
      if (value === null) {
        drawing = false;
        return;
      }
      path += `${drawing ? 'L' : 'M'}${fixed(x(index + 0.5))} ${fixed(y(value))}`;
      drawing = true;
    });
    const dash = dashed === true ? ' stroke-dasharray="5 4"' : '';
    if (path === '') continue;
    parts.push(
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.7" stroke-linejoin="round"${dash}/>`,
      `<line x1="${legend}" x2="${legend + 18}" y1="${top - 13}" y2="${top - 13}" stroke="${colour}" stroke-width="3"${dash}/>`,
      `<text x="${legend + 24}" y="${top - 9}">${escape(says)}</text>`,
    );
    legend += 46 + says.length * 6.4;
  }
  if (lines.some(({ values }) => values.some((value) => (value ?? 0) > most))) {
    parts.push(`<text x="${left + inner}" y="${top - 9}" text-anchor="end" fill="${faint}">cut off at ${most}</text>`);
  }
  return parts;
}

function drawBand(series: Series, { top, height }: { top: number; height: number }, x: (index: number) => number): string[] {
  const parts = [`<text x="${left - 8}" y="${top + 13}" text-anchor="end" fill="${faint}">state</text>`];
  let from = 0;
  series.state.forEach((state, index) => {
    if (series.state[index + 1] === state) return;
    const title = states[state]?.says ?? state;
    parts.push(
      `<rect x="${fixed(x(from))}" y="${top}" width="${fixed(x(index + 1) - x(from))}" height="${height}" fill="${states[state]?.colour ?? faint}"><title>${title}</title></rect>`,
    );
    from = index + 1;
  });
  let legend = left;
  for (const [state, { colour, says }] of Object.entries(states)) {
    if (!series.state.includes(state)) continue;
    parts.push(
      `<rect x="${legend}" y="${top + height + 48}" width="12" height="12" fill="${colour}"/>`,
      `<text x="${legend + 17}" y="${top + height + 58}">${says}</text>`,
    );
    legend += 34 + says.length * 7;
  }
  return parts;
}

function timeTicks(scenario: Scenario, series: Series, faultAt: number | undefined): { index: number; says: string }[] {
  const lengthS = scenario.lengthMs / 1_000;
  if (faultAt === undefined) {
    const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
    return days.slice(0, Math.ceil(lengthS / 86_400)).map((says, day) => ({ index: (day * 86_400) / series.bucketS, says }));
  }
  const everyS = 300;
  const ticks = [];
  for (let second = (faultAt / 1_000) % everyS; second <= lengthS; second += everyS) {
    ticks.push({ index: second / series.bucketS, says: String(Math.round((second - faultAt / 1_000) / 60)) });
  }
  return ticks;
}

/** The next figure above that divides well. */
function niceTop(value: number): number {
  const tops = [1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 60, 80, 100, 120, 160, 200, 240, 320, 400, 600, 800, 1_000, 1_600, 2_400, 4_000];
  return tops.find((top) => top >= value) ?? Math.ceil(value / 1_000) * 1_000;
}

function percent(share: number | null): number | null {
  return share === null ? null : share * 100;
}

function fixed(figure: number): string {
  return figure.toFixed(1);
}

function spell(seconds: number): string {
  return seconds >= 60 ? `${seconds / 60} min` : `${seconds} s`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/**
 * A chart as a picture that stands alone. Every state is a group with `data-state`, every transition one with `data-edge`: whoever shows it lights
 * them by the classes `sw-active` and `sw-lit`, without drawing it again.
 */

import {
  dotRadius,
  type Box,
  type Edge,
  type Geometry,
  type LabelBox,
  type Path,
  type Point,
  type Rectangle,
  type TextLine,
} from './geometry.js';
import { styleOf, type Theme } from './svg-style.js';

export interface SvgOptions {
  /** Ids of states, as `activeIn` says. */
  readonly active?: Iterable<string>;
  /** Ids of edges, such as the transition that was taken last. */
  readonly lit?: Iterable<string>;
  readonly theme?: Theme;
  /** Of the picture; else the machine's id. */
  readonly title?: string;
}

const roundness = 8;

export function svgOf(geometry: Geometry, options: SvgOptions = {}): string {
  const { theme = 'auto', title = geometry.id } = options;
  const active = new Set(options.active);
  const lit = new Set(options.lit);
  const { width, height, boxes, edges } = geometry;
  const errors = new Set(geometry.internal.filter(({ trigger }) => trigger === 'error').map(({ id }) => id));
  const sized = `width="${String(width)}" height="${String(height)}" viewBox="0 0 ${String(width)} ${String(height)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="sw-chart" role="img" ${sized}>`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(inWords(geometry, active))}</desc>`,
    `<style>${styleOf(theme)}</style>`,
    `<rect class="sw-ground" width="${String(width)}" height="${String(height)}"/>`,
    ...boxes.map((box) =>
      stateGroup(box, active.has(box.id), (id) => `${errors.has(id) ? ' sw-error' : ''}${lit.has(id) ? ' sw-lit' : ''}`),
    ),
    // Lines first: a label's ground hides those that pass behind it.
    ...edges.map((edge) => edgeGroup(edge, lit.has(edge.id))),
    '</svg>',
    '',
  ].join('\n');
}

function inWords({ boxes, edges, internal }: Geometry, active: ReadonlySet<string>): string {
  const transitions = edges.filter(({ label }) => label !== undefined).length + internal.length;
  const shown = boxes.filter(({ id }) => active.has(id)).map(({ id }) => id);
  const sentence = `Statechart: ${count(boxes.length, 'state')}, ${count(transitions, 'transition')}.`;
  return shown.length === 0 ? sentence : `${sentence} Active: ${shown.join(', ')}.`;
}

const count = (n: number, what: string): string => `${String(n)} ${what}${n === 1 ? '' : 's'}`;

function stateGroup(box: Box, isActive: boolean, classesOf: (edge: string) => string): string {
  const { id, kind, region, collapsed, lines, head, height } = box;
  const isOpen = head < height;
  const classes = [
    'sw-state',
    `sw-${kind}`,
    ...(isOpen ? ['sw-open'] : []),
    ...(region ? ['sw-region'] : []),
    ...(isActive ? ['sw-active'] : []),
  ];
  const open = `<g class="${classes.join(' ')}" data-state="${escaped(id)}"${collapsed === undefined ? '' : ' data-collapsed=""'}>`;
  if (kind === 'history') {
    const [x, y, r] = [box.x + box.width / 2, box.y + height / 2, box.width / 2];
    return `${open}<circle class="sw-box" cx="${n(x)}" cy="${n(y)}" r="${n(r)}"/>${lines.map((line) => text(line)).join('')}</g>`;
  }
  const bar = barOf(box);
  const second = kind === 'final' ? rectangle(shrunk(box, 3), 'sw-second', roundness - 2.5) : '';
  // Behind a final state's second border its first ground shows.
  const ground = rectangle(box, 'sw-box', roundness);
  const pills = lines.filter(({ role }) => role === 'tag').map(pill);
  // One group for each internal transition, however many lines it takes.
  const plain = lines.filter(({ edge }) => edge === undefined).map((line) => text(line));
  const internal = new Map<string, string[]>();
  for (const line of lines) {
    if (line.edge !== undefined) internal.set(line.edge, [...(internal.get(line.edge) ?? []), text(line, classesOf(line.edge))]);
  }
  const groups = [...internal].map(([edge, texts]) => `<g data-edge="${escaped(edge)}">${texts.join('')}</g>`);
  return [open, ground, bar, second, ...pills, ...plain, ...groups, '</g>'].join('');
}

/** Behind the title. A box of only a title that has nothing in it needs none. */
function barOf({ x, y, width, height, head, lines, kind }: Box): string {
  const last = lines.filter(({ role }) => role === 'title').at(-1);
  const isBare = lines.every(({ role }) => role === 'title') && head === height;
  if (last === undefined || isBare) return '';
  const bottom = last.y + 8;
  const gap = kind === 'final' ? 3 : 0.6;
  const [left, right, top] = [x + gap, x + width - gap, y + gap];
  const r = roundness - gap;
  const round = `A${n(r)} ${n(r)} 0 0 1`;
  const path = `M${n(left)} ${n(bottom)}V${n(top + r)}${round} ${n(left + r)} ${n(top)}H${n(right - r)}${round} ${n(right)} ${n(top + r)}V${n(bottom)}Z`;
  return `<path class="sw-bar" d="${path}"/><path class="sw-rule" d="M${n(left)} ${n(bottom)}H${n(right)}"/>`;
}

function edgeGroup({ id, source, trigger, label, dot, paths }: Edge, isLit: boolean): string {
  const classes = ['sw-edge', `sw-${trigger === 'history' ? 'history-edge' : trigger}`, ...(isLit ? ['sw-lit'] : [])];
  const drawn = paths.map((path) => `<path class="sw-line" d="${lineOf(path)}"/>${path.arrow ? arrow(path) : ''}`);
  const circle = dot === undefined ? '' : `<circle class="sw-dot" cx="${n(dot.x)}" cy="${n(dot.y)}" r="${String(dotRadius)}"/>`;
  return `<g class="${classes.join(' ')}" data-edge="${escaped(id)}" data-source="${escaped(source)}">${drawn.join('')}${circle}${label === undefined ? '' : labelGroup(label)}</g>`;
}

function labelGroup(label: LabelBox): string {
  return `${rectangle(label, 'sw-label', 6)}${label.lines.map((line) => text(line)).join('')}`;
}

const arrowLength = 8;

/** Rounded at its corners; it ends where the arrowhead begins. */
function lineOf({ points, arrow }: Path): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let before = first;
  const parts = [`M${n(first.x)} ${n(first.y)}`];
  for (const [index, point] of rest.entries()) {
    const next = rest[index + 1];
    if (next === undefined) {
      const end = arrow ? towards(point, before, arrowLength - 1) : point;
      parts.push(`L${n(end.x)} ${n(end.y)}`);
    } else {
      const radius = Math.min(6, distance(before, point) / 2, distance(point, next) / 2);
      const [start, end] = [towards(point, before, radius), towards(point, next, radius)];
      parts.push(`L${n(start.x)} ${n(start.y)}Q${n(point.x)} ${n(point.y)} ${n(end.x)} ${n(end.y)}`);
    }
    before = point;
  }
  return parts.join('');
}

function arrow({ points }: Path): string {
  const tip = points.at(-1);
  const before = points.at(-2);
  if (tip === undefined || before === undefined) return '';
  const base = towards(tip, before, arrowLength);
  const [dx, dy] = [(tip.x - base.x) / 2, (tip.y - base.y) / 2];
  return `<path class="sw-head" d="M${n(tip.x)} ${n(tip.y)}L${n(base.x - dy)} ${n(base.y + dx)}L${n(base.x + dy)} ${n(base.y - dx)}Z"/>`;
}

const distance = (one: Point, other: Point): number => Math.hypot(one.x - other.x, one.y - other.y);

/** So far from `from` on the way to `to`. */
function towards(from: Point, to: Point, length: number): Point {
  const whole = distance(from, to);
  if (whole === 0) return from;
  const part = Math.min(1, length / whole);
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
}

const shrunk = ({ x, y, width, height }: Rectangle, by: number): Rectangle => ({
  x: x + by,
  y: y + by,
  width: width - 2 * by,
  height: height - 2 * by,
});

function rectangle({ x, y, width, height }: Rectangle, name: string, radius: number): string {
  return `<rect class="${name}" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" rx="${n(radius)}"/>`;
}

function pill({ x, y, width, size }: TextLine): string {
  return rectangle({ x: x - 6, y: y - size - 1, width: width + 12, height: size + 6 }, 'sw-pill', (size + 6) / 2);
}

function text({ role, text: words, x, y, size }: TextLine, more = ''): string {
  return `<text class="sw-${role}${more}" x="${n(x)}" y="${n(y)}" font-size="${n(size)}">${escaped(words)}</text>`;
}

const n = (value: number): string => String(Math.round(value * 100) / 100);

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For text and attributes. What XML cannot hold at all, control characters and halves of letters, is replaced. */
function escaped(words: string): string {
  return words
    .replace(/[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]|\p{Cs}/gu, '\uFFFD')
    .replace(/[&<>"']/g, (letter) => entities[letter] as string);
}

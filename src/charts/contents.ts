/** What is written in the boxes of a chart, line by line, and how large that makes them. Places are relative to the box until it has one. */

import type { ChartState, ChartTransition } from '../actors/chart.js';
import type { LabelBox, Rectangle, TextLine, TextRole } from './geometry.js';
import { wrap, type Measure } from './text.js';
import { edgeId, invokeInWords, statesOf, transitionInWords, triggerInWords } from './walk.js';

export interface Contents {
  readonly width: number;
  readonly height: number;
  /** Relative to the box. */
  readonly lines: readonly TextLine[];
}

/** Longest line of a state and of a label, and how narrow they may be. */
const mostInState = 220;
const mostInLabel = 170;
const least = 32;
const margin = 12;
const sizes: Readonly<Record<TextRole, number>> = {
  title: 14,
  type: 11,
  description: 11,
  tag: 11,
  invoke: 11.5,
  entry: 11.5,
  exit: 11.5,
  internal: 11.5,
  hidden: 11,
  event: 12,
  guard: 11,
  action: 11,
  reenter: 11,
};
const bold = new Set<TextRole>(['title', 'event']);

interface Text {
  readonly role: TextRole;
  readonly text: string;
  readonly edge?: string;
}

/** Of a state, or, when `collapsed`, of a state and how many there are in it. */
export function contentsOf(state: ChartState, measure: Measure, collapsed: boolean): Contents {
  if (state.type === 'history') return { width: 26, height: 26, lines: historyLines(state, measure) };
  const transitions = state.transitions ?? [];
  const texts: Text[] = [
    { role: 'title', text: state.key },
    ...(state.description === undefined ? [] : [{ role: 'description', text: state.description } as const]),
    ...(state.tags ?? []).map((text): Text => ({ role: 'tag', text })),
    ...(state.invoke ?? []).map((invoke): Text => ({ role: 'invoke', text: `invoke ${invokeInWords(state, invoke)}` })),
    ...(state.entry ?? []).map((action): Text => ({ role: 'entry', text: `entry / ${action}` })),
    ...(state.exit ?? []).map((action): Text => ({ role: 'exit', text: `exit / ${action}` })),
    ...transitions.flatMap((transition, index): Text[] =>
      isInternal(transition) ? [{ role: 'internal', text: transitionInWords(state, transition), edge: edgeId(state.id, index) }] : [],
    ),
    ...(collapsed ? [{ role: 'hidden', text: `+ ${countInside(state)}` } as const] : []),
  ];
  return laidOut(texts, measure, mostInState);
}

function historyLines({ history }: ChartState, measure: Measure): readonly TextLine[] {
  const text = history === 'deep' ? 'H*' : 'H';
  const width = measure(text, 12, true);
  return [{ role: 'title', text, size: 12, width, x: 13 - width / 2, y: 17 }];
}

/** `5 states` */
function countInside(state: ChartState): string {
  const count = hiddenIn(state);
  return `${String(count)} ${count === 1 ? 'state' : 'states'}`;
}

export const hiddenIn = (state: ChartState): number => [...statesOf(state)].length - 1;

/** It is listed in its state instead of being drawn. */
export const isInternal = ({ target }: ChartTransition): boolean => target === undefined || target.length === 0;

export function labelContents(state: ChartState, transition: ChartTransition, measure: Measure): Contents {
  const { guard, actions = [], reenter } = transition;
  const texts: Text[] = [
    { role: 'event', text: triggerInWords(state, transition) },
    ...(guard === undefined ? [] : [{ role: 'guard', text: `[${guard}]` } as const]),
    ...(actions.length === 0 ? [] : [{ role: 'action', text: `/ ${actions.join(', ')}` } as const]),
    ...(reenter === true ? [{ role: 'reenter', text: '(re-enters)' } as const] : []),
  ];
  return laidOut(texts, measure, mostInLabel, 8, 5);
}

/** Below each other. Tags stand side by side, as many as a line holds. */
function laidOut(texts: readonly Text[], measure: Measure, most: number, inset = margin, above = 9): Contents {
  const lines: TextLine[] = [];
  let y = above;
  let right = 0;
  let tagEnd: number | undefined;
  let before: TextRole | undefined;
  for (const { role, text, edge } of texts) {
    const size = sizes[role];
    const widthOf = (part: string): number => measure(part, size, bold.has(role));
    const step = Math.round(size * 1.4);
    // The title has a bar of its own.
    if (before === 'title') y += 7;
    for (const part of wrap(text, most, widthOf)) {
      const width = widthOf(part);
      if (role === 'tag') {
        // A tag is a pill: six pixels more on both sides, and as many between two.
        const follows = tagEnd !== undefined && tagEnd + width + 18 <= inset + most;
        const x = follows ? (tagEnd as number) + 18 : inset + 6;
        if (!follows) y += step + 4;
        lines.push({ role, text: part, size, width, x, y: y - 6 });
        tagEnd = x + width;
        right = Math.max(right, tagEnd + 6);
      } else {
        tagEnd = undefined;
        y += step;
        lines.push({ role, text: part, size, width, x: inset, y: y - Math.round(size * 0.35), ...(edge === undefined ? {} : { edge }) });
        right = Math.max(right, inset + width);
      }
    }
    before = role;
  }
  return { width: Math.max(least, Math.ceil(right + inset)), height: Math.ceil(y + above), lines };
}

/** At its place, in the box's middle when `centred`. */
export function placed({ width, lines }: Contents, box: Rectangle): LabelBox['lines'] {
  const shift = Math.max(0, (box.width - width) / 2);
  return lines.map((line) => ({ ...line, x: round(box.x + line.x + shift), y: round(box.y + line.y) }));
}

export const round = (value: number): number => Math.round(value * 100) / 100;

/** A chart with places: plain data, all coordinates absolute, in pixels. What draws it needs to know nothing of layout. */

import type { ChartState, ChartTrigger } from '../actors/chart.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Rectangle extends Point {
  readonly width: number;
  readonly height: number;
}

/** `action`: of a label, behind its guard. `internal`: a transition that stays in its state. */
export type TextRole =
  'title' | 'type' | 'description' | 'tag' | 'invoke' | 'entry' | 'exit' | 'internal' | 'hidden' | 'event' | 'guard' | 'action' | 'reenter';

/** A line of text; `x`, `y`: where its baseline begins. */
export interface TextLine extends Point {
  readonly role: TextRole;
  readonly text: string;
  readonly width: number;
  readonly size: number;
  /** Id of the internal transition it belongs to. */
  readonly edge?: string;
}

export interface Box extends Rectangle {
  /** The state's. */
  readonly id: string;
  /** Id of the state around it. */
  readonly parent?: string;
  readonly kind: ChartState['type'];
  readonly history?: 'shallow' | 'deep';
  /** It is one of the regions of a parallel state. */
  readonly region?: true;
  /** Its states are not drawn; so many of them. */
  readonly collapsed?: number;
  /** Height of what stands above its states, from its top; of a box without states, its whole height. */
  readonly head: number;
  readonly lines: readonly TextLine[];
}

export interface LabelBox extends Rectangle {
  readonly lines: readonly TextLine[];
}

/** A run of lines. Ends are ids of states; `label`: the edge's own label, `dot`: its initial dot. */
export interface Path {
  readonly from: string;
  readonly to: string;
  readonly points: readonly Point[];
  readonly arrow: boolean;
}

/** A transition, the way into a compound state (`initial`), or what a history state leads to at first (`history`). */
export interface Edge {
  /** `STATE:N`: the Nth transition of its source, from 0; `STATE:initial`. */
  readonly id: string;
  /** Id of the state that has it. */
  readonly source: string;
  readonly targets: readonly string[];
  readonly trigger: ChartTrigger | 'initial' | 'history';
  readonly label?: LabelBox;
  /** Centre of the initial dot. */
  readonly dot?: Point;
  readonly paths: readonly Path[];
}

/** A transition without target: it is listed in the box of its state. */
export interface InternalTransition {
  readonly id: string;
  readonly source: string;
  readonly trigger: ChartTrigger;
}

export interface Geometry {
  /** The machine's. */
  readonly id: string;
  readonly width: number;
  readonly height: number;
  /** Outer ones first. */
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
  readonly internal: readonly InternalTransition[];
}

export const dotRadius = 5;

/** A scenario is data: when it plays, what breaks, who calls. What is made of its recording is said by `judge`, beside it. */

import type { Recording } from '../world/recording.js';
import type { Fault } from '../world/conditions.js';
import type { Shortage } from '../world/service.js';

export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** One or two sentences for the report. */
  readonly about: string;
  /** 0 is the learning week, 1 the one that is reported. */
  readonly week: number;
  /** Since Monday, 0 h. */
  readonly beginMs: number;
  readonly lengthMs: number;
  readonly faults: readonly Fault[];
  readonly blips: boolean;
  /** Default `slower`. */
  readonly shortage?: Shortage;
  /** `retry-failures`: whoever is refused by his guard is lost; he has something else to do then. */
  readonly callers: 'retry-failures' | 'retry' | 'park';
  /** Default: one caller with the rate of the hour. */
  readonly fleet?: { readonly nodes: number; readonly ratePerNode: number; readonly shared: boolean };
  /** Whether waiting requests are counted each second: not needed in a week, and dear there. */
  readonly detailed: boolean;
  /** Policies by id that this is about; default all. */
  readonly policies?: readonly string[];
  /** Of how many seconds a point in the picture is the mean. */
  readonly pictureBucketS: number;
  readonly columns: readonly Column[];
  judge(recording: Recording): Figures;
}

/** By name of a column; undefined is `never` or `not at all`. */
export type Figures = Readonly<Record<string, number | undefined>>;

export interface Column {
  readonly name: string;
  readonly head: string;
  readonly digits: number;
  readonly unit?: string;
  /** What a missing figure is called; default `–`. */
  readonly missing?: string;
  readonly goal?: Goal;
}

export type Goal =
  | { readonly most: number }
  | { readonly least: number }
  /** The figure of this policy in the same column and seeds, times the factor, is the most or the least allowed. */
  | { readonly of: string; readonly factor: number; readonly kind: 'most' | 'least' };

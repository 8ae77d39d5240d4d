/** What a request is answered with, and the word for it in logs and counters. */

import type { Readable } from 'node:stream';
import type { Answer } from './answer.js';
import type { Problem } from './problem.js';

/** `passed`: without a key. `held`: replayed to one that waited. */
export type Outcome =
  | 'passed'
  | 'forwarded'
  | 'replayed'
  | 'held'
  | 'conflict'
  | 'in-progress'
  | 'not-kept'
  | 'unknown'
  | 'unreachable'
  | 'refused'
  | 'store-unavailable'
  | 'lost'
  | 'gone';

export const outcomes: readonly Outcome[] = [
  'passed',
  'forwarded',
  'replayed',
  'held',
  'conflict',
  'in-progress',
  'not-kept',
  'unknown',
  'unreachable',
  'refused',
  'store-unavailable',
  'lost',
  'gone',
];

export type Reply =
  | { readonly outcome: Outcome; readonly problem: Problem }
  | { readonly outcome: Outcome; readonly answer: Answer }
  /** Read once. */
  | { readonly outcome: Outcome; readonly answer: Omit<Answer, 'body'>; readonly stream: Readable };

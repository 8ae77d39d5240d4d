/** What a command works with: the opened store, where to print, what time it is. Opened for one command and closed after it. */

import type { OpenedStore } from '../persistence/store.js';
import type { Output, Terminal } from './output.js';
import type { StoreUrl } from './store-url.js';

export interface Session {
  readonly store: OpenedStore;
  readonly url: StoreUrl;
  readonly output: Output;
  /** Standard error, for notes and progress: never part of the answer. */
  readonly aside: Terminal;
  readonly now: () => number;
}

/** What a command ends with: 0, or 1 when it found or met a problem. */
export type ExitCode = 0 | 1;

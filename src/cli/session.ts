/** What a command works with: the opened store, where to print, what time it is. Opened for one command and closed after it. */

import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import type { OpenedStore } from '../persistence/store.js';
import type { Output, Terminal } from './output.js';
import type { StorePlace } from '../persistence/urls/store-url.js';

export interface Session {
  readonly store: OpenedStore;
  readonly url: StorePlace;
  /** The artifact store that was named, opened when it is first asked for. Undefined: none was. @throws UsageError, StoreOpenError */
  readonly artifacts: () => Promise<ArtifactStore | undefined>;
  readonly output: Output;
  /** Standard error, for notes and progress: never part of the answer. */
  readonly aside: Terminal;
  readonly now: () => number;
}

/** What a command ends with: 0, or 1 when it found or met a problem. */
export type ExitCode = 0 | 1;

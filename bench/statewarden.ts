/**
 * Statewarden as its users import it, by its package name. This folder is a package of its own (for the peers), so the compiler
 * does not find the name from here; the compiled files lie within the package and do. Hence types by path and values by name.
 */

import type * as Breakers from '../src/breakers/index.js';
import type * as Console from '../src/console/index.js';
import type * as Main from '../src/index.js';
import type * as Inspector from '../src/observability/inspector/index.js';
import type * as Encryption from '../src/persistence/encryption/index.js';
import type * as Embedded from '../src/persistence/sqlite/index.js';

export type { Breaker, Permit, SavedBreaker, SharedCounters } from '../src/breakers/index.js';
export type { ServedConsole } from '../src/console/index.js';
export type { CheckpointPolicy, RuntimeEvent } from '../src/index.js';

const names = [
  'statewarden',
  'statewarden/sqlite',
  'statewarden/breakers',
  'statewarden/encryption',
  'statewarden/console',
  'statewarden/inspector',
];
const [main, embedded, breakers, encryption, console, inspector] = (await Promise.all(names.map((name) => import(name)))) as [
  typeof Main,
  typeof Embedded,
  typeof Breakers,
  typeof Encryption,
  typeof Console,
  typeof Inspector,
];

export const { activity, createRuntime, supervisor } = main;
export const { sqlite } = embedded;
export const { encrypted, keyFile } = encryption;
export const { adaptiveBreaker, breakerRegistry, consecutiveBreaker, slidingWindowBreaker } = breakers;
export const { serveConsole, serveStore } = console;
export const { stately } = inspector;

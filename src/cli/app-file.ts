/** The code of agents for a command: an ES module that exports their kinds, as `createRuntime` takes them. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Registration } from '../actors/registration.js';
import { systemClock } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import { Kinds, registerKinds } from '../runtime/kinds.js';
import type { KindRegistry } from '../runtime/options.js';
import { oneLine } from './output.js';

export interface AppFile {
  readonly kinds: readonly string[];
  readonly registrationOf: (kind: string, version: number) => Registration | undefined;
}

const example = 'Export them: export const agents = { order: { machine, version: 1 } }; a file that starts a runtime is no such file.';

/** @throws BadInputError for a file that is not there, does not load, or has no agents; what is wrong with their machines */
export async function loadApp(file: string, folder: string): Promise<AppFile> {
  const path = resolve(folder, file);
  if (!existsSync(path)) throw new BadInputError(`--app: there is no file ${path}`, { hint: 'Give the path of a JavaScript module.' });
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(path).href)) as typeof module;
  } catch (cause) {
    const why = oneLine(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause));
    throw new BadInputError(`--app: ${path} does not load: ${why}`, {
      hint: /\.[cm]?tsx?$/.test(path) ? 'Give the compiled JavaScript, or run a Node.js that takes TypeScript.' : example,
      cause,
    });
  }
  const other = module['default'];
  const agents = module['agents'] ?? (other as { readonly agents?: unknown } | undefined)?.agents ?? other;
  if (typeof agents !== 'object' || agents === null) throw new BadInputError(`--app: ${path} exports no agents`, { hint: example });
  const registered = registerKinds({ agents: agents as KindRegistry, checkpoints: undefined, clock: systemClock });
  const kinds = new Kinds(registered, 1);
  return { kinds: Object.keys(agents), registrationOf: (kind, version) => kinds.of(kind, version) };
}

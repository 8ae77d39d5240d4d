/** The commands for keys, and which key file a command goes by: `--keys`, else STATEWARDEN_KEYS. */

import type { CAC } from 'cac';
import { nearest } from '../core/nearest.js';
import type { KeysTools } from './commands/keys.js';
import type { ExitCode } from './session.js';
import { existingStore, findStore } from './store-url.js';
import { UsageError } from './usage-error.js';

export const keysFlags: readonly string[] = ['--hybrid'];

const actions = ['create', 'rotate', 'list', 'retire', 'rewrap'] as const;
type Action = (typeof actions)[number];
const optionsOf: Readonly<Record<Action, readonly string[]>> = {
  create: ['id', 'hybrid'],
  rotate: ['id', 'hybrid'],
  list: [],
  retire: ['store'],
  rewrap: ['store', 'keys'],
};
const wordsOf: Readonly<Record<Action, string>> = { create: 'FILE', rotate: 'FILE', list: 'FILE', retire: 'FILE ID', rewrap: '[STORE]' };

export interface KeysTyped {
  readonly text: (name: string) => string | undefined;
  readonly givenOf: (names: readonly string[]) => readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly tools: () => KeysTools;
}

export function keysPath(option: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const path = option ?? env['STATEWARDEN_KEYS'];
  return path === '' ? undefined : path;
}

export function addKeysCommands(cli: CAC, typed: KeysTyped): void {
  cli
    .command('keys [...words]', 'Keys of encrypted stores: create, rotate, list FILE; retire FILE ID; rewrap [STORE]')
    .option('--id <id>', 'create, rotate: id of the new key')
    .option('--hybrid', 'create, rotate: X25519 with ML-KEM-768, which lasts against quantum computers; needs @noble/post-quantum')
    .example('  $ statewarden keys create ./agents.keys')
    .example('  $ statewarden keys rotate ./agents.keys')
    .example('  $ statewarden keys rewrap ./agents.db --keys ./agents.keys')
    .example('  $ statewarden keys retire ./agents.keys k-2026-01-31-1f2e3d --store ./agents.db')
    .action((words: readonly string[]) => keysWork(words, typed));
}

/** @throws UsageError */
async function keysWork(words: readonly string[], { text, givenOf, env, folder, tools }: KeysTyped): Promise<ExitCode> {
  const [first = '', ...told] = words;
  const action = actions.find((one) => one === first);
  if (action === undefined) {
    const [close] = nearest(first, [...actions]);
    const hint = `One of ${actions.join(', ')} comes first: statewarden keys create ./agents.keys.`;
    throw new UsageError(
      first === '' ? 'keys needs an action' : `"${first}" is no action`,
      close === undefined ? hint : `Did you mean "${close}"?`,
    );
  }
  const foreign = givenOf(['id', 'hybrid', 'store', 'keys']).find((name) => !optionsOf[action].includes(name));
  const usage = `Write statewarden keys ${action} ${wordsOf[action]}.`;
  if (foreign !== undefined) throw new UsageError(`--${foreign} is no option of keys ${action}`, usage);
  const [least, most] = action === 'rewrap' ? [0, 1] : action === 'retire' ? [2, 2] : [1, 1];
  if (told.length < least || told.length > most) throw new UsageError(`keys ${action} takes ${wordsOf[action]}`, usage);
  const [path = '', id = ''] = told;
  const key = { id: text('id'), kind: givenOf(['hybrid']).length > 0 ? ('x25519-mlkem768' as const) : ('aes-256' as const) };
  const { createKeys, listKeys, retireKeyOf, rewrap, rotateKeys } = await import('./commands/keys.js');
  switch (action) {
    case 'create':
      return createKeys(tools(), path, key);
    case 'rotate':
      return rotateKeys(tools(), path, key);
    case 'list':
      return listKeys(tools(), path);
    case 'retire': {
      const place = text('store');
      return retireKeyOf(tools(), path, id, place === undefined ? undefined : await existingStore(findStore(place, env, folder)));
    }
    case 'rewrap': {
      const keys = keysPath(text('keys'), env);
      if (keys === undefined) throw new UsageError('keys rewrap needs the key file', 'Give it: --keys FILE, or STATEWARDEN_KEYS.');
      const option = text('store');
      if (option !== undefined && told.length > 0)
        throw new UsageError(`two stores: "${path}" and --store "${option}"`, 'Give one of them.');
      return rewrap(tools(), keys, await existingStore(findStore(option ?? told[0], env, folder)));
    }
  }
}

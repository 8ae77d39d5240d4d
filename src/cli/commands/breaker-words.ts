/** The words after `statewarden breakers`: what is to be done, with which breaker, in which store. */

import { nearest } from '../../core/nearest.js';
import { looksLikeStore } from '../store-url.js';
import { UsageError } from '../usage-error.js';

/** Of each action: whether it needs a name, and the options that it has. */
const actions = {
  ls: { name: 'none', options: ['nodes'] },
  show: { name: 'needed', options: [] },
  isolate: { name: 'needed', options: [] },
  release: { name: 'needed', options: [] },
  parked: { name: 'possible', options: ['limit'] },
  'release-parked': { name: 'needed', options: ['operation'] },
  cancel: { name: 'needed', options: ['operation'] },
} as const satisfies Readonly<Record<string, { readonly name: 'none' | 'needed' | 'possible'; readonly options: readonly string[] }>>;

export type BreakerAction = keyof typeof actions;

export interface BreakerWords {
  readonly action: BreakerAction;
  /** Of the breaker; undefined where an operation is named, or none is needed. */
  readonly name: string | undefined;
  readonly place: string | undefined;
}

export const breakerOptions = ['nodes', 'limit', 'operation'] as const;

/** `given`: names of the options that were. @throws UsageError */
export function breakerWords(words: readonly string[], given: readonly string[], folder: string): BreakerWords {
  const [first = ''] = words;
  const action = Object.keys(actions).find((name): name is BreakerAction => name === first);
  if (action === undefined && first !== '' && (words.length > 1 || !looksLikeStore(first, folder))) {
    const [close] = nearest(first, Object.keys(actions));
    const hint = `One of ${Object.keys(actions).join(', ')} comes first: statewarden breakers show search-api.`;
    throw new UsageError(`"${first}" is no action and no store`, close === undefined ? hint : `Did you mean "${close}"?`);
  }
  const chosen = action ?? 'ls';
  const { name: kind, options }: { readonly name: 'none' | 'needed' | 'possible'; readonly options: readonly string[] } = actions[chosen];
  const rest = action === undefined ? [...words] : words.slice(1);
  const foreign = given.find((name) => !options.includes(name));
  if (foreign !== undefined) {
    const its = options.length === 0 ? 'It has none.' : `It has ${options.map((name) => `--${name}`).join(', ')}.`;
    throw new UsageError(`--${foreign} is no option of breakers ${chosen}`, its);
  }
  const byOperation = given.includes('operation');
  const [only] = rest;
  const named =
    kind === 'needed' ? !byOperation : kind === 'possible' && only !== undefined && !(rest.length === 1 && looksLikeStore(only, folder));
  const argument =
    kind === 'none' ? [] : kind === 'possible' ? ['[NAME]'] : [options.includes('operation') ? 'NAME|--operation ID' : 'NAME'];
  const usage = `Write ${['statewarden breakers', chosen, ...argument, '[STORE]'].join(' ')}.`;
  const name = named ? rest.shift() : undefined;
  if (named && name === undefined) throw new UsageError(`${chosen} needs the name of a breaker`, usage);
  const [place, stray] = rest;
  if (stray !== undefined) throw new UsageError(`"${stray}" is one word too many`, usage);
  return { action: chosen, name, place };
}

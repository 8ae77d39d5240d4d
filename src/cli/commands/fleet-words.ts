/** The words after `statewarden fleet`: what is to be done, with which fleet, with what, in which store. */

import { nearest } from '../../core/nearest.js';
import { looksLikeStore } from '../store-url.js';
import { UsageError } from '../usage-error.js';

/** Of each action: the words that it needs, and the options that only it and those with the same one have. */
const actions = {
  ls: { words: [], options: [] },
  show: { words: ['ID'], options: ['all', 'limit'] },
  submit: { words: ['ID', 'EVENT'], options: ['id'] },
  resize: { words: ['ID', 'SIZE'], options: ['wait', 'timeout'] },
  drain: { words: ['ID'], options: ['wait', 'timeout'] },
  open: { words: ['ID'], options: [] },
  roll: { words: ['ID'], options: ['wait', 'timeout', 'at-once'] },
} as const satisfies Readonly<Record<string, { readonly words: readonly string[]; readonly options: readonly string[] }>>;

export type FleetAction = keyof typeof actions;

export interface FleetWords {
  readonly action: FleetAction;
  /** Of the fleet; empty for `ls`. */
  readonly id: string;
  /** The event, or the size; empty for the others. */
  readonly argument: string;
  readonly place: string | undefined;
}

export const fleetOptions = ['all', 'limit', 'id', 'wait', 'timeout', 'at-once'] as const;

/** `given`: names of the options that were. @throws UsageError */
export function fleetWords(words: readonly string[], given: readonly string[], folder: string): FleetWords {
  const [first = ''] = words;
  const action = Object.keys(actions).find((name): name is FleetAction => name === first);
  if (action === undefined && first !== '' && (words.length > 1 || !looksLikeStore(first, folder))) {
    const [close] = nearest(first, Object.keys(actions));
    const hint = `One of ${Object.keys(actions).join(', ')} comes first: statewarden fleet show researchers.`;
    throw new UsageError(`"${first}" is no action and no store`, close === undefined ? hint : `Did you mean "${close}"?`);
  }
  const chosen = action ?? 'ls';
  const { words: needed, options }: { readonly words: readonly string[]; readonly options: readonly string[] } = actions[chosen];
  const rest = action === undefined ? words : words.slice(1);
  const usage = `Write ${['statewarden fleet', chosen, ...needed, '[STORE]'].join(' ')}.`;
  const missing = needed[rest.length];
  if (missing !== undefined) throw new UsageError(`${chosen} needs ${missing}`, usage);
  const [id = '', argument = ''] = rest.slice(0, needed.length);
  const [place, stray] = rest.slice(needed.length);
  if (stray !== undefined) throw new UsageError(`"${stray}" is one word too many`, usage);
  const foreign = given.find((name) => !options.includes(name));
  if (foreign !== undefined) {
    const its = options.length === 0 ? 'It has none.' : `It has ${options.map((name) => `--${name}`).join(', ')}.`;
    throw new UsageError(`--${foreign} is no option of fleet ${chosen}`, its);
  }
  if (given.includes('timeout') && !given.includes('wait')) {
    throw new UsageError('--timeout says how long to wait, and nothing waits', 'Add --wait.');
  }
  return { action: chosen, id, argument, place };
}

/** Words of `statewarden dead-letters`: what is to be done, with which, in which store. */

import { nearest } from '../../core/nearest.js';
import { UsageError } from '../usage-error.js';

const actions = ['ls', 'show', 'redrive', 'discard'] as const;
export type DeadLetterAction = (typeof actions)[number];

/** `[ls] [POSITION …] [STORE]`: what is to be done, with which, where. @throws UsageError */
export function deadLetterWords(words: readonly string[]): { action: DeadLetterAction; positions: string[]; place: string | undefined } {
  const named = actions.find((action) => action === words[0]);
  const rest = named !== undefined ? words.slice(1) : [...words];
  const place = /^\d+$/.test(rest.at(-1) ?? '0') ? undefined : rest.at(-1);
  const positions = place === undefined ? rest : rest.slice(0, -1);
  // A store without a dot, a slash or a colon in its name is more likely a mistyped action.
  const strayWord = named !== undefined || /[./:]/.test(place ?? '.') ? positions.find((word) => !/^\d+$/.test(word)) : place;
  const stray = strayWord ?? (named === undefined ? positions[0] : undefined);
  if (stray !== undefined) {
    const [close] = /^\d+$/.test(stray) ? [] : nearest(stray, [...actions]);
    const first = `One of ${actions.join(', ')} comes first: statewarden dead-letters redrive 7.`;
    throw new UsageError(`"${stray}" is no action and no position`, close === undefined ? first : `Did you mean "${close}"?`);
  }
  return { action: named ?? 'ls', positions, place };
}

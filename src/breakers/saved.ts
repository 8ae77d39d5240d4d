/** Checks what a breaker is to be restored from. */

import { BadInputError } from '../core/errors.js';
import type { BreakerState, SavedBreaker } from './contract.js';

const states: readonly BreakerState[] = ['closed', 'degraded', 'open', 'ramping', 'isolated'];

/** @throws BadInputError */
export function checkSaved(saved: SavedBreaker, name: string): void {
  const { format, state, since, openUntil, reopened, troubleSince, savedAt } = (saved ?? {}) as Partial<SavedBreaker>;
  if (format !== 1) throw wrong(name, 'format', format);
  if (state === undefined || !states.includes(state)) throw wrong(name, 'state', state);
  for (const [field, value] of Object.entries({ since, openUntil, reopened, troubleSince, savedAt })) {
    if (!Number.isFinite(value)) throw wrong(name, field, value);
  }
}

function wrong(name: string, field: string, value: unknown): BadInputError {
  return new BadInputError(`breaker "${name}" cannot be restored: ${field} is ${JSON.stringify(value) ?? 'undefined'}`, {
    hint: 'Give what save() of a breaker has made.',
  });
}

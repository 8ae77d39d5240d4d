/** How a runtime ends in good order. */

import { RuntimeClosedError } from '../core/errors.js';

/** What running activities may take when nobody has said. */
export const farewellMs = 1_000;

export function closed(): RuntimeClosedError {
  return new RuntimeClosedError('the runtime is closed', { hint: 'Make a new one with createRuntime(…): the agents are in the store.' });
}

/** No guard: every call is made. */

import type { Policy } from './policy.js';

export const none: Policy = {
  id: 'none',
  title: 'no guard',
  make: () => ({ execute: (call) => call(), state: () => 'closed' }),
};

/** Options without a value, of all commands. */

import { consoleFlags } from './console-commands.js';
import { copyFlags } from './copy-command.js';
import { gatewayFlags } from './gateway-command.js';
import { keysFlags } from './keys-commands.js';
import { tierFlags } from './tier-commands.js';

/** `cac` takes the word after a flag for its value and makes a number of it where it can: so flags come last. */
export const flags: readonly string[] = [
  '--json',
  '--debug',
  '--all',
  '--groups',
  '--wait',
  '--nodes',
  '--unknown',
  '--apply',
  ...tierFlags,
  ...copyFlags,
  ...consoleFlags,
  ...gatewayFlags,
  ...keysFlags,
];

/** Opens what a runtime's `inspect` says. What an observer throws goes to the runtime's logger. */

import type { OpenInspection } from '../observability/inspector/live.js';
import { observing } from '../observability/inspector/live.js';
import type { Node } from './node.js';
import type { ResolvedOptions } from './options.js';

/** `node`: once it is there. @throws BadInputError for a port that is in use */
export async function openInspection(
  { inspect, logger }: ResolvedOptions,
  node: () => Node | undefined,
): Promise<OpenInspection | undefined> {
  if (inspect === undefined) return undefined;
  const failed = (error: unknown): void => logger('inspect:', error);
  return 'open' in inspect ? inspect.open(() => node()?.residents.all() ?? [], failed) : observing(inspect, failed);
}

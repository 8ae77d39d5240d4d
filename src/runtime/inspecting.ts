/** Opens what a runtime's `inspect` and `telemetry` say. What those throw who look goes to the runtime's logger. */

import { observing } from '../observability/inspector/live.js';
import type { Node, Watch } from './node.js';
import type { ResolvedOptions } from './options.js';

export interface OpenWatch extends Watch {
  /** The node is there; it has not begun to recover. */
  started(node: Node): Node;
  close(): Promise<void>;
}

/** `node`: once it is there. @throws BadInputError for a port that is in use, or a package that is not installed */
export async function openWatch({ inspect, telemetry, logger }: ResolvedOptions, node: () => Node | undefined): Promise<OpenWatch> {
  const failed = (who: string) => (error: unknown) => logger(who, error);
  const told = await telemetry?.open(failed('telemetry:'));
  const agents = () => node()?.residents.all() ?? [];
  const looks =
    inspect === undefined
      ? undefined
      : 'open' in inspect
        ? await inspect.open(agents, failed('inspect:'))
        : observing(inspect, failed('inspect:'));
  return {
    inspection: looks?.inspection,
    tracing: told?.tracing,
    started(made) {
      const { events, store, residents, breakers } = made;
      told?.started({ events, counts: () => store.counts(), resident: () => residents.size, breakers: () => breakers.board.breakers() });
      return made;
    },
    async close() {
      told?.close();
      await looks?.close();
    },
  };
}

/** What a store below cannot check of an encrypted one: that each record opens in its place. One line for each agent, dead letter, note and machine that does not. */

import { errorMessage } from '../../core/errors.js';
import type { OpenedStore } from '../store.js';

const pageSize = 100;

/** `known`: faults of agents that were found already, which are not told twice. `progress`: from the middle on. */
export async function sealedFaults(
  below: OpenedStore,
  store: OpenedStore,
  known: readonly string[],
  progress: ((done: number, total: number) => void) | undefined,
): Promise<readonly string[]> {
  const faults: string[] = [];
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      faults.push(`${what}: ${errorMessage(error)}`);
    }
  };
  const total = Object.values((await below.counts()).agents).reduce((sum, count) => sum + count, 0);
  let done = 0;
  for (let after: string | undefined = undefined, more = true; more;) {
    const page: Awaited<ReturnType<OpenedStore['list']>> = await below.list({ limit: pageSize, ...(after === undefined ? {} : { after }) });
    for (const { id, key } of page) {
      const name = `agent ${JSON.stringify(id)}`;
      done += 1;
      progress?.(Math.floor((total + done) / 2), total);
      if (known.some((fault) => fault.startsWith(name))) continue;
      await attempt(name, async () => {
        await store.inspect(key);
        await store.operations(key);
        for (let last = 0, count = pageSize; count === pageSize;) {
          const segments = await store.journal(key, { after: last, limit: pageSize });
          last = segments.at(-1)?.lastSequenceNumber ?? last;
          count = segments.length;
        }
      });
    }
    after = page.at(-1)?.id;
    more = page.length === pageSize;
  }
  for (let after = 0, count = pageSize; count === pageSize;) {
    const letters = await below.deadLetters({ after, limit: pageSize });
    for (const { position, to } of letters) {
      await attempt(`dead letter ${String(position)} for agent ${JSON.stringify(to)}`, () =>
        store.deadLetters({ after: position - 1, limit: 1 }),
      );
    }
    after = letters.at(-1)?.position ?? after;
    count = letters.length;
  }
  await attempt('notes', () => store.notes(''));
  await attempt('machines', () => store.machines());
  return faults;
}

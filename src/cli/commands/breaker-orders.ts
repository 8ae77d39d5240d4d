/**
 * `statewarden breakers isolate|release NAME`: an order that is left in the store, which nodes follow within a second or when they start. `release-parked` and `cancel`: tell operations that wait to go, or to end, by events in the
 * mailboxes of their agents.
 */

import { BadInputError } from '../../core/errors.js';
import { orderNote } from '../../runtime/breaker-notes.js';
import { orderParked, parkedOperations } from '../../runtime/parked-work.js';
import { findBreaker, readBreakers } from '../../runtime/seen-breakers.js';
import { count, printable } from '../output.js';
import { Progress } from '../progress.js';
import type { ExitCode, Session } from '../session.js';

/** A runtime's default limit. */
const mailboxLimit = 10_000;

/** @throws UnknownBreakerError */
export async function orderBreaker({ store, output, now }: Session, typed: string, order: 'isolate' | 'release'): Promise<ExitCode> {
  const seen = await readBreakers(store);
  const { name } = findBreaker(seen, typed);
  // A later order has a later time, whatever the clocks say.
  const at = Math.max(now(), (seen.ordered.get(name)?.at ?? -Infinity) + 1);
  await store.publish([orderNote(name, { order, at })]);
  const nodes = seen.nodes.length;
  if (output.json) output.document({ breaker: name, order, at, live: nodes });
  else {
    const said = `${output.paint('green', order === 'isolate' ? 'isolated' : 'released')}: ${printable(name)}`;
    output.line(
      nodes === 0
        ? `${said}; no runtime is up, it holds when one starts`
        : `${said}; ${nodes === 1 ? '1 node follows' : `${String(nodes)} nodes follow`} within a second`,
    );
  }
  return 0;
}

export interface ParkedOrder {
  readonly order: 'release' | 'cancel';
  /** Name of a breaker, or id of an operation. */
  readonly which: { readonly breaker: string } | { readonly operation: string };
}

/** @throws UnknownBreakerError, BadInputError */
export async function orderWaiting(session: Session, { order, which }: ParkedOrder): Promise<ExitCode> {
  const { store, output, aside, now } = session;
  const selection = 'operation' in which ? which.operation : { breaker: which.breaker };
  let total = 1;
  if ('breaker' in which) total = findBreaker(await readBreakers(store), which.breaker).waiting;
  else await assertParked(session, which.operation);
  const progress = new Progress(aside, order === 'release' ? 'releasing' : 'cancelling', now);
  const report = await orderParked({ store, now, cap: mailboxLimit }, selection, order, (told) => progress.show(told, total)).finally(() =>
    progress.end(),
  );
  if (output.json) output.document({ order, ...report });
  else {
    const up = report.told === 0 || (await store.nodes()).length > 0;
    const word = output.paint('green', order === 'release' ? 'released' : 'cancelled');
    output.line(`${word}: ${count(report.told, 'activity', 'activities')}${up ? '' : '; no runtime is up, taken when one starts'}`);
    if (report.full > 0) {
      const full = count(report.full, 'activity', 'activities');
      output.line(`${output.paint('yellow', 'kept')}: ${full} (mailbox-full); try again when some are taken`);
    }
  }
  return report.full > 0 ? 1 : 0;
}

/** @throws BadInputError */
async function assertParked({ store }: Session, operation: string): Promise<void> {
  for await (const found of parkedOperations(store, operation)) if (found.length > 0) return;
  throw new BadInputError(`no operation ${JSON.stringify(operation)} is parked`, {
    hint: 'It has gone, or never was: list them with `statewarden breakers parked`.',
  });
}

/** What the commands for people have in common: of which operation they speak, and what is printed of it. */

import type { Resolution } from '../actors/operation.js';
import { encode } from '../core/codec.js';
import { UnknownOperationError } from '../core/operation-errors.js';
import { nearest } from '../core/nearest.js';
import type { AgentOperation } from '../persistence/store.js';
import { approvalActivity, findOperation, listApprovals, listHolds, type HoldPlace } from '../runtime/holds.js';
import { away, brief, printable, stored } from './output.js';
import type { Session } from './session.js';

/** A runtime's default limit. */
const mailboxLimit = 10_000;
const named = 3;

export function placeIn({ store, now }: Session): HoldPlace {
  return { store, now, cap: mailboxLimit };
}

/** The operation itself, else the only one that waits and begins so. @throws UnknownOperationError */
export async function findWaiting({ store, aside }: Session, typed: string, what: 'holds' | 'approvals'): Promise<AgentOperation> {
  const found = await findOperation(store, typed).catch((error: unknown) => {
    if (error instanceof UnknownOperationError) return undefined;
    throw error;
  });
  if (found !== undefined) {
    const its = found.operation.activity === approvalActivity ? 'approvals' : 'holds';
    if (its === what) return found;
    throw new UnknownOperationError(`operation ${JSON.stringify(typed)} is ${its === 'approvals' ? 'an approval' : 'no approval'}`, {
      hint: `Look at it with: statewarden ${its} show ${JSON.stringify(typed)}.`,
    });
  }
  const all = await (what === 'holds' ? listHolds : listApprovals)(store, { limit: Infinity });
  const ids = all.map(({ operationId }) => operationId);
  const beginning = typed === '' ? [] : ids.filter((id) => id.startsWith(typed));
  const [only] = beginning;
  if (only !== undefined && beginning.length === 1) {
    aside.write(`${printable(typed)} is ${printable(only)}\n`);
    return findOperation(store, only);
  }
  const close = beginning.length > 0 ? beginning : nearest(typed, ids);
  const list = close
    .slice(0, named)
    .map((id) => JSON.stringify(id))
    .join(', ');
  const several =
    beginning.length > 1 ? `${String(beginning.length)} operations that wait begin with` : 'no operation that waits begins with';
  throw new UnknownOperationError(`${several} ${JSON.stringify(typed)}`, {
    hint: close.length === 0 ? `List them with \`statewarden ${what}\`.` : `Did you mean ${list}${close.length > named ? ', …' : ''}?`,
  });
}

/** What follows an order: nothing, or that it waits for a runtime. */
export async function whenTaken({ store }: Session): Promise<string> {
  return (await store.nodes()).length > 0 ? '' : '; no runtime is up, taken when one starts';
}

/** In JSON output; the names are stable. */
export function errorDocument(error: Error | undefined): object | null {
  if (error === undefined) return null;
  const { code, hint } = error as { readonly code?: unknown; readonly hint?: unknown };
  return { name: error.name, message: error.message, code: code ?? null, hint: hint ?? null };
}

export function valueDocument(value: unknown): unknown {
  return value === undefined ? null : stored(encode(value, 'value'));
}

export function resolutionDocument({ order, result, by, note, at, abandons }: Resolution): object {
  return { order, result: valueDocument(result), by, note: note ?? null, at, abandons: abandons === true };
}

/** `retry by ada, 3 min ago: the bank is back`. */
export function resolutionInWords({ order, result, by, note, at, abandons }: Resolution, now: number): string {
  const what = abandons === true ? 'abandoned' : order;
  const came = result === undefined ? '' : ` with ${brief(encode(result, 'the result'))}`;
  return printable(`${what}${came} by ${by}, ${away(at, now)}${note === undefined ? '' : `: ${note}`}`);
}

/**
 * Wake-up calls: what a task queue is given when an operation is to be looked at again at a time, so that nothing has to stay up until then. The durable timer is the truth; a call only
 * brings its agent into memory, where what is due fires. One that is lost, late or doubled does no harm.
 */

import { createHash } from 'node:crypto';
import { BadInputError, StatewardenError, type Disposition, type ErrorDetails } from '../core/errors.js';

/** A call that is wanted. As JSON it is the body that the queue sends back. */
export interface WakeTask {
  /** The same whenever the same wait is dispatched: letters, digits and `-`, 500 at the most, and not in order of time. A queue that has had the name takes no second one. */
  readonly name: string;
  readonly agentId: string;
  readonly operationId: string;
  /** Of the attempt that is due then; 1 for the first. */
  readonly attempt: number;
  /** When, in epoch milliseconds. */
  readonly at: number;
  /** As its profile names it. */
  readonly queue: string;
}

/** Puts wake-up calls into a queue. Called once the timer that a call stands for is durable. */
export interface Dispatcher {
  /** A wait that is shorter, in milliseconds, is left to the process. Default 5,000. */
  readonly minimumMs?: number;
  /** Resolves when the queue has the task, also when it had it already. Tried again a few times when it rejects, unless with an error that is terminal. */
  dispatch(task: WakeTask): Promise<void>;
  /** At the end of its runtime. */
  close?(): Promise<void> | void;
}

/** The default: the process itself waits, by the durable timers, and nothing is put anywhere. */
export const inProcess: Dispatcher = { minimumMs: Infinity, dispatch: () => Promise.resolve() };

/** A queue did not take a task. `retry`: it may another time. `terminal`: not as things are set up. */
export class DispatchError extends StatewardenError {
  readonly code = 'DISPATCH_FAILED';
  readonly disposition: Disposition;

  constructor(message: string, details: ErrorDetails & { readonly disposition: Disposition }) {
    super(message, details);
    this.disposition = details.disposition;
  }
}

/** Whether profiles may name a queue so. */
export function isQueueName(name: unknown): name is string {
  return typeof name === 'string' && /^[A-Za-z0-9-]{1,100}$/.test(name);
}

export function wakeTask(task: Omit<WakeTask, 'name'>): WakeTask {
  const { agentId, operationId, at } = task;
  // A hash first: queues ask for names that are spread evenly.
  const hash = createHash('sha256')
    .update(JSON.stringify([agentId, operationId, at]))
    .digest('hex')
    .slice(0, 40);
  return { name: `${hash}-${String(at)}`, ...task };
}

/** Of what a queue has sent back. @throws BadInputError */
export function parseWakeTask(text: string): WakeTask {
  const wrong = (what: string, cause?: unknown): BadInputError =>
    new BadInputError(`no wake-up call: ${what}`, { hint: 'Only what a dispatcher of Statewarden has put into a queue is taken.', cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong('the body is no JSON', cause);
  }
  if (typeof value !== 'object' || value === null) throw wrong('the body is no object');
  const { name, agentId, operationId, attempt, at, queue } = value as Record<keyof WakeTask, unknown>;
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,500}$/.test(name)) throw wrong('name');
  if (typeof agentId !== 'string' || agentId === '') throw wrong('agentId');
  if (typeof operationId !== 'string' || operationId === '') throw wrong('operationId');
  if (!Number.isSafeInteger(attempt) || (attempt as number) < 1) throw wrong('attempt');
  if (!Number.isSafeInteger(at) || (at as number) < 0) throw wrong('at');
  if (!isQueueName(queue)) throw wrong('queue');
  return { name, agentId, operationId, attempt: attempt as number, at: at as number, queue };
}

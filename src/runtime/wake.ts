/**
 * A wake-up call at a node: its agent is brought into memory, what is due fires, and whoever called waits until nothing of the agent is under way any more. A platform that gives a process time only while it answers a request
 * lets the work be done in the answer's time.
 *
 * Invariant: what is reported was durable before, and a wait that is reported is one that its queue ends.
 */

import type { Agent } from '../actors/agent.js';
import { operationTimer } from '../actors/operation.js';
import type { Clock, TimerHandle } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import type { WakeTask } from '../effects/dispatch.js';
import { isMonitor } from '../effects/monitor.js';
import type { Node } from './node.js';
import type { Presence } from './presence.js';

export interface WakeOptions {
  /** How long to wait for rest, in milliseconds. Default 60,000. */
  readonly waitMs?: number;
}

/** What became of a wake-up call. */
export type Woken =
  /** The operation is over: it has an outcome, or its state was left. */
  | { readonly outcome: 'settled' }
  /** A person is to say what became of it. */
  | { readonly outcome: 'held' }
  /** Its next attempt is due then (epoch milliseconds), and waited for by its queue or by nobody here. */
  | { readonly outcome: 'waiting'; readonly nextAttemptAt: number }
  /** There is no such agent, it has ended, or its supervisor has it down. Nothing is to be done. */
  | { readonly outcome: 'gone'; readonly agent: 'absent' | 'ended' | 'suspended' }
  /** Something of the agent still ran when the time was over, and goes on. */
  | { readonly outcome: 'running' }
  /** The operation still waited for this breaker when the time was over. */
  | { readonly outcome: 'refused'; readonly breaker: string }
  /** By this node's clock it is due in so many milliseconds, longer than could be waited. */
  | { readonly outcome: 'early'; readonly inMs: number }
  /** The store did not take what the call began before the time was over. */
  | { readonly outcome: 'unwritten' }
  /** A node that is up has the agent. */
  | { readonly outcome: 'elsewhere'; readonly node: string }
  /** The agent cannot be brought back here: another version of its machine may be able to. */
  | { readonly outcome: 'unfit'; readonly error: Error }
  /** Its next attempt waits, and the queue would not take the call for it. */
  | { readonly outcome: 'undispatched'; readonly nextAttemptAt: number };

/** So long a commit may take when there is no other time left, in milliseconds. */
const leastWriteMs = 1_000;

/** @throws BadInputError */
export function checkWait(waitMs: number): number {
  if (typeof waitMs === 'number' && waitMs >= 0 && waitMs < Infinity) return waitMs;
  throw new BadInputError(`waitMs is ${String(waitMs)}`, { hint: 'Give milliseconds, 0 or more.' });
}

export async function wake(node: Node, task: WakeTask, waitMs: number): Promise<Woken> {
  const until = node.clock.elapsed() + waitMs;
  for (;;) {
    node.assertOpen();
    const presence = await node.presence(task.agentId);
    if (presence.where !== 'here') return withoutAgent(presence);
    const woken = await attend(node, presence.agent, task, until);
    if (woken !== undefined) return woken;
  }
}

function withoutAgent(presence: Exclude<Presence, { where: 'here' }>): Woken {
  switch (presence.where) {
    case 'nowhere':
      return { outcome: 'gone', agent: 'absent' };
    case 'ended':
      return { outcome: 'gone', agent: 'ended' };
    case 'suspended':
      return { outcome: 'gone', agent: 'suspended' };
    case 'parked':
      return { outcome: 'unfit', error: presence.error };
    case 'elsewhere':
      return { outcome: 'elsewhere', node: presence.node.name };
  }
}

/** Undefined: the agent has left memory meanwhile. */
async function attend(node: Node, agent: Agent, task: WakeTask, until: number): Promise<Woken | undefined> {
  const { clock, operations } = node;
  for (const { record } of agent.operations.values()) operations.dispatching.again(agent, record);
  for (;;) {
    // Timers of a process that had no time may be late.
    let nextMs = Infinity;
    for (const { id, dueAt } of [...agent.timers.values()]) {
      const left = dueAt - clock.now();
      if (left <= 0) agent.fire(id);
      else nextMs = Math.min(nextMs, left);
    }
    if (!(await written(clock, agent, until))) return { outcome: 'unwritten' };
    if (agent.gone) return undefined;
    const leftMs = Math.max(0, until - clock.elapsed());
    const seen = look(node, agent, task, leftMs);
    if (seen.outcome !== 'running' && seen.outcome !== 'refused') {
      // What was seen may have been said since the last commit.
      if (!(await written(clock, agent, until))) return { outcome: 'unwritten' };
      return agent.gone ? undefined : seen;
    }
    if (leftMs === 0) return seen;
    await operations.dispatching.change(agent, Math.min(leftMs, nextMs));
  }
}

/** Whether all that the agent has to write was durable in time; one that has left memory has nothing more to write. */
async function written(clock: Clock, agent: Agent, until: number): Promise<boolean> {
  let handle: TimerHandle;
  const late = new Promise<boolean>((resolve) => {
    handle = clock.setTimeout(() => resolve(false), Math.max(0, until - clock.elapsed()) + leastWriteMs);
  });
  const durable = agent.whenCommitted().then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([durable, late]);
  } finally {
    clock.clearTimeout(handle);
  }
}

/** How the agent's operations stand; `running` or `refused` while one may get on within the time that is left. */
function look({ clock, operations: { dispatching } }: Node, agent: Agent, task: WakeTask, leftMs: number): Woken {
  const now = clock.now();
  let own: Woken = { outcome: 'settled' };
  let running: Woken | undefined;
  let undispatched: Woken | undefined;
  for (const { record, logic, question } of agent.operations.values()) {
    const isOwn = record.id === task.operationId;
    // Who waits for another's end, answer or word has nothing under way.
    if (question || isMonitor(logic)) continue;
    if (record.status === 'held') {
      if (isOwn) own = { outcome: 'held' };
      continue;
    }
    if (record.parkedBy !== undefined) running ??= { outcome: 'refused', breaker: record.parkedBy };
    const dueAt = record.nextRetryAt === undefined ? undefined : agent.timers.get(`${record.path}${operationTimer}`)?.dueAt;
    const left = dueAt === undefined ? 0 : dueAt - now;
    if (dueAt === undefined) {
      if (record.parkedBy === undefined) running = { outcome: 'running' };
      continue;
    }
    if (isOwn && dueAt === task.at) {
      // It is this call's own wait: the queue's clock is ahead.
      if (left > leftMs) own = { outcome: 'early', inMs: left };
      else running = { outcome: 'running' };
      continue;
    }
    const handed = dispatching.of(record);
    const isQueued = handed?.task.at === dueAt;
    if (isQueued && handed.taken === false) undispatched ??= { outcome: 'undispatched', nextAttemptAt: dueAt };
    else if (isQueued ? handed.taken === undefined : left <= leftMs) running = { outcome: 'running' };
    else if (isOwn) own = { outcome: 'waiting', nextAttemptAt: dueAt };
  }
  return running ?? undispatched ?? own;
}

/** Waits for the end of an agent, wherever it is: in this memory, at rest, with another node. */

import type { Agent } from '../actors/agent.js';
import { agentFailed } from '../actors/agent-failure.js';
import { decode } from '../core/codec.js';
import type { Clock } from '../core/clock.js';
import type { Down } from '../effects/monitor.js';
import type { AgentRecord } from '../persistence/store.js';
import { childIn } from '../supervisor/children.js';
import type { ChildFailure } from '../supervisor/state.js';
import { readMind } from '../supervisor/tree.js';
import { failureOf } from './losses.js';
import type { Node } from './node.js';

/** How often an agent of another node is looked at: only looking shows its end. */
const pollMs = 100;

export interface EndingOptions {
  readonly clock: Clock;
  /** Ends the waiting, with its reason. */
  readonly signal?: AbortSignal;
  /** A parked agent may never end: whether its error is thrown instead of waiting. */
  readonly refuseParked: boolean;
  /** A failure of a supervised agent since then counts as an end. Epoch milliseconds; default: none does. */
  readonly failedSince?: number;
}

/** @throws RuntimeClosedError, and for a parked agent, when asked to, why it is parked. */
export async function endingOf(node: Node, id: string, { clock, signal, refuseParked, failedSince }: EndingOptions): Promise<Down> {
  for (;;) {
    node.assertOpen();
    signal?.throwIfAborted();
    let wake: (agent: Agent | undefined) => void = () => undefined;
    const changed = new Promise<Agent | undefined>((resolve) => (wake = resolve));
    const forget = node.ends.wait(id, wake);
    const abort = (): void => wake(undefined);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const starting = node.starting(id);
      if (starting !== undefined) await starting;
      const resident = node.resident(id);
      const failed = failedSince === undefined ? undefined : failureSince(node, id, resident?.supervisor, failedSince);
      if (failed !== undefined) return failed;
      if (resident?.status === 'active') {
        const agent = await changed;
        if (agent?.status === 'done') return { id, status: 'done', output: agent.snapshot().output };
        continue;
      }
      const [record] = await node.store.lookup([id]);
      if (failedSince !== undefined && record?.supervisor !== undefined) {
        const before = (await failureIn(node, record, failedSince)) ?? failureSince(node, id, record.supervisor, failedSince);
        if (before !== undefined) return before;
      }
      switch (record?.status) {
        case undefined:
          return { id, status: 'unknown' };
        case 'done':
          return { id, status: 'done', output: decode(record?.outcome ?? '{"$sw":"undefined"}') };
        case 'error':
          return { id, status: 'error', error: decode(record?.outcome ?? 'null') as Error };
        case 'stopped':
          return { id, status: 'stopped' };
        case 'parked': {
          const presence = refuseParked ? await node.presence(id) : undefined;
          if (presence?.where === 'parked') throw presence.error;
          break;
        }
        case 'suspended':
        case 'active':
      }
      // Held by this node: its end is told. Held by another one, or by nobody, or parked: only looking again shows it.
      const told = record?.status === 'active' && record.owner === node.store.node;
      await (told ? changed : pause(clock, changed));
    } finally {
      forget();
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** What a supervisor that is here knows. */
function failureSince(node: Node, id: string, supervisor: string | undefined, since: number): Down | undefined {
  const failure = supervisor === undefined ? undefined : failureOf(node, supervisor, id);
  return failure === undefined || failure.at < since ? undefined : failedDown(id, failure);
}

/** What the supervisor of an agent of another node, or of none, has written down. */
async function failureIn(node: Node, { id, owner, supervisor }: AgentRecord, since: number): Promise<Down | undefined> {
  if (supervisor === undefined || owner === node.store.node) return undefined;
  const [record] = await node.store.lookup([supervisor]);
  if (record === undefined) return undefined;
  const { state } = await readMind(node.store, record);
  const failure = childIn(state.children, id)?.failure;
  return failure === undefined || failure.at < since ? undefined : failedDown(id, failure);
}

function failedDown(id: string, { reason, message }: ChildFailure): Down {
  return { id, status: 'failed', reason, error: agentFailed(id, message) };
}

async function pause(clock: Clock, unless: Promise<unknown>): Promise<void> {
  let handle: unknown;
  await Promise.race([unless, new Promise<void>((resolve) => (handle = clock.setTimeout(resolve, pollMs)))]);
  clock.clearTimeout(handle);
}

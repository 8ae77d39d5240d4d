/** Errors that an agent ends or is dropped with. */

import { errorOf } from '../core/codec.js';
import {
  AgentFailedError,
  AgentSuspendedError,
  DeadLetterError,
  LeaseLostError,
  MailboxFullError,
  NotSerializableError,
  SnapshotVersionError,
  StatewardenError,
} from '../core/errors.js';

export function agentFailed(id: string, cause: unknown): AgentFailedError {
  return new AgentFailedError(`agent "${id}" failed: ${errorOf(cause).message}`, {
    cause,
    hint: 'The cause is what its machine threw. `statewarden show` has its last state.',
  });
}

export function suspendedError(id: string): AgentSuspendedError {
  return new AgentSuspendedError(`agent "${id}" is down`, {
    hint: 'Its supervisor brings it back or has given up: `statewarden tree`. What is sent to it meanwhile waits in its mailbox.',
  });
}

/** The store has not confirmed for a whole term that it is this node's, or says that it is not. */
export function termOver(id: string): LeaseLostError {
  return new LeaseLostError(`agent "${id}" is not held by this node any more: its term is over`, {
    hint: 'It goes on from its last commit, here or on another node. See why the store did not answer for so long, or raise node.leaseMs.',
  });
}

export function leaseLost(id: string, fence: number): LeaseLostError {
  return new LeaseLostError(`agent "${id}" is held by another node now (fence ${String(fence)})`, {
    hint: 'Nothing of this was recorded. Send again: the event goes to the node that holds the agent.',
  });
}

export function inboxFull(id: string, waiting: number): MailboxFullError {
  return new MailboxFullError(`agent "${id}" has ${String(waiting)} events waiting`, {
    hint: 'Send more slowly (await each send), or raise limits.mailbox.',
  });
}

export function endedBefore(id: string, status: string): DeadLetterError {
  return new DeadLetterError(`agent "${id}" ended (${status}) before it could take the event`, {
    hint: 'Look at the agent with `statewarden show`; send to an agent that is active.',
  });
}

/** Why a turn could not be written; a place in the checkpoint is told as one in the snapshot. */
export function refusedBy(id: string, thrown: unknown): StatewardenError {
  if (thrown instanceof NotSerializableError) {
    const path = thrown.path.replace(/^checkpoint\.snapshot\./, '');
    return new NotSerializableError(`agent "${id}": ${thrown.message.replace(thrown.path, path)}`, {
      path,
      hint: thrown.hint,
      cause: thrown,
    });
  }
  return thrown instanceof StatewardenError ? thrown : agentFailed(id, thrown);
}

/** It cannot be brought back, for a reason that is not its checkpoint's. */
export function notTaken(id: string, cause: unknown): SnapshotVersionError {
  const { message } = errorOf(cause);
  return new SnapshotVersionError(`agent "${id}" cannot be brought back: ${message}`, {
    differences: [`the registered machine throws: ${message}`],
    cause,
    hint: 'Look at the cause: it comes from the machine, its migrations or XState. The agent is tried again when something is for it.',
  });
}

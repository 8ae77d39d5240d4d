/** Errors that an agent ends or is dropped with. */

import { errorOf } from '../core/codec.js';
import { AgentFailedError, AgentSuspendedError, NotSerializableError, StatewardenError } from '../core/errors.js';

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

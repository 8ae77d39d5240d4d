/** What comes of supervision, as errors and as the end that a record tells of. */

import { decode } from '../core/codec.js';
import { HungAgentError, SupervisionError } from '../core/errors.js';
import type { AgentRecord } from '../persistence/store.js';
import type { SupervisorExit, SupervisorState } from '../supervisor/state.js';

/** Why a supervisor has ended, as its record says. */
export function exitOf(record: Pick<AgentRecord, 'outcome'>): SupervisorExit | undefined {
  const exit = record.outcome === undefined ? undefined : (decode(record.outcome) as SupervisorExit | null);
  return typeof exit?.type === 'string' ? exit : undefined;
}

export function taken(id: string, by: string | undefined): SupervisionError {
  const whose = by === undefined ? 'has no supervisor' : `is a child of supervisor "${by}"`;
  return new SupervisionError(`agent "${id}" exists and ${whose}`, {
    reason: 'already-present',
    hint: 'Give the child an id of its own, or stop the agent and use another.',
  });
}

export function hung(id: string, heartbeatMs: number): HungAgentError {
  return new HungAgentError(`agent "${id}" made no progress for ${String(heartbeatMs)} ms`, {
    hint: 'Its activities call heartbeat() while they work; raise heartbeatMs if they need longer.',
  });
}

export function notStarted(id: string, exit: SupervisorExit | undefined, state: SupervisorState): SupervisionError {
  const child = exit !== undefined && 'child' in exit ? state.children.find((one) => one.id === exit.child) : undefined;
  const failure = child?.failure === undefined ? '' : `: ${child.failure.message}`;
  const what = child === undefined ? '' : ` because of child "${child.id}"${failure}`;
  return new SupervisionError(`supervisor "${id}" has ended (${exit?.type ?? 'unknown'})${what}`, {
    reason: exit?.type ?? 'ended',
    hint: 'Look at `statewarden tree` and `statewarden dead-letters`; then supervise it again with { revive: true }.',
  });
}

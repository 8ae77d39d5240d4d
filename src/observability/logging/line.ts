/**
 * A runtime's event as a line's members and message. What an agent was sent, knows or answers is in none: only what the runtime itself says of it, and errors.
 */

import { StatewardenError } from '../../core/errors.js';
import type { RuntimeEvent } from '../../core/runtime-event.js';
import { readTraceparent } from '../../core/traceparent.js';

/** Cloud Logging's members. */
const names = {
  trace: 'logging.googleapis.com/trace',
  spanId: 'logging.googleapis.com/spanId',
  sampled: 'logging.googleapis.com/trace_sampled',
  labels: 'logging.googleapis.com/labels',
} as const;

export type Members = Record<string, unknown>;

/** Where the line belongs. `projectId`: without one the trace is its bare id. */
export function placeMembers(place: string | undefined, projectId: string | undefined): Members {
  const read = readTraceparent(place);
  if (read === undefined) return {};
  const trace = projectId === undefined ? read.traceId : `projects/${projectId}/traces/${read.traceId}`;
  return { [names.trace]: trace, [names.spanId]: read.spanId, [names.sampled]: (read.flags & 1) === 1 };
}

export function errorMembers(error: Error | undefined): Members {
  if (error === undefined) return {};
  const { name, message, stack } = error;
  const known = error instanceof StatewardenError ? { code: error.code, hint: error.hint } : {};
  return { error: { name, message, stack, ...known } };
}

/** By what lines are found: Cloud Logging keeps labels as text. */
export function labelMembers(event: RuntimeEvent, labels: Readonly<Record<string, string>>): Members {
  const all: Record<string, string> = { ...labels, 'statewarden.event': event.type };
  if ('agentId' in event) all['statewarden.agent'] = event.agentId;
  if ('kind' in event) all['statewarden.kind'] = event.kind;
  if ('activity' in event) all['statewarden.activity'] = event.activity;
  return { [names.labels]: all };
}

/** All that it says, less an event's text, which is an agent's. */
export function eventMembers(event: RuntimeEvent): Members {
  const { at: _at, trace: _trace, ...said } = event;
  const members: Members = { ...said };
  delete members['error'];
  // The text of a dead letter is what somebody sent; its type says enough.
  if (event.type === 'dead-letter') members['event'] = typeOf(event.event);
  return { statewarden: members };
}

export function messageOf(event: RuntimeEvent): string {
  const of = 'agentId' in event ? ` ${event.agentId}` : '';
  switch (event.type) {
    case 'turn':
    case 'slow-turn':
      return `${event.type}${of}: ${event.event} in ${ms(event.durationMs)}`;
    case 'commit':
      return `commit: ${String(event.turns)} turns of ${String(event.agents)} agents in ${ms(event.durationMs)}`;
    case 'checkpoint':
      return `checkpoint${of}: ${String(event.bytes)} bytes`;
    case 'recovery':
      return `recovery${of}: ${event.outcome}, ${String(event.replayedTurns)} turns in ${ms(event.durationMs)}`;
    case 'activity':
      return `activity${of}: ${event.activity} ${event.phase}, attempt ${String(event.attempt)}${because(event.error)}`;
    case 'effect':
      return `effect${of}: ${event.effect} ${event.name}${because(event.error)}`;
    case 'alert':
      return `alert${of}: ${event.message}`;
    case 'breaker':
      return `breaker ${event.breaker}: ${event.from} → ${event.to}, ${event.reason}`;
    case 'dead-letter':
      return `dead letter for ${event.to}: ${typeOf(event.event)}, ${event.reason}`;
    case 'ended':
      return `ended${of}: ${event.status}${because(event.error)}`;
    case 'failed':
      return `failed${of}: ${event.reason}${because(event.error)}`;
    case 'restarted':
      return `restarted${of} by ${event.supervisor}`;
    case 'supervisor-ended':
      return `supervisor ended${of}: ${event.exit}`;
    case 'store':
    case 'lease':
      return `${event.type}: ${event.state}${'error' in event ? because(event.error) : ''}`;
    case 'nodes':
      return `nodes: ${event.nodes.join(', ')}`;
    default:
      return `${event.type}${of}${'error' in event ? because(event.error) : ''}`;
  }
}

function ms(durationMs: number): string {
  return `${durationMs.toFixed(1)} ms`;
}

function because(error: Error | undefined): string {
  return error === undefined ? '' : `: ${error.message}`;
}

function typeOf(event: string): string {
  try {
    const { type } = JSON.parse(event) as { readonly type?: unknown };
    return typeof type === 'string' ? type : 'unknown';
  } catch {
    return 'unknown';
  }
}

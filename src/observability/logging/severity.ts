/** How much what a runtime tells matters, in Cloud Logging's words. The table in docs/observability.md says the same. */

import type { RuntimeEvent } from '../../core/runtime-event.js';

export type Severity = 'DEBUG' | 'INFO' | 'NOTICE' | 'WARNING' | 'ERROR' | 'CRITICAL';

export function severityOf(event: RuntimeEvent): Severity {
  switch (event.type) {
    case 'turn':
    case 'commit':
    case 'checkpoint':
    case 'dispatch':
    case 'spawned':
    case 'passivated':
    case 'handed-over':
    case 'archived':
    case 'unarchived':
      return 'error' in event && event.error !== undefined ? 'WARNING' : 'DEBUG';
    case 'effect':
      return event.error === undefined ? 'DEBUG' : 'ERROR';
    case 'activity':
      return ofActivity(event.phase);
    case 'recovery':
      return event.outcome === 'resumed' ? 'INFO' : 'ERROR';
    case 'ended':
      return event.status === 'error' ? 'ERROR' : 'INFO';
    case 'restarted':
    case 'suspended':
    case 'nodes':
      return 'NOTICE';
    case 'lease':
      return event.state === 'renewed' ? 'NOTICE' : 'ERROR';
    case 'slow-turn':
    case 'lease-lost':
    case 'failed':
    case 'breaker-memory':
      return 'WARNING';
    case 'breaker':
      return event.to === 'open' || event.to === 'isolated' ? 'WARNING' : 'NOTICE';
    case 'supervisor-ended':
      return event.exit === 'intensity' || event.exit === 'start-failed' ? 'ERROR' : 'NOTICE';
    case 'parked':
    case 'dead-letter':
    case 'alert-failed':
      return 'ERROR';
    case 'alert':
      return event.alert === 'compensation-failed' ? 'ERROR' : 'WARNING';
    case 'store':
      return event.state === 'available' ? 'NOTICE' : event.state === 'unavailable' ? 'ERROR' : 'CRITICAL';
  }
}

function ofActivity(phase: Extract<RuntimeEvent, { type: 'activity' }>['phase']): Severity {
  switch (phase) {
    case 'started':
    case 'reused':
    case 'cancelled':
      return 'DEBUG';
    case 'succeeded':
    case 'reconciled':
      return 'INFO';
    case 'retrying':
    case 'parked':
    case 'keeping':
      return 'WARNING';
    case 'failed':
    case 'unknown':
    case 'held':
      return 'ERROR';
  }
}

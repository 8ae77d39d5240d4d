/** A fleet's declaration: a supervisor whose children are members of one kind, and which hands out jobs to them. */

import type { RestartDelay, RestartType, SupervisorSpec } from '../spec.js';
import type { FleetOptions } from './options.js';

/** Options of the fleet as a supervisor: see `SupervisorSpec`. */
export interface FleetSupervision {
  /** Restarts of members in `periodMs` that are one too many. Default a quarter of the size, at least 3. A member that fails at a job is not counted. */
  readonly intensity?: number;
  readonly periodMs?: number;
  readonly delay?: RestartDelay;
  readonly restart?: RestartType;
  readonly shutdownMs?: number;
}

export interface FleetSpec<TKind extends string = string> extends SupervisorSpec {
  readonly fleet: FleetOptions<TKind>;
}

/**
 * Declares a fleet: `supervisor({ id: 'team', children: [fleet('researchers', { kind: 'researcher', size: 8 })] })`. Its members are the agents `researchers/1` to
 * `researchers/8`. Any event that is sent to the agent `researchers` is a job: it waits until a member has nothing to do. Checked when it is used.
 */
export function fleet<const TKind extends string>(id: string, options: FleetOptions<TKind> & FleetSupervision): FleetSpec<TKind> {
  const { intensity, periodMs, delay, restart, shutdownMs, ...members } = options;
  return {
    id,
    strategy: 'one-for-one',
    intensity: intensity ?? Math.max(3, Math.ceil((Number.isFinite(options.size) ? options.size : 0) / 4)),
    ...(periodMs === undefined ? {} : { periodMs }),
    ...(delay === undefined ? {} : { delay }),
    ...(restart === undefined ? {} : { restart }),
    ...(shutdownMs === undefined ? {} : { shutdownMs }),
    fleet: members,
  };
}

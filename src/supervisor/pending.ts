/** What a supervisor still wants done, read off its state: for whoever brings it back after a crash. */

import type { FleetState } from './fleet/state.js';
import type { ChildState, Command, StartOf, SupervisorState } from './state.js';

/**
 * What was wanted done and has not been reported on: to be wanted again by whoever brings a supervisor back. Each may be carried out twice.
 */
export function pending(state: SupervisorState): readonly Command[] {
  const commands: Command[] = [];
  const stopping = (state.stopping ?? []).flatMap((id) => state.children.filter((child) => child.id === id && child.status === 'stopping'));
  const others = state.children.filter((child) => child.status === 'stopping' && !stopping.includes(child));
  const stop = [...stopping, ...others].map((child) => stopOf(child, state));
  if (stop.length > 0) commands.push({ do: 'stop', children: stop });
  const start = state.children.filter(({ status }) => status === 'starting');
  const together = state.starting === undefined ? [] : start.filter(({ id }) => state.starting?.includes(id) === true);
  if (together.length > 0) commands.push({ do: 'start', children: together.map(startOf) });
  for (const child of start) if (!together.includes(child)) commands.push({ do: 'start', children: [startOf(child)] });
  const next = Math.min(...state.children.map(({ status, dueAt }) => (status === 'waiting' ? (dueAt ?? Infinity) : Infinity)));
  if (next !== Infinity && state.status === 'running') commands.push({ do: 'wake', at: next });
  if (state.status === 'running') commands.push({ do: 'ready' });
  return commands;
}

export function startOf({ id, run, renew }: ChildState): StartOf {
  return renew === undefined ? { id, run } : { id, run, renew };
}

/** The same for a supervisor that may be a fleet. */
export function pendingOf({
  state,
  fleet,
}: {
  readonly state: SupervisorState;
  readonly fleet?: FleetState | undefined;
}): readonly Command[] {
  const commands = pending(state);
  if (fleet === undefined) return commands;
  const own = commands.filter((command) => command.do !== 'wake' && (command.do !== 'ready' || fleet.ready));
  return fleet.wakeAt === undefined ? own : [...own, { do: 'wake', at: fleet.wakeAt }];
}

/** How a child is to be stopped. */
export function stopOf(
  { id, shutdownMs, restart, retiring }: ChildState,
  { forgetting }: SupervisorState,
): Extract<Command, { do: 'stop' }>['children'][number] {
  return { id, shutdownMs, forget: restart === 'temporary' || retiring === true || forgetting };
}

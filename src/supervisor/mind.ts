/**
 * What a supervisor's agent has in its mind, and what becomes of it with each event: that of a supervisor, or of a supervisor that is a fleet. Pure: used by the agent's
 * machine, and by whoever reads a tree from its journal.
 */

import type { EventObject } from 'xstate';
import { repliedType } from '../actors/actions.js';
import { exitedType } from '../actors/setback.js';
import type { FleetDeeds } from './fleet/deeds.js';
import { runFleet } from './fleet/reducer.js';
import { newFleet, type FleetEvent, type FleetState } from './fleet/state.js';
import { supervise } from './reducer.js';
import type { SupervisorInput } from './spec.js';
import { newSupervisor, type SupervisorEvent, type SupervisorState } from './state.js';

/** Carries an event for a supervisor's mind. */
export const superviseType = 'statewarden.supervise';
/** Carries an event for a fleet's. */
export const fleetType = 'statewarden.fleet';

export interface SuperviseEvent extends EventObject {
  readonly type: typeof superviseType;
  readonly do: SupervisorEvent;
}

export interface FleetCarrier extends EventObject {
  readonly type: typeof fleetType;
  readonly do: FleetEvent;
}

export interface Mind {
  readonly state: SupervisorState;
  /** Of a supervisor that is a fleet. */
  readonly fleet?: FleetState | undefined;
}

export interface MindStep extends FleetDeeds {
  readonly mind: Mind;
}

const nothing: Omit<FleetDeeds, 'commands'> = { given: [], asked: [], answers: [], letters: [] };

export function newMind({ spec, children, fleet }: SupervisorInput): Mind {
  return { state: newSupervisor(spec, children), fleet: fleet === undefined ? undefined : newFleet(fleet) };
}

/** `at`: when the event was taken, epoch milliseconds. `asker`: the address of whoever asked with it. */
export function think(id: string, mind: Mind, event: EventObject, at: number, asker: string | undefined): MindStep {
  const { state, fleet } = mind;
  const meaning = meaningOf(event, asker);
  if (fleet !== undefined) {
    const { fleet: after, state: supervised, ...deeds } = runFleet(id, fleet, state, meaning, at);
    return { mind: { state: supervised, fleet: after }, ...deeds };
  }
  if (isOfFleet(meaning)) return { mind, commands: [], ...nothing };
  const step = supervise(state, meaning);
  return { mind: { state: step.state, fleet }, commands: step.commands, ...nothing };
}

/** What an event of the journal or the mailbox means: any that is not ours is a job. */
function meaningOf(event: EventObject, asker: string | undefined): SupervisorEvent | FleetEvent {
  switch (event.type) {
    case superviseType:
      return (event as SuperviseEvent).do;
    case exitedType:
      return { ...(event as unknown as Extract<SupervisorEvent, { type: 'exited' }>), type: 'exited' };
    case fleetType:
      return (event as FleetCarrier).do;
    case repliedType:
      return { ...(event as unknown as Extract<FleetEvent, { type: 'replied' }>), type: 'replied' };
    default:
      return { type: 'submit', id: undefined, event, asker };
  }
}

const fleetEvents: readonly string[] = ['submit', 'replied', 'resize', 'drain', 'open', 'roll', 'configure'] satisfies FleetEvent['type'][];

function isOfFleet(event: SupervisorEvent | FleetEvent): event is FleetEvent {
  return fleetEvents.includes(event.type);
}

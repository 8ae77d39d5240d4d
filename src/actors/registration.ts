/** A registered kind: its machine, checked and wrapped, with the structure that its checkpoints are compared with. */

import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { BadInputError } from '../core/errors.js';
import { resolvePolicy, type CheckpointPolicy, type ResolvedPolicy } from './checkpoint-policy.js';
import { defineMachine, schemaOf, type MachineDefinition } from './definition.js';
import { checkMachine } from './machine-check.js';
import { inlineActions } from './placed-actions.js';
import { durable } from './seam.js';

/** What a delayed event does when its agent was down: `deadline` (default) keeps the clock time, `remaining` stops the clock, `restart` starts over. */
export type TimerPolicy = 'deadline' | 'remaining' | 'restart';

/** A persisted XState snapshot, as a migration sees it. */
export interface PersistedSnapshot {
  value: unknown;
  context: Record<string, unknown>;
  [member: string]: unknown;
}

/** An older version of a kind, whose agents go on with it. */
export interface PreviousVersion {
  readonly machine: AnyStateMachine;
  readonly version: number;
  readonly timers?: TimerPolicy;
  readonly migrations?: NonNullable<KindDefinition['migrations']>;
}

export interface KindDefinition<TMachine extends AnyStateMachine = AnyStateMachine> {
  readonly machine: TMachine;
  /** Raise it when the machine's structure changes in a way that old checkpoints do not fit. A whole number from 1. */
  readonly version: number;
  /** For delayed events, unless a state says otherwise with `meta: { timers: 'restart' }`. Default `deadline`. */
  readonly timers?: TimerPolicy;
  readonly checkpoints?: CheckpointPolicy;
  /** `2` lifts a snapshot of version 1 to version 2; each is given a copy and returns the new snapshot. */
  readonly migrations?: Readonly<Record<number, (snapshot: PersistedSnapshot) => PersistedSnapshot>>;
  /**
   * Older versions: agents whose checkpoints are of one of them go on with its machine until they end, begin anew, or are rolled to this one (`fleet.roll()`). Agents
   * of a version that is not here are brought to this one, by `migrations`, when they come back. New agents are of this version.
   */
  readonly previous?: readonly PreviousVersion[];
}

export interface Registration {
  readonly kind: string;
  readonly version: number;
  readonly machine: AnyStateMachine;
  readonly logic: AnyActorLogic;
  readonly definition: MachineDefinition;
  readonly schema: string;
  /** Where inline functions stand as actions. */
  readonly inlineActions: readonly string[];
  readonly checkpoints: ResolvedPolicy;
  readonly timers: TimerPolicy;
  readonly migrations: NonNullable<KindDefinition['migrations']>;
  /** Of our own making: a function of state and event, so that its turns may be run again after they were seen. It stays in memory. */
  readonly isSupervisor: boolean;
  readonly previous: readonly Registration[];
}

/** @throws BadInputError, UnsupportedMachineError */
export function register(
  kind: string,
  definition: KindDefinition,
  checkpoints: CheckpointPolicy | undefined,
  isSupervisor = false,
): Registration {
  const { machine, version } = (definition as KindDefinition | undefined) ?? ({} as KindDefinition);
  checkMachine(kind, machine);
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new BadInputError(`agents.${kind}.version is ${String(version)}`, { hint: 'Give a whole number, 1 for the first version.' });
  }
  const timers = definition.timers ?? 'deadline';
  if (!['deadline', 'remaining', 'restart'].includes(timers)) {
    throw new BadInputError(`agents.${kind}.timers is ${JSON.stringify(timers)}`, {
      hint: "Use 'deadline', 'remaining' or 'restart'.",
    });
  }
  for (const [to, migration] of Object.entries(definition.migrations ?? {})) {
    if (typeof migration === 'function') continue;
    throw new BadInputError(`agents.${kind}.migrations[${to}] is ${typeof migration}`, {
      hint: 'Give a function that takes a snapshot of the version before and returns one of this version.',
    });
  }
  const described = defineMachine(machine);
  return {
    kind,
    version,
    machine,
    logic: durable(machine as unknown as AnyActorLogic),
    definition: described,
    schema: schemaOf(described),
    inlineActions: inlineActions(machine),
    checkpoints: resolvePolicy(definition.checkpoints ?? checkpoints, `agents.${kind}.checkpoints`),
    timers,
    migrations: definition.migrations ?? {},
    isSupervisor,
    previous: (definition.previous ?? []).map((older) => registerPrevious(kind, version, older, definition, checkpoints)),
  };
}

function registerPrevious(
  kind: string,
  version: number,
  older: PreviousVersion,
  { checkpoints, previous }: KindDefinition,
  inherited: CheckpointPolicy | undefined,
): Registration {
  if (previous?.some((other) => other !== older && other.version === older.version) === true || older.version >= version) {
    throw new BadInputError(`agents.${kind}.previous has version ${String(older.version)}`, {
      hint: `Each is there once and older than version ${String(version)}.`,
    });
  }
  return register(kind, { ...older, ...(checkpoints === undefined ? {} : { checkpoints }) }, inherited);
}

/** The policy for a timer of the root machine: the nearest state's around an `after`, else the kind's. */
export function timerPolicy(registration: Registration, timerId: string): TimerPolicy {
  const after = /^xstate\.after\.[^.]*\.(.*)$/.exec(timerId);
  if (after === null) return registration.timers;
  interface Node {
    readonly meta?: { readonly timers?: TimerPolicy };
    readonly parent?: Node;
  }
  let node: Node | undefined;
  try {
    node = registration.machine.getStateNodeById(after[1] as string) as unknown as Node;
  } catch {
    return registration.timers; // a delay whose own name holds a dot
  }
  for (; node !== undefined; node = node.parent) {
    if (node.meta?.timers !== undefined) return node.meta.timers;
  }
  return registration.timers;
}

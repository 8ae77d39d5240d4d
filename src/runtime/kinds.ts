/** The registered kinds of agents, and what belongs to the making of one: its kind, its id, its key. */

import { chartOf } from '../actors/chart.js';
import { register, type Registration } from '../actors/registration.js';
import { BadInputError, KindConflictError, UnknownKindError } from '../core/errors.js';
import { budgetKind, budgetMachine } from '../effects/budget/machine.js';
import type { MachineRecord } from '../persistence/store.js';
import { supervisorKind, supervisorMachine } from '../supervisor/machine.js';
import type { ResolvedOptions } from './options.js';

/** How the names of our own kinds begin. */
const reserved = 'statewarden.';

/** A supervisor's state may be large, and its journal can be run again from any point: a checkpoint only when the journal has outgrown it. */
const supervisorCheckpoints = { everyEvents: Infinity, everyMs: Infinity };

/** The kinds of a runtime, its own included. @throws BadInputError, UnsupportedMachineError; nothing is opened yet */
export function registerKinds(options: Pick<ResolvedOptions, 'agents' | 'checkpoints' | 'clock'>): ReadonlyMap<string, Registration> {
  const registrations = Object.entries(options.agents).map(([kind, definition]) => {
    if (kind.startsWith(reserved)) {
      throw new BadInputError(`agents.${kind}: names that begin with "statewarden." are reserved`, { hint: 'Name the kind otherwise.' });
    }
    return register(kind, definition, options.checkpoints);
  });
  const supervisor = { machine: supervisorMachine, version: 1, checkpoints: supervisorCheckpoints };
  registrations.push(register(supervisorKind, supervisor, undefined, true));
  const budget = budgetMachine(() => options.clock.now());
  registrations.push(register(budgetKind, { machine: budget, version: 1, checkpoints: 'every-turn' }, undefined));
  return new Map(registrations.map((registration) => [registration.kind, registration]));
}

export class Kinds {
  readonly #registrations: ReadonlyMap<string, Registration>;
  #nextKey: number;

  /** Keys are counted from `firstKey`. */
  constructor(registrations: ReadonlyMap<string, Registration>, firstKey: number) {
    this.#registrations = registrations;
    this.#nextKey = firstKey;
  }

  /** Older versions included. */
  get registrations(): Iterable<Registration> {
    return [...this.#registrations.values()].flatMap((registration) => [registration, ...registration.previous]);
  }

  /** As a store keeps them. */
  get machines(): readonly MachineRecord[] {
    return [...this.registrations].map(({ kind, version, schema, definition, inlineActions, machine }) => ({
      kind,
      version,
      schema,
      definition: JSON.stringify({ ...definition, inlineActions, chart: chartOf(machine) }),
    }));
  }

  /** Of an agent whose state is of this version. */
  of(kind: string, version: number): Registration | undefined {
    const current = this.#registrations.get(kind);
    return current?.previous.find((older) => older.version === version) ?? current;
  }

  get(kind: string): Registration | undefined {
    return this.#registrations.get(kind);
  }

  /** Names of the user's own. */
  get names(): ReadonlySet<string> {
    return new Set([...this.#registrations.values()].map(({ kind }) => kind).filter((kind) => !kind.startsWith(reserved)));
  }

  /** @throws UnknownKindError, BadInputError */
  newAgent(kind: string, id: string): { readonly key: number; readonly version: number; readonly registration: Registration } {
    const registration = this.#registrations.get(kind);
    if (registration === undefined) throw this.unknown(kind);
    checkId(id);
    const key = this.#nextKey;
    this.#nextKey += 1;
    return { key, version: registration.version, registration };
  }

  unknown(kind: string): UnknownKindError {
    const known = [...this.names].map((name) => JSON.stringify(name)).join(', ');
    return new UnknownKindError(`no agents of kind ${JSON.stringify(kind)} are registered`, {
      hint:
        known === ''
          ? 'Register it with createRuntime({ agents: { … } }).'
          : `Registered kinds: ${known}. Add it to createRuntime({ agents: { … } }).`,
    });
  }
}

/** @throws KindConflictError */
export function assertKind(id: string, kind: string, actual: string): void {
  if (kind === actual) return;
  throw new KindConflictError(`agent "${id}" exists and is a "${actual}", not a "${kind}"`, {
    hint: 'Choose another id; putting the kind into the id (`orders/o-42`) keeps kinds apart.',
  });
}

/** @throws BadInputError */
export function checkId(id: unknown): asserts id is string {
  if (typeof id === 'string' && id !== '' && id.length <= 512 && !/[\0-\x1f\x7f]/.test(id)) return;
  throw new BadInputError(`${JSON.stringify(id) ?? String(id)} cannot be an agent's id`, {
    hint: 'Use a string of 1 to 512 characters without control characters, for example "orders/o-42".',
  });
}

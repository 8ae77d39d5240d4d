/** The registered kinds of agents, and what belongs to the making of one: its kind, its id, its key. */

import type { Registration } from '../actors/registration.js';
import { BadInputError, KindConflictError, UnknownKindError } from '../core/errors.js';

export class Kinds {
  readonly #registrations: ReadonlyMap<string, Registration>;
  #nextKey: number;

  /** Keys are counted from `firstKey`. */
  constructor(registrations: ReadonlyMap<string, Registration>, firstKey: number) {
    this.#registrations = registrations;
    this.#nextKey = firstKey;
  }

  get registrations(): Iterable<Registration> {
    return this.#registrations.values();
  }

  get(kind: string): Registration | undefined {
    return this.#registrations.get(kind);
  }

  /** Names of the user's own. */
  get names(): ReadonlySet<string> {
    return new Set([...this.#registrations.values()].filter(({ isSupervisor }) => !isSupervisor).map(({ kind }) => kind));
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

/**
 * The breakers of one runtime. What activities and options name are patterns: the board makes a breaker of its own from each, with its own clock, so that two runtimes in a process share nothing. The same name is the same
 * breaker, wherever it was declared.
 */

import { Subject, type Observable } from '../core/observables.js';
import { BadInputError } from '../core/errors.js';
import { allOf, partsOf } from './all-of.js';
import { StandardBreaker } from './breaker.js';
import type { Breaker, BreakerChange, BreakerSurroundings, Guard } from './contract.js';
import type { BreakerDefinition } from './options.js';
import { StandardRegistry, type BreakerRegistry } from './registry.js';

/** What an activity may be guarded by. */
export type GuardPattern = Guard | BreakerRegistry;

export function isRegistry(pattern: GuardPattern): pattern is StandardRegistry {
  return pattern instanceof StandardRegistry;
}

export function isGuardPattern(value: unknown): value is GuardPattern {
  return (
    value instanceof StandardRegistry ||
    (typeof value === 'object' && value !== null && typeof (value as Partial<Guard>).admit === 'function')
  );
}

export interface BoardEvents {
  /** A breaker was made; what was saved of one with its name may be given back to it. */
  readonly made: (breaker: StandardBreaker) => void;
  /** A registry was made, before any of its breakers. */
  readonly registered: (registry: StandardRegistry) => void;
  readonly changed: (change: BreakerChange, breaker: StandardBreaker) => void;
}

export class BreakerBoard {
  readonly #surroundings: BreakerSurroundings;
  readonly #events: BoardEvents;
  readonly #breakers = new Map<string, { readonly definition: BreakerDefinition; readonly breaker: StandardBreaker }>();
  readonly #registries = new Map<string, StandardRegistry>();
  readonly #composed = new Map<string, Guard>();
  readonly #stages = new Set<string>();
  /** What stages and a guard, or several stages, are together; by the guard, or the first of the stages, and the stages' names. */
  readonly #staged = new WeakMap<Guard, Map<string, Guard>>();
  /** Those whose state has changed here: they know how things stand. */
  readonly #moved = new WeakSet<StandardBreaker>();
  readonly #changes = new Subject<BreakerChange>();

  constructor(surroundings: BreakerSurroundings, events: BoardEvents) {
    this.#surroundings = surroundings;
    this.#events = events;
  }

  /** Every change of every breaker from now on. */
  get changes$(): Observable<BreakerChange> {
    return this.#changes.asObservable();
  }

  /** Names of stages: tags of states whose activities they guard. */
  get stages(): ReadonlySet<string> {
    return this.#stages;
  }

  /**
   * Makes the breakers of a pattern known.
   * @throws BadInputError for a name that two breakers claim
   */
  declare(pattern: GuardPattern): void {
    if (isRegistry(pattern)) this.#registry(pattern);
    else this.#guard(pattern as Guard);
  }

  /** Who guards a call: of a registry the breaker of the key. `stages`: tags of the state that makes it. @throws BadInputError */
  guard(pattern: GuardPattern | undefined, key: string | undefined, stages: readonly string[]): Guard | undefined {
    const own =
      pattern === undefined
        ? undefined
        : pattern instanceof StandardRegistry
          ? this.#registry(pattern).get(key ?? '')
          : this.#guard(pattern as Guard);
    const outer = stages.filter((stage) => this.#stages.has(stage) && !standsWithin(own, stage)).map((stage) => this.get(stage) as Guard);
    if (outer.length === 0) return own;
    if (own === undefined && outer.length === 1) return outer[0];
    const inner = own ?? (outer[0] as Guard);
    const staged = this.#staged.get(inner) ?? new Map<string, Guard>();
    this.#staged.set(inner, staged);
    const names = outer.map((guard) => guard.name).join('\n');
    let guard = staged.get(names);
    if (guard === undefined) staged.set(names, (guard = allOf(...outer, ...(own === undefined ? [] : [own]))));
    return guard;
  }

  /** The breaker of a name, `REGISTRY/KEY` included; undefined: there is none now. */
  get(name: string): StandardBreaker | undefined {
    const known = this.#breakers.get(name)?.breaker ?? this.#registries.get(name)?.ownParent;
    if (known !== undefined) return known;
    for (const registry of this.#registries.values()) {
      if (!name.startsWith(`${registry.name}/`)) continue;
      const found = registry.peek(name.slice(registry.name.length + 1));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** As `get`, but a key of a registry is made when it is not there. */
  obtain(name: string): StandardBreaker | undefined {
    const known = this.get(name);
    if (known !== undefined) return known;
    for (const registry of this.#registries.values()) {
      if (name.startsWith(`${registry.name}/`)) return registry.get(name.slice(registry.name.length + 1));
    }
    return undefined;
  }

  /** Someone was refused by it in an earlier life: unless it knows better by now, it ramps. */
  suspect(name: string): void {
    const breaker = this.obtain(name);
    if (breaker !== undefined && !this.#moved.has(breaker)) breaker.suspect();
  }

  *breakers(): IterableIterator<StandardBreaker> {
    for (const { breaker } of this.#breakers.values()) yield breaker;
    for (const registry of this.#registries.values()) {
      if (registry.ownParent !== undefined) yield registry.ownParent;
      yield* registry.breakers();
    }
  }

  registries(): IterableIterator<StandardRegistry> {
    return this.#registries.values();
  }

  #guard(pattern: Guard): Guard {
    if (pattern instanceof StandardBreaker) return this.#breaker(pattern.definition);
    const parts = partsOf(pattern);
    if (parts.length === 0) return pattern;
    const made = parts.map((part) => this.#guard(part));
    const known = this.#composed.get(pattern.name);
    if (known !== undefined && partsOf(known).every((part, index) => part === made[index])) return known;
    const composed = allOf(...made);
    this.#composed.set(pattern.name, composed);
    return composed;
  }

  #breaker(definition: BreakerDefinition): StandardBreaker {
    const { name } = definition;
    const known = this.#breakers.get(name);
    if (known !== undefined) {
      if (known.definition !== definition) throw twice(name, known.definition, definition);
      return known.breaker;
    }
    const registry = this.#registries.get(name);
    if (registry !== undefined) throw twice(name, registry.definition, definition);
    for (const one of this.#registries.keys()) if (name.startsWith(`${one}/`)) throw oneOfTheKeys(name, one);
    const within = definition.within === undefined ? undefined : this.#breaker(definition.within);
    const breaker = new StandardBreaker(definition, this.#surroundings, { within });
    this.#breakers.set(name, { definition, breaker });
    if (definition.level === 'stage') this.#stages.add(name);
    this.#watch(breaker);
    return breaker;
  }

  #registry(pattern: StandardRegistry): StandardRegistry {
    const { name, definition, maximum } = pattern;
    const known = this.#registries.get(name);
    if (known !== undefined) {
      if (known.definition !== definition) throw twice(name, known.definition, definition);
      return known;
    }
    const other = this.#breakers.get(name);
    if (other !== undefined) throw twice(name, other.definition, definition);
    for (const one of this.#breakers.keys()) if (one.startsWith(`${name}/`)) throw oneOfTheKeys(one, name);
    const within = definition.within === undefined ? undefined : this.#breaker(definition.within);
    const registry = new StandardRegistry(definition, maximum, this.#surroundings, within, (breaker) => this.#watch(breaker));
    this.#registries.set(name, registry);
    this.#events.registered(registry);
    if (registry.ownParent !== undefined) this.#watch(registry.ownParent);
    return registry;
  }

  #watch(breaker: StandardBreaker): void {
    const { changed } = breaker;
    breaker.changed = (change) => {
      changed?.(change);
      this.#moved.add(breaker);
      this.#events.changed(change, breaker);
      this.#changes.next(change);
    };
    this.#events.made(breaker);
  }
}

function standsWithin(guard: Guard | undefined, stage: string): boolean {
  if (guard === undefined) return false;
  if (guard instanceof StandardBreaker) {
    for (let breaker: Breaker | undefined = guard; breaker !== undefined; breaker = breaker.within) if (breaker.name === stage) return true;
    return false;
  }
  return partsOf(guard).some((part) => standsWithin(part, stage));
}

function twice(name: string, one: BreakerDefinition, other: BreakerDefinition): BadInputError {
  const levels = one.level === other.level ? `both ${one.level}` : `${one.level} and ${other.level}`;
  return new BadInputError(`two breakers are named ${JSON.stringify(name)} (${levels})`, {
    hint: 'Give each a name of its own, or make it once and use it wherever it is needed: const api = adaptiveBreaker({ … }).',
  });
}

function oneOfTheKeys(name: string, registry: string): BadInputError {
  return new BadInputError(`breaker ${JSON.stringify(name)} is named like a key of registry ${JSON.stringify(registry)}`, {
    hint: 'Give it a name that does not begin with the name of the registry and a slash.',
  });
}

/**
 * A breaker for each key: provider, model, tenant, host. They are made when first asked for, and the one that was not used for longest goes when there are too many; never one that is not closed, or has calls under way. If
 * none can go, calls fall to the parent. Keys of one registry learn together what is normal; each has its own window, state and ramp.
 */

import { Subject, type Observable } from '../core/observables.js';
import type { Clock } from '../core/clock.js';
import type { Random } from '../core/random.js';
import type { Baseline } from './baseline.js';
import { StandardBreaker, type Place } from './breaker.js';
import type { Breaker, BreakerChange, BreakerState, BreakerSurroundings } from './contract.js';
import { badOption, checkCount, type BreakerDefinition } from './options.js';
import { SteadyTime } from './steady-time.js';
import { WindowPool } from './window.js';

export interface RegistryOptions {
  /** The most keys that are remembered. Default 1,000. */
  readonly maximum?: number;
  /** Default for both: the pattern's. */
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface BreakerRegistry {
  /** The pattern's. The breaker of a key is named `NAME/KEY`. */
  readonly name: string;
  /** Keys that are remembered. */
  readonly size: number;
  /** The breaker of a key; the parent when there are too many keys in trouble. */
  get(key: string): Breaker;
  /** Who takes over when there is no room: what the pattern stands within, or a breaker of the registry's own name. */
  readonly parent: Breaker;
  /** Every change of state of any of its breakers, from now on. */
  readonly changes$: Observable<BreakerChange>;
  /** All that are remembered, in no order. */
  breakers(): IterableIterator<Breaker>;
}

/** Windows that share an array. */
const rowsPerChunk = 64;
/** So many that have calls under way are passed over in search of one that can go. */
const looks = 32;

export class StandardRegistry implements BreakerRegistry {
  readonly name: string;
  readonly definition: BreakerDefinition;
  readonly maximum: number;
  readonly parent: StandardBreaker;
  readonly #surroundings: BreakerSurroundings;
  /** Of every key's breaker. */
  readonly #place: Place;
  /** In order of last use. */
  readonly #closed = new Map<string, StandardBreaker>();
  /** Open, ramping, degraded, isolated. */
  readonly #troubled = new Map<string, StandardBreaker>();
  readonly #changes = new Subject<BreakerChange>();
  readonly #changed = (change: BreakerChange): void => this.#changes.next(change);
  readonly changes$: Observable<BreakerChange> = this.#changes.asObservable();
  readonly #made: ((breaker: StandardBreaker) => void) | undefined;

  constructor(
    definition: BreakerDefinition,
    maximum: number,
    surroundings: BreakerSurroundings,
    within: StandardBreaker | undefined,
    made?: (breaker: StandardBreaker) => void,
  ) {
    this.name = definition.name;
    this.definition = definition;
    this.maximum = maximum;
    this.#surroundings = surroundings;
    this.#place = {
      within,
      registry: {
        pool: new WindowPool(definition.window, rowsPerChunk),
        time: new SteadyTime(surroundings.clock),
        learning: definition.learning?.(surroundings.clock, true),
        entered: (breaker, state) => this.#moved(breaker, state),
      },
    };
    this.#made = made;
    this.parent = within ?? new StandardBreaker(definition, surroundings, this.#place);
  }

  /** The parent, when it is nobody else's. */
  get ownParent(): StandardBreaker | undefined {
    return this.#place.within === undefined ? this.parent : undefined;
  }

  /** What is normal, as all keys together learn it; undefined: they do not learn. */
  get baseline(): Baseline | undefined {
    return this.#place.registry?.learning?.tunings.baseline;
  }

  get size(): number {
    return this.#closed.size + this.#troubled.size;
  }

  get(key: string): StandardBreaker {
    const known = this.#closed.get(key);
    if (known !== undefined) {
      this.#closed.delete(key);
      this.#closed.set(key, known);
      return known;
    }
    const troubled = this.#troubled.get(key);
    if (troubled !== undefined) return troubled;
    if (typeof key !== 'string' || key === '') throw badOption(`registry "${this.name}"`, 'key', key, 'Give a string that is not empty.');
    if (this.size >= this.maximum && !this.#evict()) return this.parent;
    const breaker = new StandardBreaker(this.definition, this.#surroundings, this.#place, `${this.name}/${key}`);
    this.#closed.set(key, breaker);
    breaker.changed = this.#changed;
    this.#made?.(breaker);
    return breaker;
  }

  /** The breaker of a key, if it is remembered; that is no use of it. */
  peek(key: string): StandardBreaker | undefined {
    return this.#closed.get(key) ?? this.#troubled.get(key);
  }

  *breakers(): IterableIterator<StandardBreaker> {
    yield* this.#closed.values();
    yield* this.#troubled.values();
  }

  #moved(breaker: StandardBreaker, state: BreakerState): void {
    const key = breaker.name.slice(this.name.length + 1);
    const [from, to] = state === 'closed' ? [this.#troubled, this.#closed] : [this.#closed, this.#troubled];
    if (from.get(key) !== breaker) return;
    from.delete(key);
    to.set(key, breaker);
  }

  #evict(): boolean {
    let looked = 0;
    for (const [key, breaker] of this.#closed) {
      if (breaker.idle) {
        this.#closed.delete(key);
        breaker.dispose();
        return true;
      }
      looked += 1;
      if (looked === looks) return false;
    }
    return false;
  }
}

/**
 * @param pattern what each key's breaker is like; it is not itself used
 * @throws BadInputError
 */
export function breakerRegistry(pattern: Breaker, options: RegistryOptions = {}): BreakerRegistry {
  if (!(pattern instanceof StandardBreaker)) {
    throw badOption('breakerRegistry()', 'pattern', typeof pattern, "Give a breaker: breakerRegistry(adaptiveBreaker({ name: 'llm' })).");
  }
  const { maximum = 1_000, clock = pattern.surroundings.clock, random = pattern.surroundings.random } = options;
  checkCount(`registry "${pattern.name}"`, 'maximum', maximum);
  // It would count as a child of its stage that is always well.
  pattern.dispose();
  return new StandardRegistry(pattern.definition, maximum, { clock, random }, pattern.within);
}

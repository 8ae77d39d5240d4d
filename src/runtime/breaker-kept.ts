/** A breaker of a node and what of it the store does not know yet, and the notes that say it. */

import type { StandardBreaker } from '../breakers/breaker.js';
import type { BreakerChange } from '../breakers/contract.js';
import type { StandardRegistry } from '../breakers/registry.js';
import { checksum } from '../core/checksum.js';
import { BreakerCount } from './breaker-count.js';
import { memory, registries, standing, traceEveryMs, type BreakerNote, type BreakerOrder, type RegistryNote } from './breaker-notes.js';

/** Changes that wait for the store: older ones are not told of. */
const mostUntold = 100;

export class KeptBreaker {
  readonly breaker: StandardBreaker;
  /** Of a registry: noted only while it is not closed. */
  readonly isKey: boolean;
  readonly count = new BreakerCount();
  /** When it had its last call, by the clock's `elapsed`. */
  movedAt = -Infinity;
  /** Had calls since the last note: on how it stands, and on what it has learned. */
  moved = false;
  learned = false;
  /** There is a note of ours. */
  noted: boolean;
  #untold: BreakerChange[] = [];
  #memorySum = 0;

  constructor(breaker: StandardBreaker, noted: boolean) {
    this.breaker = breaker;
    this.isKey = breaker.name !== breaker.definition.name;
    this.noted = noted;
  }

  get topic(): string {
    return `${standing}${this.breaker.name}`;
  }

  /** Nobody needs to know: without a note it is closed. */
  get isSilent(): boolean {
    return this.isKey && this.breaker.state === 'closed';
  }

  changed(change: BreakerChange): void {
    this.#untold.push(change);
    if (this.#untold.length > mostUntold) this.#untold.shift();
  }

  takeUntold(): readonly BreakerChange[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  putBack(untold: readonly BreakerChange[]): void {
    this.#untold.unshift(...untold);
  }

  /** How it stands. */
  standing({
    clock,
    followed,
    waiting,
  }: {
    readonly clock: { now(): number; elapsed(): number };
    readonly followed: BreakerOrder | null;
    readonly waiting: number;
  }): string {
    const { breaker, count } = this;
    const { name, level, within, definition } = breaker;
    const figures = breaker.figures();
    const { memory: _, ...saved } = breaker.save();
    const { expected = null, tolerated = null, admittedRate = null, admittedInFlight = null } = figures;
    const note: BreakerNote = {
      name,
      level,
      kind: definition.kind,
      within: within?.name ?? null,
      saved,
      followed,
      figures: { ...figures, expected, tolerated, admittedRate, admittedInFlight },
      trace: count.trace(clock.now() - (clock.elapsed() % traceEveryMs)),
      totals: count.totals,
      parked: waiting,
    };
    return JSON.stringify(note);
  }

  /** What it has learned; undefined: nothing new. */
  memory(): string | undefined {
    const learned = this.breaker.save().memory;
    const data = learned === undefined ? undefined : JSON.stringify({ memory: learned });
    const sum = data === undefined ? 0 : checksum(data);
    if (sum === this.#memorySum) return undefined;
    this.#memorySum = sum;
    return data;
  }

  forgetMemory(): void {
    this.#memorySum = 0;
  }

  get memoryTopic(): string {
    return `${memory}${this.breaker.name}`;
  }
}

export class KeptRegistry {
  readonly registry: StandardRegistry;
  #memorySum = 0;

  constructor(registry: StandardRegistry) {
    this.registry = registry;
  }

  get memoryTopic(): string {
    return `${registries}${this.registry.name}`;
  }

  memory(): string | undefined {
    const { name, definition, baseline, size } = this.registry;
    const note: RegistryNote = {
      name,
      level: definition.level,
      kind: definition.kind,
      within: definition.within?.name ?? null,
      keys: size,
      memory: baseline?.save() ?? null,
    };
    const data = JSON.stringify(note);
    const sum = checksum(data);
    if (sum === this.#memorySum) return undefined;
    this.#memorySum = sum;
    return data;
  }

  forgetMemory(): void {
    this.#memorySum = 0;
  }
}

/**
 * What the nodes of a fleet see together. Nodes tell each other their counts, never verdicts; evidence is summed over all, so callers too small to see anything alone notice an outage as fast as a large one would. It is
 * believed only when nodes agree: two at least, or some that make a third of the calls. So one sick node opens nothing but itself.
 */

import type { SharedCounters } from './contract.js';
import { Evidence } from './evidence.js';
import type { Weights } from './tuning.js';
import { wilsonLower } from './wilson.js';

/** A node silent for longer counts for nothing. */
const silentMs = 10_000;
/** What a node has told fades by half in such a time. */
const halfLifeMs = 3_000;
const agreeingNodes = 2;
const agreeingShare = 0.3;

class Node {
  calls = 0;
  failures = 0;
  heardAt = -Infinity;
  fadedAt = 0;

  add(calls: number, failures: number, now: number): void {
    const kept = 0.5 ** ((now - this.fadedAt) / halfLifeMs);
    this.fadedAt = now;
    this.calls = this.calls * kept + calls;
    this.failures = this.failures * kept + failures;
  }

  /** Are its calls failing, by what it told of late? */
  agrees(threshold: number): boolean {
    return this.failures >= 0.9 && wilsonLower(this.failures, this.calls, 1) > threshold;
  }
}

export class FleetView {
  readonly #alarm: number;
  readonly #evidence = new Evidence();
  readonly #own = new Node();
  readonly #others = new Map<string, Node>();
  #threshold = 1;
  #weights: Weights = { hit: 0, miss: 0 };

  constructor(alarm: number) {
    this.#alarm = alarm;
  }

  tune(weights: Weights, threshold: number): void {
    this.#weights = weights;
    this.#threshold = threshold;
  }

  success(now: number): void {
    this.#own.add(1, 0, now);
    this.#evidence.miss(this.#weights.miss);
  }

  failure(now: number): Evidence | undefined {
    this.#own.add(1, 1, now);
    this.#evidence.hit(now, this.#weights.hit, halfLifeMs * 10);
    return this.#verdict(now);
  }

  hear(name: string, { calls, failures }: SharedCounters, now: number): Evidence | undefined {
    let node = this.#others.get(name);
    if (node === undefined) this.#others.set(name, (node = new Node()));
    node.heardAt = now;
    node.add(calls, failures, now);
    this.#evidence.miss(this.#weights.miss, calls - failures);
    if (failures > 0) this.#evidence.hit(now, this.#weights.hit, halfLifeMs * 10, failures);
    return this.#verdict(now);
  }

  nodes(now: number): number {
    for (const [name, node] of this.#others) if (now - node.heardAt > silentMs) this.#others.delete(name);
    return 1 + this.#others.size;
  }

  clear(): void {
    this.#evidence.clear();
  }

  #verdict(now: number): Evidence | undefined {
    if (this.#evidence.sum <= this.#alarm || this.nodes(now) === 1) return undefined;
    let agreeing = 0;
    let calls = 0;
    let all = 0;
    this.#own.add(0, 0, now);
    for (const node of [this.#own, ...this.#others.values()]) {
      all += node.calls;
      if (!node.agrees(this.#threshold)) continue;
      agreeing += 1;
      calls += node.calls;
    }
    return agreeing >= agreeingNodes || calls > all * agreeingShare ? this.#evidence : undefined;
  }
}

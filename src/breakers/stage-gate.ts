/** Closes a stage, or a service, while too many of the breakers within it are open. It has no time of its own: it is closed as long as they are, so there is always a way out. */

import type { StandardBreaker } from './breaker.js';

export class StageGate {
  readonly #share: number;
  readonly #children = new Set<StandardBreaker>();
  readonly #blocked = new Set<StandardBreaker>();

  /** `share`: of the children, 0 to 1. */
  constructor(share: number) {
    this.#share = share;
  }

  /** None of the children is open. */
  get quiet(): boolean {
    return this.#blocked.size === 0;
  }

  add(child: StandardBreaker): void {
    this.#children.add(child);
  }

  delete(child: StandardBreaker): void {
    this.#children.delete(child);
    this.#blocked.delete(child);
  }

  entered(child: StandardBreaker, blocked: boolean): void {
    if (!this.#children.has(child)) return;
    if (blocked) this.#blocked.add(child);
    else this.#blocked.delete(child);
  }

  /** Milliseconds until the first of the children lets something pass again; 0: enough of them do. */
  blockedMs(): number {
    if (!this.blocks) return 0;
    let least = Infinity;
    // Asking lets time act on each: some may be open no more.
    for (const child of [...this.#blocked]) {
      const openForMs = child.openForMs;
      if (openForMs > 0) least = Math.min(least, openForMs);
    }
    return this.blocks ? least : 0;
  }

  /** As far as is known without asking. */
  get blocks(): boolean {
    return this.#blocked.size > 0 && this.#blocked.size >= this.#share * this.#children.size;
  }
}

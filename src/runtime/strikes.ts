/**
 * Agents that fail again and again. One that is dropped so often in a row, with nothing committed in between and nobody there to see it, is
 * struck: parked by this node, and not tried anew before the next start.
 */

import type { Agent } from '../actors/agent.js';
import type { StatewardenError } from '../core/errors.js';

const mostStrikes = 3;

export class Strikes {
  readonly #strikes = new Map<string, { readonly count: number; readonly sequenceNumber: number }>();
  readonly #struck = new Map<string, StatewardenError>();

  /** Why an agent is not tried any more. */
  reason(id: string): StatewardenError | undefined {
    return this.#struck.get(id);
  }

  /** Counts a failure. True when it was the last that is put up with. */
  strike({ id, committedSequenceNumber: sequenceNumber }: Agent, error: StatewardenError): boolean {
    const before = this.#strikes.get(id);
    const count = before?.sequenceNumber === sequenceNumber ? before.count + 1 : 1;
    this.#strikes.set(id, { count, sequenceNumber });
    if (count < mostStrikes) return false;
    this.forgive(id);
    this.#struck.set(id, error);
    return true;
  }

  forgive(id: string): void {
    this.#strikes.delete(id);
  }
}

/** Chance, injected: jitter and fresh ids come from a `Random`, so that one seed decides a whole simulation. */

import { randomUUID } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A fresh id, unique in the world. */
  id(): string;
}

/** The machine's randomness. */
export const systemRandom: Random = {
  next: () => Math.random(),
  id: () => randomUUID(),
};

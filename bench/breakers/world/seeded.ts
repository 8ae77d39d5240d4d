/**
 * Chance from a seed. Each part of the world draws from a stream of its own, named after it, so that what a policy does in one
 * place changes nothing in another: all policies meet the same arrivals.
 */

import type { Random } from '../../../src/core/random.js';

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded with splitmix32 over the seed and the name. */
export class Seeded implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  #ids = 0;
  readonly #name: string;

  constructor(seed: number, name: string) {
    this.#name = name;
    let state = seed | 0;
    for (let index = 0; index < name.length; index += 1) state = Math.imul(state ^ name.charCodeAt(index), 0x01000193);
    const mix = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = mix();
    this.#b = mix();
    this.#c = mix();
    for (let index = 0; index < 12; index += 1) this.next();
  }

  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return (sum >>> 0) / 4_294_967_296;
  }

  id(): string {
    return `${this.#name}-${String((this.#ids += 1))}`;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Exponential with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }
}

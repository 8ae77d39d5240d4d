/**
 * Keys that do not gather where rows are appended. Agents' keys rise, and rows whose keys rise all go to the last server; so an agent's rows stand under its key with the bits in reverse, and indexes in order of key or time begin with one of
 * `shards` numbers.
 */

import type { AgentKey } from '../store.js';

/** Indexes by key or time have so many parts. */
export const shards = 16;

/** Bits of the integers that JavaScript has. */
const low = 26;
const high = 27;

/** Where an agent's rows stand. Its own inverse: `scatter(scatter(key)) === key`, for integers from 0 to 2^53 - 1. */
export function scatter(key: AgentKey): number {
  const upper = Math.floor(key / 2 ** low);
  const lower = key % 2 ** low;
  return reversed(lower, low) * 2 ** high + reversed(upper, high);
}

export function shardOf(key: AgentKey): number {
  return key % shards;
}

function reversed(bits: number, width: number): number {
  let rest = bits;
  let result = 0;
  for (let index = 0; index < width; index += 1) {
    result = (result << 1) | (rest & 1);
    rest >>>= 1;
  }
  return result >>> 0;
}

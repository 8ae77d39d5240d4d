/** Heap of idle plain XState actors, each after one event. */

import { createActor } from 'xstate';
import { counter } from '../machines.js';
import { heapBytes } from './heap-bytes.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly agents: number;
}

export interface Figures {
  readonly bytesEach: number;
}

const { agents } = parameters<Parameters>();
const make = () => {
  const actor = createActor(counter).start();
  actor.send({ type: 'ADD', amount: 1 });
  return actor;
};
const actors = Array.from({ length: 100 }, make); // warm-up: code and shapes are there before the first look
const before = await heapBytes();
for (let index = 0; index < agents; index += 1) actors.push(make());
const after = await heapBytes();
if (actors.some((actor) => actor.getSnapshot().context.count !== 1)) throw new Error('an actor lost its event');
answer({ bytesEach: (after - before) / agents } satisfies Figures);

/** The same machines and events in plain XState, in memory, nothing durable: as many events a second as there can be. */

import { createActor } from 'xstate';
import { counter } from '../machines.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly agents: number;
  readonly events: number;
  readonly repetitions: number;
}

export interface Figures {
  /** Events per second, one for each repetition. */
  readonly eventsPerSecond: readonly number[];
}

const { agents, events, repetitions } = parameters<Parameters>();

const actors = Array.from({ length: agents }, () => createActor(counter).start());
let sentToEach = 0;

/** The same actors throughout: making them is not what is measured. */
function repetition(): number {
  const started = performance.now();
  for (let round = 0; round < events; round += 1) for (const actor of actors) actor.send({ type: 'ADD', amount: 1 });
  const seconds = (performance.now() - started) / 1000;
  sentToEach += events;
  if (actors.at(-1)?.getSnapshot().context.count !== sentToEach) throw new Error('an actor lost events');
  return (agents * events) / seconds;
}

for (let warm = 0; warm < 12; warm += 1) repetition();
answer({ eventsPerSecond: Array.from({ length: repetitions }, repetition) } satisfies Figures);

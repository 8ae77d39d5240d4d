/** The detector reads the log, window by window, and tells triage what is out of the ordinary. What it has learned of each service is in its context. */

import { assign, enqueueActions, setup } from 'xstate';
import { tell } from 'statewarden';
import type { Habits } from '../anomalies.js';
import type { Activities, Scanned } from './activities.js';
import { ids, type TriageEvent } from './events.js';

export interface DetectorContext {
  readonly habits: Habits;
  readonly offset: number;
  readonly last: boolean;
}

export function detectorMachine({ scan }: Pick<Activities, 'scan'>) {
  return setup({
    types: { context: {} as DetectorContext },
    actors: { scan },
    actions: {
      tellSignals: enqueueActions(({ enqueue }, { signals }: Pick<Scanned, 'signals'>) => {
        for (const signal of signals) enqueue(tell(ids.triage, (): TriageEvent => ({ type: 'SIGNAL', signal })));
      }),
      tellEnd: tell(ids.triage, { type: 'END_OF_LOG' }),
    },
  }).createMachine({
    id: 'detector',
    context: { habits: {}, offset: 0, last: false },
    initial: 'looking',
    states: {
      looking: { always: [{ guard: ({ context }) => context.last, target: 'finished' }, { target: 'scanning' }] },
      scanning: {
        invoke: {
          src: 'scan',
          input: ({ context: { offset, habits } }) => ({ offset, habits }),
          onDone: {
            target: 'looking',
            actions: [
              { type: 'tellSignals', params: ({ event }) => event.output },
              assign(({ event: { output } }) => ({ habits: output.habits, offset: output.next, last: output.last })),
            ],
          },
        },
      },
      finished: { entry: 'tellEnd', type: 'final' },
    },
  });
}

/** Many timers at once: what they cost, before and after a restart, and that none is forgotten. */

import { expect } from 'chai';
import { join } from 'node:path';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { createMachine } from 'xstate';
import { inFolder } from '../crash/lives.js';
import { ManualClock } from './manual-clock.js';

const count = 10_000;
const hourMs = 3_600_000;
const sleeper = createMachine({ initial: 'asleep', states: { asleep: { after: { [hourMs]: 'awake' } }, awake: {} } });

/** The timers' own, the heartbeat's, and that of the look at what others leave. */
const realTimers = 3;

describe('ten thousand armed timers', function () {
  this.timeout(60_000);

  it('cost one real timer, also after a restart, and all fire when they are due', () =>
    inFolder(async (folder) => {
      const clock = new ManualClock();
      const options = { store: sqlite(join(folder, 'agents.db')), agents: { sleeper: { machine: sleeper, version: 1 } }, clock };
      {
        await using runtime = await createRuntime(options);
        await Promise.all(Array.from({ length: count }, (_, index) => runtime.spawn('sleeper', { id: `s-${String(index)}` })));
        expect(clock.armed).to.be.at.most(realTimers);
      }
      expect(clock.armed).to.equal(0);
      await using runtime = await createRuntime(options);
      expect(clock.armed).to.be.at.most(realTimers);
      const awake = new Set<string>();
      const all = new Promise<void>((resolve) => {
        runtime.events$.subscribe((event) => {
          if (event.type !== 'turn') return;
          expect(event.event).to.match(/^xstate\.after\./);
          awake.add(event.agentId);
          if (awake.size === count) resolve();
        });
      });
      await clock.advance(hourMs - 60_000);
      expect(clock.armed, 'those that are near are in memory').to.be.at.most(realTimers);
      expect(awake.size).to.equal(0);
      // What is due is read from the store when it comes near.
      while (awake.size === 0) await clock.advance(30_000);
      await all;
    }));
});

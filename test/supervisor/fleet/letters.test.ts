/** Jobs that failed, as whoever looks at the dead letters sees them. */

import { expect } from 'chai';
import { setup } from 'xstate';
import { activity, createRuntime, fleet, memory, supervisor } from 'statewarden';

type Work = { readonly type: 'CRASH' } | { readonly type: 'WAIT' };

function worker() {
  const fail = activity({
    name: 'fail',
    retry: { attempts: 1 },
    run: () => {
      throw new Error('the disk is full');
    },
  });
  return setup({ types: { events: {} as Work }, actors: { fail } }).createMachine({
    initial: 'free',
    states: { free: { on: { CRASH: 'crashing', WAIT: 'waiting' } }, crashing: { invoke: { src: 'fail' } }, waiting: {} },
  });
}

describe('dead letters of a fleet', () => {
  for (const [type, reason, message] of [
    ['CRASH', 'activity', 'the disk is full'],
    ['WAIT', 'timeout', 'it took longer than 150 ms'],
  ] as const) {
    it(`are one group when they have one cause, whichever members had them (${reason})`, async () => {
      await using runtime = await createRuntime({ store: memory(), agents: { worker: { machine: worker(), version: 1 } } });
      const children = [fleet('workers', { kind: 'worker', size: 2, attempts: 1, jobTimeoutMs: 150 })];
      const tree = await runtime.supervise(supervisor({ id: 'team', children }));
      const jobs = await Promise.all(['a', 'b'].map((id) => runtime.fleet<'worker'>('workers').submit({ type }, { id })));
      const errors = await Promise.all(jobs.map((job) => job.result().then(String, String)));
      expect(errors.filter((text) => text.includes('"workers/'))).to.have.length(2);
      const groups = await runtime.deadLetters.groups();
      expect(groups.map((group) => [group.count, group.reason, group.message])).to.deep.equal([[2, reason, message]]);
      await tree.shutdown();
    });
  }
});

import { expect } from 'chai';
import type { Entry } from '../../../examples/incident-fleet/journal.js';
import { judge } from '../../../examples/incident-fleet/witness.js';

const open = (at: number, ...recorded: string[]): Entry => ({ type: 'open', pid: 1, at, recorded });
const call = (type: 'start' | 'done' | 'failed', at: number, key: string): Entry => ({ type, call: 'remediate', pid: 1, at, key });
const close = (at: number): Entry => ({ type: 'close', pid: 1, at });

describe('the witness', () => {
  it('counts what began again after its success was recorded', () => {
    const journal = [open(0), call('start', 1, 'a'), call('done', 2, 'a'), call('start', 9, 'a'), close(10)];
    expect(judge(journal, [{ key: 'a', settledAt: 3 }])).to.include({ repeated: 1, calls: 1 });
    expect(judge([...journal.slice(0, 3), open(4, 'a'), call('start', 5, 'a')], [])).to.include({ repeated: 1 });
  });

  it('takes no repetition for what it is not: a failure tried again, a call that a kill cut off', () => {
    const journal = [
      open(0),
      call('start', 1, 'a'),
      call('failed', 2, 'a'),
      call('start', 3, 'a'),
      open(4),
      call('start', 5, 'a'),
      call('done', 6, 'a'),
    ];
    expect(judge([...journal, close(8)], [{ key: 'a', settledAt: 7 }])).to.deep.equal({
      calls: 1,
      repeated: 0,
      actions: 0,
      interrupted: 1,
      crashes: 1,
    });
  });
});

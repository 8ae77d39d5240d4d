import { expect } from 'chai';
import type { CallLine } from '../../../examples/research-team/call-log.js';
import { crashesOf, tally } from '../../../examples/research-team/witness.js';

const open = (pid: number, recorded: readonly string[] = []): CallLine => ({ type: 'open', run: 'r', pid, at: 0, recorded, about: {} });
const close = (pid: number): CallLine => ({ type: 'close', run: 'r', pid, at: 0 });
const call = (type: 'start' | 'done' | 'failed', key: string, at: number, attempt = 1): CallLine =>
  type === 'start' ? { type, key, task: 't', attempt, pid: 1, at } : { type, key, attempt, pid: 1, at };
const by = (pid: number, line: CallLine): CallLine => ({ ...line, pid });
const nobody = (): boolean => false;
const ledger = (...keys: string[]) => keys.map((key) => ({ key, succeeded: true, settledAt: 100 }));

describe('the witness', () => {
  it('counts calls, retries, reuse and what a kill cut off', () => {
    const log = [
      open(1),
      call('start', 'a', 1),
      call('failed', 'a', 2),
      call('start', 'a', 3, 2),
      call('done', 'a', 4),
      call('start', 'b', 5), // killed
      call('start', 'c', 5),
      call('done', 'c', 6), // killed before it was recorded
      open(2, ['a']),
      by(2, call('start', 'b', 7)),
      by(2, call('done', 'b', 8)),
      by(2, call('start', 'c', 7)),
      by(2, call('done', 'c', 8)),
      close(2),
    ];
    expect(tally('r', log, ledger('a', 'b', 'c'))).to.deep.equal({
      calls: 3,
      reused: 1,
      retried: 1,
      repeated: 0,
      interrupted: 1,
      redone: 1,
      unwitnessed: 0,
      shares: [2, 2],
    });
    expect(crashesOf('r', log, nobody)).to.equal(1);
  });

  it('sees a call made again after its success was recorded, each way it can show', () => {
    const known = [
      open(1),
      call('start', 'a', 1),
      call('done', 'a', 2),
      open(2, ['a']),
      by(2, call('start', 'a', 3)),
      by(2, call('done', 'a', 4)),
    ];
    const here = [open(1), call('start', 'a', 1), call('done', 'a', 2), call('start', 'a', 3), call('done', 'a', 4)];
    const late = [open(1), call('start', 'a', 1), call('done', 'a', 2), open(2), call('start', 'a', 101), call('done', 'a', 102)];
    for (const log of [known, here, late]) expect(tally('r', log, ledger('a')).repeated).to.equal(1);
  });

  it('sees a recorded call that the outside knows nothing of', () => {
    expect(tally('r', [open(1)], ledger('a')).unwitnessed).to.equal(1);
  });

  it('does not take a stop in good order for a crash, nor another run for its own', () => {
    const other: CallLine = { ...open(9), run: 'q' } as CallLine;
    expect(crashesOf('r', [open(1), close(1), other, open(2), open(3), close(3)], nobody)).to.equal(1);
  });

  it('tells processes apart that are at work together', () => {
    const log = [
      open(1),
      open(2),
      call('start', 'a', 1),
      by(2, call('start', 'b', 1)),
      call('done', 'a', 2),
      by(2, call('done', 'b', 2)),
      open(3, ['a']),
      // Its agent has come to another process before the outcome was recorded, and goes back: "at least once".
      by(2, call('start', 'c', 3)),
      by(2, call('done', 'c', 4)),
      by(3, call('start', 'c', 5)),
      by(3, call('done', 'c', 6)),
      by(2, call('start', 'c', 7)),
      by(2, call('done', 'c', 8)),
    ];
    expect(tally('r', log, ledger('a', 'b', 'c'))).to.include({ calls: 3, reused: 1, repeated: 0, redone: 2 });
    expect(tally('r', [...log, by(3, call('start', 'a', 9))], ledger('a', 'b', 'c')).repeated).to.equal(1);
    // 2 does not know what was recorded when 3 began; the time tells.
    expect(tally('r', [...log, by(2, call('start', 'a', 101))], ledger('a', 'b', 'c')).repeated).to.equal(1);
    expect(crashesOf('r', [...log, close(3)], (pid) => pid === 2)).to.equal(1);
  });
});

import { expect } from 'chai';
import { fileURLToPath } from 'node:url';
import type { Failure } from '../../examples/loan-saga/options.js';
import { run, type Death, type RunSummary } from '../../examples/loan-saga/run.js';

const script = fileURLToPath(new URL('../../examples/loan-saga/main.js', import.meta.url));

/** A loan whose office dies so often, each time where it says. The audit's faults are none. */
async function loan(fail: Failure | undefined, ...deaths: readonly Death[]): Promise<RunSummary & { readonly told: readonly string[] }> {
  const told: string[] = [];
  const summary = await run({ script, dir: undefined, fail, deaths, tell: (line) => void told.push(line) });
  expect(summary.faults).to.deep.equal([]);
  expect(summary.died, 'it died where it was to').to.have.lengthOf(deaths.length);
  return { ...summary, told };
}

const times = ({ statement: { executed } }: RunSummary, wanted: string): number => executed.filter(({ what }) => what === wanted).length;

describe('a loan whose office is killed', () => {
  it('is granted without a death, and every call is made once', async () => {
    const summary = await loan(undefined);
    expect(summary).to.deep.include({ decision: 'granted', lives: 1 });
    expect(summary.statement.executed.map(({ what }) => what).sort()).to.deep.equal(['disburse', 'identify', 'notify', 'open', 'reserve']);
  });

  it('when the money has gone out: it is asked for, also when the next life dies while it asks', async () => {
    const summary = await loan(undefined, { killAt: 'after POST /disburse' }, { failpoints: 'reconcile:ask=crash' });
    expect(summary.decision).to.equal('granted');
    expect(times(summary, 'disburse')).to.equal(1);
    expect(summary.calls).to.not.include('held');
  });

  it('when it had begun to pay, and had not: it is paid then', async () => {
    // The bank is busy at first: what is written before the second attempt is the crash's place.
    const summary = await loan(undefined, { failpoints: 'activity:started=crash' });
    expect(summary.decision).to.equal('granted');
    expect(times(summary, 'disburse')).to.equal(1);
  });

  for (const [when, death] of [
    ['sent', 'after POST /notify'],
    ['not sent', 'before POST /notify'],
  ] as const) {
    it(`when a letter was ${when}: a person is called, whenever the lives after it die, and it is sent once`, async () => {
      const summary = await loan(undefined, { killAt: death }, { failpoints: 'hold:write=crash' }, { failpoints: 'hold:resolve=crash' });
      expect(summary.decision).to.equal('granted');
      expect(summary.calls).to.include('held');
      expect(times(summary, 'notify')).to.equal(1);
    });
  }

  it('while it undoes: each step is undone once, newest first', async () => {
    const summary = await loan(
      'notify',
      { failpoints: 'compensation:plan=crash' },
      { failpoints: 'compensation:undo=crash' },
      { failpoints: 'compensation:undo=crash@2' },
      { failpoints: 'commit:durable=crash@2' },
    );
    expect(summary.decision).to.equal('refused');
    for (const undone of ['recall', 'release', 'forget', 'withdraw']) expect(times(summary, undone), undone).to.equal(1);
  });

  it('while its undoing is held for a person', async () => {
    const summary = await loan('recall', { failpoints: 'hold:write=crash' }, { failpoints: 'hold:resolve=crash' });
    expect(summary.calls).to.include('compensation-failed');
    expect(times(summary, 'recall')).to.equal(1);
  });

  it('when its deadline has come', async () => {
    const summary = await loan('deadline', { failpoints: 'approval:expire=crash' });
    expect(summary.why).to.match(/^nobody decided within 345600000 ms/);
  });
});

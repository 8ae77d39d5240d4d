/** Failpoints: armed by name and passing, off by default. */

import { expect } from 'chai';
import sinon from 'sinon';
import { armFailpoints, failpoint } from '#src/core/failpoint.js';

describe('a failpoint', () => {
  afterEach(() => armFailpoints(undefined));

  it('does nothing unless it is armed by its name', () => {
    failpoint('here:now');
    armFailpoints('there:now=throw');
    failpoint('here:now');
    expect(() => failpoint('there:now')).to.throw('failpoint there:now');
  });

  it('triggers at the passing that was asked for, once', () => {
    armFailpoints('here:now=throw@3;there:now=throw');
    const pass = sinon.spy(() => failpoint('here:now'));
    for (let n = 0; n < 5; n += 1) {
      try {
        pass();
      } catch {
        // Looked at below.
      }
    }
    expect(pass.exceptions.map((error) => error?.message)).to.deep.equal([
      undefined,
      undefined,
      'failpoint here:now',
      undefined,
      undefined,
    ]);
  });

  it('kills the process in the place where it stands', () => {
    const kill = sinon.stub(process, 'kill');
    // A process that is killed does not go on: here it would wait for ever, so waiting ends it.
    const wait = sinon.stub(Atomics, 'wait').throws(new Error('dead'));
    try {
      armFailpoints('here:now=crash');
      expect(() => failpoint('here:now')).to.throw('dead');
      sinon.assert.calledOnceWithExactly(kill, process.pid, 'SIGKILL');
    } finally {
      kill.restore();
      wait.restore();
    }
  });

  it('waits where it is told to', () => {
    const wait = sinon.stub(Atomics, 'wait').returns('timed-out');
    try {
      armFailpoints('here:now=delay:250');
      failpoint('here:now');
      sinon.assert.calledOnce(wait);
      expect(wait.firstCall.args[3]).to.equal(250);
    } finally {
      wait.restore();
    }
  });
});

/** A supervisor's mind against OTP's rules: every strategy, restart type and way of ending; then whatever may happen, in any order. */

import { expect } from 'chai';
import fc from 'fast-check';
import { newSupervisor } from '#src/supervisor/state.js';
import {
  resolveChild,
  resolveSupervisor,
  type AutoShutdown,
  type ResolvedChild,
  type RestartType,
  type Strategy,
} from '#src/supervisor/spec.js';
import { Driver } from './driver.js';
import { Otp } from './otp.js';

const strategies: readonly Strategy[] = ['one-for-one', 'one-for-all', 'rest-for-one'];
const restartTypes: readonly RestartType[] = ['permanent', 'transient', 'temporary'];
const ways = ['normal', 'shutdown', 'failed'] as const;

const child = (id: string, more: Partial<ResolvedChild> = {}): ResolvedChild => ({ ...resolveChild({ id, kind: 'k' }), ...more });
const spec = (more: Parameters<typeof resolveSupervisor>[0] | object) => resolveSupervisor({ id: 's', intensity: 100, ...more });

function driven(more: object, children: readonly ResolvedChild[], fails?: (id: string) => boolean): Driver {
  const driver = new Driver(newSupervisor(spec(more), children), fails);
  driver.give({ type: 'init', at: 0 });
  return driver;
}

describe('a supervisor’s mind', () => {
  describe('restarts as the strategy and the restart type say', () => {
    // What is done when b of a, b, c ends, by OTP's documentation.
    const restarted: Readonly<Record<Strategy, readonly string[]>> = {
      'one-for-one': ['start b'],
      'one-for-all': ['stop c', 'stop a', 'start a', 'start b', 'start c'],
      'rest-for-one': ['stop c', 'start b', 'start c'],
    };
    for (const strategy of strategies) {
      for (const restart of restartTypes) {
        for (const how of ways) {
          const restarts = restart === 'permanent' || (restart === 'transient' && how === 'failed');
          it(`${strategy}, ${restart}, ${how}: ${restarts ? 'restarted' : 'not restarted'}`, () => {
            const driver = driven({ strategy }, [child('a'), child('b', { restart }), child('c')]);
            expect(driver.log.splice(0)).to.deep.equal(['start a', 'start b', 'start c']);
            driver.exit('b', how);
            expect(driver.log).to.deep.equal(restarts ? restarted[strategy] : []);
            expect(driver.up).to.deep.equal(restarts ? ['a', 'b', 'c'] : ['a', 'c']);
            expect(driver.status('b')).to.equal(restarts ? 'running' : restart === 'temporary' ? undefined : 'ended');
          });
        }
      }
    }
  });

  it('gives up after more restarts than the intensity in the period, the last child first', () => {
    const driver = driven({ intensity: 2, periodMs: 1_000 }, [child('a'), child('b')]);
    for (const at of [0, 600, 1_200, 1_700]) {
      driver.pass(at - driver.at);
      driver.exit('a', 'failed');
    }
    expect(driver.state.status, 'two in any thousand milliseconds').to.equal('running');
    driver.pass(100);
    driver.log.length = 0;
    driver.exit('a', 'failed');
    expect(driver.log).to.deep.equal(['stop b', 'exit intensity']);
    expect(driver.state).to.deep.include({ status: 'ended', exit: { type: 'intensity', child: 'a' } });
    // Brought back by the one above, it begins to count anew.
    driver.give({ type: 'init', at: driver.at });
    driver.exit('a', 'failed');
    expect(driver.up).to.deep.equal(['a', 'b']);
  });

  it('counts a restart that is exactly as old as the period', () => {
    for (const [ms, status] of [
      [1_000, 'ended'],
      [1_001, 'running'],
    ] as const) {
      const driver = driven({ intensity: 1, periodMs: 1_000 }, [child('a')]);
      driver.exit('a', 'failed');
      driver.pass(ms);
      driver.exit('a', 'failed');
      expect(driver.state.status, String(ms)).to.equal(status);
    }
  });

  it('does not count what is not to count', () => {
    const driver = driven({ intensity: 0 }, [child('a')]);
    for (let n = 0; n < 10; n += 1) driver.exit('a', 'failed', false);
    expect(driver.up).to.deep.equal(['a']);
    expect(driver.state.children[0]).to.include({ restarts: 10, run: 11 });
    driver.exit('a', 'failed');
    expect(driver.state.status).to.equal('ended');
  });

  it('waits before restarts, longer each time, from the start again after a quiet period', () => {
    const delay = { initialMs: 100, maximumMs: 300, jitter: 'none' as const };
    const driver = driven({ delay, periodMs: 1_000 }, [child('a'), child('b')]);
    for (const waitMs of [100, 200, 300, 300]) {
      driver.exit('a', 'failed');
      driver.pass(waitMs - 1);
      expect(driver.status('a'), `${String(waitMs)} ms`).to.equal('waiting');
      expect(driver.status('b')).to.equal('running');
      driver.pass(1);
      expect(driver.status('a'), `${String(waitMs)} ms`).to.equal('running');
    }
    driver.pass(1_000);
    driver.exit('a', 'failed');
    driver.pass(100);
    expect(driver.status('a')).to.equal('running');
  });

  it('takes a random part of the wait with full jitter', () => {
    const driver = driven({ delay: { initialMs: 100 } }, [child('a')]);
    driver.exit('a', 'failed');
    expect(driver.wakeAt).to.equal(50);
  });

  it('lets those wait together that are restarted together', () => {
    const driver = driven({ strategy: 'rest-for-one', delay: { initialMs: 100, jitter: 'none' } }, [child('a'), child('b'), child('c')]);
    driver.log.length = 0;
    driver.exit('b', 'failed');
    expect(driver.log).to.deep.equal(['stop c']);
    driver.pass(40);
    // One that was started before them takes them along.
    driver.exit('a', 'failed');
    driver.pass(99);
    expect(driver.log).to.deep.equal(['stop c']);
    driver.pass(1);
    expect(driver.log).to.deep.equal(['stop c', 'start a', 'start b', 'start c']);
  });

  describe('ends with its significant children', () => {
    const cases: readonly { auto: AutoShutdown; ends: readonly string[]; dead: boolean }[] = [
      { auto: 'any-significant', ends: ['plain'], dead: false },
      { auto: 'any-significant', ends: ['one'], dead: true },
      { auto: 'all-significant', ends: ['one'], dead: false },
      { auto: 'all-significant', ends: ['one', 'plain'], dead: false },
      { auto: 'all-significant', ends: ['one', 'two'], dead: true },
      { auto: 'never', ends: ['plain'], dead: false },
    ];
    for (const { auto, ends, dead } of cases) {
      it(`${auto}: ${ends.join(', ')}`, () => {
        const significant = auto !== 'never';
        const driver = driven({ autoShutdown: auto }, [
          child('one', { significant }),
          child('two', { significant, restart: 'temporary' }),
          child('plain'),
        ]);
        driver.log.length = 0;
        for (const id of ends) driver.exit(id, 'normal');
        expect(driver.state.status).to.equal(dead ? 'ended' : 'running');
        if (dead) expect(driver.log.at(-1)).to.equal('exit significant-child');
      });
    }
    it('by itself, not when it is stopped by hand or with its group, nor when it is restarted', () => {
      const driver = driven({ autoShutdown: 'any-significant', strategy: 'one-for-all' }, [
        child('one', { significant: true }),
        child('two'),
      ]);
      driver.exit('two', 'failed');
      driver.exit('one', 'failed');
      driver.give({ type: 'terminate', id: 'one', caller: 'x', at: 0 });
      expect(driver.state.status).to.equal('running');
    });
  });

  it('does not start at all when a child does not, and stops those that did', () => {
    const driver = driven({}, [child('a'), child('b'), child('c')], (id) => id === 'b');
    expect(driver.log).to.deep.equal(['start a', 'start b', 'stop a', 'exit start-failed']);
    expect(driver.state.exit).to.deep.equal({ type: 'start-failed', child: 'b' });
  });

  it('answers calls once what they ask for is done', () => {
    const driver = driven({}, [child('a')]);
    driver.hold = true;
    const call = (type: 'terminate' | 'restart' | 'delete', id: string): void => driver.give({ type, id, caller: `${type} ${id}`, at: 0 });
    call('terminate', 'a');
    call('delete', 'a');
    expect(driver.answers.splice(0)).to.deep.equal(['delete a running']);
    driver.carryOut(driver.held.shift() as never);
    expect(driver.answers.splice(0)).to.deep.equal(['terminate a ok']);
    call('restart', 'a');
    call('restart', 'a');
    expect(driver.answers.splice(0)).to.deep.equal(['restart a restarting']);
    driver.carryOut(driver.held.shift() as never);
    expect(driver.answers.splice(0)).to.deep.equal(['restart a ok']);
    call('restart', 'nobody');
    expect(driver.answers.splice(0)).to.deep.equal(['restart nobody not-found']);
  });

  it('takes what happens while it stops a group after that, and forgets what is out of date', () => {
    const driver = driven({ strategy: 'one-for-all' }, [child('a'), child('b'), child('c')]);
    driver.log.length = 0;
    driver.hold = true;
    driver.exit('a', 'failed');
    // b and c are to be stopped; b fails before it is.
    driver.exit('b', 'failed');
    driver.give({ type: 'spawn', child: child('d'), caller: 'spawn d', at: 0 });
    driver.hold = false;
    driver.carryOut(driver.held.shift() as never);
    expect(driver.log).to.deep.equal(['stop c', 'start a', 'start b', 'start c', 'start d']);
    expect(driver.state.restarts, 'one failure, not two').to.have.length(1);
    expect(driver.answers).to.deep.equal(['spawn d ok']);
    // Told of a run that is over.
    driver.give({ type: 'exited', id: 'b', run: 1, how: 'failed', counts: true, at: 0, random: 0 });
    expect(driver.log).to.have.length(5);
  });

  it('restarts many children in one go, in time that grows with their number', () => {
    const many = Array.from({ length: 10_000 }, (_, n) => child(`c-${String(n)}`));
    const driver = driven({ strategy: 'one-for-all' }, many);
    driver.exit('c-5000', 'failed');
    expect(driver.up).to.have.length(10_000);
    expect(driver.log).to.have.length(10_000 + 9_999 + 10_000);
  });

  // ── Against the model ───────────────────────────────────────────────────────────────────────────────────────────

  const ids = ['a', 'b', 'c', 'd', 'e'];
  const id = fc.constantFrom(...ids);
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('exit' as const), id, how: fc.constantFrom(...ways), counts: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('terminate' as const, 'restart' as const, 'delete' as const), id }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('spawn' as const), id, restart: fc.constantFrom(...restartTypes) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 800 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('shutdown' as const, 'init' as const) }) },
  );

  it('comes to what OTP comes to, whatever happens', () => {
    fc.assert(
      fc.property(
        fc.record({
          strategy: fc.constantFrom(...strategies),
          intensity: fc.integer({ min: 0, max: 4 }),
          autoShutdown: fc.constantFrom<AutoShutdown>('never', 'any-significant', 'all-significant'),
        }),
        fc.uniqueArray(fc.record({ id, restart: fc.constantFrom(...restartTypes), significant: fc.boolean() }), {
          selector: ({ id }) => id,
          maxLength: 4,
        }),
        fc.array(operation, { maxLength: 40 }),
        // Which starts fail, counted over all starts.
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 6 }),
        ({ strategy, intensity, autoShutdown }, declared, operations, failing) => {
          const resolved = spec({ strategy, intensity, autoShutdown, periodMs: 1_000 });
          const children = declared.map((one) =>
            child(one.id, {
              restart: one.restart,
              significant: one.significant && one.restart !== 'permanent' && autoShutdown !== 'never',
            }),
          );
          const failingStarts = (): (() => boolean) => {
            let starts = 0;
            return () => failing.includes((starts += 1));
          };
          const otp = new Otp(resolved, children, failingStarts());
          const driver = new Driver(newSupervisor(resolved, children), failingStarts(), true);
          const both = (): void => {
            expect(driver.log.splice(0)).to.deep.equal(otp.log.splice(0));
            expect(driver.up).to.deep.equal(otp.running);
            expect(driver.state.status === 'running').to.equal(otp.alive);
            expect(driver.state.children.map((one) => one.id)).to.deep.equal(otp.children.map((one) => one.spec.id));
            expect([driver.state.queue, driver.state.stopping, driver.state.starting]).to.deep.equal([[], undefined, undefined]);
          };
          driver.give({ type: 'init', at: 0 });
          otp.init();
          both();
          for (const one of operations) {
            const { at } = driver;
            let answers: (string | undefined)[] = [];
            switch (one.do) {
              case 'exit':
                otp.exit(one.id, one.how, one.counts, at);
                driver.exit(one.id, one.how, one.counts);
                break;
              case 'spawn': {
                const made = child(one.id, { restart: one.restart });
                answers = [otp.spawn(made)];
                driver.give({ type: 'spawn', child: made, caller: 'c', at });
                break;
              }
              case 'pass':
                driver.pass(one.ms);
                break;
              case 'shutdown':
                otp.shutdown();
                driver.give({ type: 'shutdown', at });
                break;
              case 'init':
                otp.init();
                driver.give({ type: 'init', at });
                break;
              default:
                answers = [one.do === 'restart' ? otp.restart(one.id, at) : otp[one.do](one.id)];
                driver.give({ type: one.do, id: one.id, caller: 'c', at });
            }
            both();
            expect(driver.answers.splice(0), one.do).to.deep.equal(answers.map((answer) => `c ${answer ?? 'ok'}`));
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

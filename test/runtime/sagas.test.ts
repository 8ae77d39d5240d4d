import { expect } from 'chai';
import { createRuntime, memory, TerminalError, type Alert, type Runtime, type Saga, type Store } from 'statewarden';
import { listSagas, orderSaga, readSaga } from '#src/runtime/sagas.js';
import { failing } from '../bad-input/failing.js';
import { ManualClock, settled } from './manual-clock.js';
import { Outside, trip } from './trip.js';

interface World {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly outside: Outside;
  readonly alerts: Alert[];
  open(): Promise<Runtime>;
}

function world(more: Parameters<typeof trip>[1] = {}): World {
  const store = memory();
  const clock = new ManualClock();
  const outside = new Outside();
  const alerts: Alert[] = [];
  return {
    store,
    clock,
    outside,
    alerts,
    open: async () =>
      (await createRuntime({
        store,
        clock,
        alerts: [(alert) => void alerts.push(alert)],
        agents: { trip: { machine: trip(outside, more), version: 1 } },
      })) as unknown as Runtime,
  };
}

async function book(runtime: Runtime, id = 'a', saga = 'rome'): Promise<void> {
  await runtime.spawn('trip', { id, input: { trip: saga } } as never);
  await settled();
}
async function send(runtime: Runtime, type: string, id = 'a'): Promise<void> {
  await runtime.agent(id).send({ type } as never);
  await settled();
}
const state = async (runtime: Runtime, id = 'a'): Promise<unknown> => (await runtime.agent(id).snapshot()).value;
const steps = ({ steps: all }: Saga): string[] =>
  all.map(({ activity, status, undoing }) => `${activity} ${status}${undoing === undefined ? '' : `: ${undoing.deed} ${undoing.status}`}`);
const by = { by: 'ada' };
const closed = (): TerminalError => new TerminalError('the hotel is closed');

/** A trip whose hotel cannot be undone. */
async function stuck(): Promise<World & { runtime: Runtime }> {
  const one = world();
  const runtime = await one.open();
  await book(runtime);
  one.outside.errors.set('undo hotel', [closed()]);
  await send(runtime, 'UNDO');
  return { ...one, runtime };
}

/** A trip of whose hotel nobody knows whether it was booked. */
async function unknown(): Promise<World & { runtime: Runtime }> {
  let calls = 0;
  const one = world({
    onUnknown: 'hold',
    run: () => {
      calls += 1;
      return new Promise<string>(() => undefined);
    },
  });
  const runtime = await one.open();
  await book(runtime);
  expect(calls).to.equal(1);
  await send(runtime, 'UNDO');
  return { ...one, runtime };
}

describe('sagas as people see them', () => {
  it('go forward until they are undone, and are compensated then', async () => {
    const one = world();
    await using runtime = await one.open();
    await book(runtime);
    expect(await runtime.sagas.list()).to.deep.equal([]);
    const [forward] = await runtime.sagas.list({ all: true });
    expect(forward).to.include({ agentId: 'a', saga: 'rome', status: 'forward', since: one.clock.now(), plan: undefined });
    expect(steps(forward as Saga)).to.deep.equal(['flight succeeded', 'hotel succeeded']);
    expect(forward?.steps[0]).to.deep.include({ input: { trip: 'rome' }, endedAt: one.clock.now(), error: undefined });
    await send(runtime, 'UNDO');
    const undone = await runtime.sagas.get('a');
    expect(undone.status).to.equal('compensated');
    expect(undone.plan).to.include({ deed: 'plan', status: 'succeeded' });
    expect(steps(undone)).to.deep.equal(['flight compensated: undo succeeded', 'hotel compensated: undo succeeded']);
    expect(await runtime.sagas.list()).to.deep.equal([]);
    // Booked once more, it goes forward once more.
    await send(runtime, 'NEXT');
    expect((await runtime.sagas.get('a')).status).to.equal('forward');
    await send(runtime, 'UNDO');
    expect((await runtime.sagas.get('a')).status).to.equal('compensated');
  });

  it('are compensating while a step waits to be undone again, and say when', async () => {
    const one = world();
    await using runtime = await one.open();
    await book(runtime);
    one.outside.errors.set('undo hotel', [new Error('busy')]);
    await send(runtime, 'UNDO');
    const [found] = await runtime.sagas.list();
    expect(found?.status).to.equal('compensating');
    const undoing = found?.steps.find(({ activity }) => activity === 'hotel')?.undoing;
    expect(undoing).to.include({ deed: 'undo', status: 'started', attempts: 1, nextRetryAt: one.clock.now() + 600_000 });
    expect(undoing?.error?.message).to.equal('busy');
    expect((await failing('NOT_HELD', () => runtime.sagas.resume('a', 'rome', by))).message).to.equal(
      'saga "rome" of agent "a" is not held: it is compensating',
    );
    await one.clock.advance(600_000);
    expect((await runtime.sagas.get('a', 'rome')).status).to.equal('compensated');
  });

  it('go forward when a pivot has passed: what was asked to undo them has undone nothing', async () => {
    const one = world();
    await using runtime = await one.open();
    await book(runtime);
    await send(runtime, 'NEXT');
    await send(runtime, 'UNDO');
    expect(await state(runtime)).to.equal('stuck');
    const saga = await runtime.sagas.get('a');
    expect(saga.status).to.equal('forward');
    expect(saga.plan?.error).to.include({ code: 'PIVOT_PASSED' });
    expect(steps(saga)).to.deep.equal(['flight succeeded', 'hotel succeeded', 'ticket succeeded']);
  });

  describe('that are held', () => {
    it('are listed, and resumed: what has failed is run again', async () => {
      const one = await stuck();
      await using runtime = one.runtime;
      const [held] = await runtime.sagas.list();
      expect(held).to.include({ agentId: 'a', saga: 'rome', status: 'held' });
      expect(steps(held as Saga)).to.deep.equal(['flight succeeded', 'hotel succeeded: undo held']);
      expect(held?.steps[1]?.undoing?.error).to.include({ code: 'COMPENSATION_FAILED' });
      const id = held?.steps[1]?.undoing?.operationId;
      expect(await runtime.sagas.resume('a', 'rome', { by: 'ada', note: 'open again' })).to.deep.equal({
        agentId: 'a',
        saga: 'rome',
        order: 'resume',
        answered: [id],
        late: [],
      });
      await settled();
      expect(await state(runtime)).to.equal('undone');
      expect(one.outside.log).to.deep.equal(['flight', 'hotel', 'undo hotel', 'undo flight']);
      const { status, steps: after } = await runtime.sagas.get('a');
      expect(status).to.equal('compensated');
      expect(after[1]?.undoing?.resolutions[0]).to.include({ order: 'retry', by: 'ada', note: 'open again' });
    });

    it('go on past what was undone by hand', async () => {
      const one = await stuck();
      await using runtime = one.runtime;
      await runtime.sagas.skip('a', 'rome', by);
      await settled();
      expect(await state(runtime)).to.equal('undone');
      expect(one.outside.log).to.deep.equal(['flight', 'hotel', 'undo flight']);
      expect((await runtime.sagas.get('a')).status).to.equal('compensated');
    });

    it('are abandoned: what is left stands, and a later undoing begins anew', async () => {
      const one = await stuck();
      await using runtime = one.runtime;
      await runtime.sagas.abandon('a', 'rome', by);
      await settled();
      expect(await state(runtime)).to.equal('stuck');
      const saga = await runtime.sagas.get('a');
      expect(saga.status).to.equal('abandoned');
      expect(steps(saga)).to.deep.equal(['flight succeeded', 'hotel succeeded: undo failed']);
      expect(await runtime.sagas.list()).to.deep.equal([]);
      await failing('NOT_HELD', () => runtime.sagas.resume('a', 'rome', by));
      await send(runtime, 'UNDO');
      expect((await runtime.sagas.get('a')).status).to.equal('compensated');
    });

    it('are abandoned when the state that undoes them is left', async () => {
      const one = await stuck();
      await using runtime = one.runtime;
      await send(runtime, 'LEAVE');
      expect((await runtime.sagas.get('a')).status).to.equal('abandoned');
    });

    it('take one answer: the second is told who was first', async () => {
      const one = await stuck();
      await using runtime = one.runtime;
      const [first, second] = await Promise.allSettled([
        runtime.sagas.skip('a', 'rome', by),
        runtime.sagas.abandon('a', 'rome', { by: 'bob' }),
      ]);
      expect(first.status).to.equal('fulfilled');
      expect((second as PromiseRejectedResult).reason).to.include({ code: 'NOT_HELD', by: 'ada' });
      await settled();
      expect(await state(runtime)).to.equal('undone');
    });

    it('are ordered while nobody runs their agent, and go on when somebody does', async () => {
      const one = await stuck();
      await one.runtime.close();
      const store = await one.store.open({ now: () => one.clock.now() });
      const place = { store, cap: 10, now: () => one.clock.now() };
      await orderSaga(place, 'a', undefined, 'skip', by);
      expect(await failing('NOT_HELD', () => orderSaga(place, 'a', undefined, 'resume', { by: 'bob' }))).to.include({ by: 'ada' });
      await store.close();
      await using again = await one.open();
      await one.clock.advance(1);
      expect(await state(again)).to.equal('undone');
    });

    it('are told of again at the next start as what they are', async () => {
      const one = await stuck();
      await one.runtime.close();
      await using again = await one.open();
      await settled();
      expect(one.alerts.map(({ alert, saga }) => [alert, saga])).to.deep.equal([
        ['compensation-failed', 'rome'],
        ['compensation-failed', 'rome'],
      ]);
      expect(new Set(one.alerts.map(({ id }) => id)).size).to.equal(1);
      expect(await again.sagas.list()).to.have.lengthOf(1);
    });
  });

  describe('with a step of which nobody knows', () => {
    it('are held, and go on when a person says that it was not carried out', async () => {
      const one = await unknown();
      await using runtime = one.runtime;
      const saga = await runtime.sagas.get('a');
      expect(saga.status).to.equal('held');
      expect(steps(saga)).to.deep.equal(['flight succeeded', 'hotel unknown: settle held']);
      await runtime.sagas.skip('a', 'rome', by);
      await settled();
      expect(one.outside.log).to.deep.equal(['flight', 'undo flight']);
      const after = await runtime.sagas.get('a');
      expect(after.status).to.equal('compensated');
      expect(steps(after)).to.deep.equal(['flight compensated: undo succeeded', 'hotel failed: settle succeeded']);
    });

    it('are abandoned as a whole: nothing is undone, and nobody claims to know', async () => {
      const one = await unknown();
      await using runtime = one.runtime;
      await runtime.sagas.abandon('a', 'rome', by);
      await settled();
      expect(await state(runtime)).to.equal('stuck');
      expect(one.outside.log).to.deep.equal(['flight']);
      const after = await runtime.sagas.get('a');
      expect(after.status).to.equal('abandoned');
      expect(steps(after)).to.deep.equal(['flight succeeded', 'hotel unknown: settle failed']);
      expect(after.steps[1]?.undoing?.error?.message).to.equal(
        'the compensation of saga "rome" was abandoned by ada while nobody knew whether hotel was carried out',
      );
    });

    it('are abandoned also when the word was written before a crash', async () => {
      const one = await unknown();
      await one.runtime.close();
      const store = await one.store.open({ now: () => one.clock.now() });
      await orderSaga({ store, cap: 10, now: () => one.clock.now() }, 'a', 'rome', 'abandon', by);
      await store.close();
      await using again = await one.open();
      await one.clock.advance(1);
      expect(await state(again)).to.equal('stuck');
      expect((await again.sagas.get('a')).status).to.equal('abandoned');
    });
  });

  it('leave a held step to who says what became of it', async () => {
    const one = world({
      onUnknown: 'hold',
      run: () => {
        throw Object.assign(new Error('cut'), { code: 'ECONNRESET' });
      },
    });
    await using runtime = await one.open();
    await book(runtime);
    expect((await runtime.sagas.list()).map(({ status }) => status)).to.deep.equal(['held']);
    const error = await failing('NOT_HELD', () => runtime.sagas.skip('a', undefined, by));
    expect(error.message).to.equal('nothing of the undoing of saga "rome" of agent "a" is held, but a step of it is');
    const [hold] = await runtime.holds.list();
    expect(error.hint).to.equal(`Say what became of the step: statewarden holds done|retry|fail ${JSON.stringify(hold?.operationId)}.`);
    expect(await runtime.holds.get(hold?.operationId ?? '')).to.deep.equal(hold);
  });

  it('are many: by agent, by limit, by name', async () => {
    const one = world();
    await using runtime = await one.open();
    for (let n = 0; n < 300; n += 1) await runtime.spawn('trip', { id: `t${String(n).padStart(3, '0')}`, input: { trip: 'x' } } as never);
    await settled(100);
    // 600 rows: more than a page of the store.
    const all = await runtime.sagas.list({ all: true });
    expect(all.map(({ agentId }) => agentId)).to.deep.equal(Array.from({ length: 300 }, (_, n) => `t${String(n).padStart(3, '0')}`));
    expect(all.every((saga) => steps(saga).join() === 'flight succeeded,hotel succeeded')).to.equal(true);
    expect(await runtime.sagas.list({ all: true, limit: 7 })).to.deep.equal(all.slice(0, 7));
    expect(await runtime.sagas.list({ all: true, agentId: 't250' })).to.deep.equal([all[250]]);
    expect(await runtime.sagas.list({ all: true, agentId: 'nobody' })).to.deep.equal([]);
    expect(await listSagas(runtime.store, { all: true, limit: 1 })).to.deep.equal([await readSaga(runtime.store, 't000', 'x')]);
  });

  it('have errors for who names none, the wrong one, or signs nothing', async () => {
    const one = await stuck();
    await using runtime = one.runtime;
    await failing('UNKNOWN_AGENT', () => runtime.sagas.get('nobody'));
    const error = await failing('BAD_INPUT', () => runtime.sagas.get('a', 'paris'));
    expect(error.hint).to.equal('Name one of "rome".');
    await failing('BAD_INPUT', () => runtime.sagas.skip('a', 'rome', {} as never));
    expect(await runtime.sagas.list()).to.have.lengthOf(1);
  });

  it('need their name only where there are several that wait, or none', async () => {
    const { setup } = await import('xstate');
    const { activity, compensation } = await import('statewarden');
    const outside = new Outside();
    const step = activity<{ readonly to: string }, string>({
      name: 'book',
      saga: ({ to }) => to,
      run: ({ to }, { idempotencyKey }) => (idempotencyKey === '' ? '' : outside.do(to)),
      compensate: ({ to }, _, { idempotencyKey }) => (idempotencyKey === '' ? '' : outside.do(`undo ${to}`)),
    });
    const undo = (to: string, next: string) => ({ invoke: { src: 'undo' as const, input: { saga: to }, onDone: next } });
    const machine = setup({ actors: { step, undo: compensation() } }).createMachine({
      initial: 'rome',
      states: {
        rome: { invoke: { src: 'step', input: { to: 'rome' }, onDone: 'paris' } },
        paris: { invoke: { src: 'step', input: { to: 'paris' }, onDone: 'booked' } },
        booked: { on: { UNDO: 'undoing' } },
        undoing: {
          type: 'parallel',
          states: {
            one: { initial: 'on', states: { on: undo('rome', 'off'), off: {} } },
            other: { initial: 'wait', states: { wait: { on: { UNDO: 'on' } }, on: undo('paris', 'off'), off: {} } },
          },
        },
      },
    });
    await using runtime = (await createRuntime({
      store: memory(),
      clock: new ManualClock(),
      agents: { planner: { machine, version: 1 } },
    })) as unknown as Runtime;
    await runtime.spawn('planner', { id: 'a' });
    await settled();
    expect((await failing('BAD_INPUT', () => runtime.sagas.get('a'))).hint).to.equal('Name one of "paris", "rome".');
    outside.errors.set('undo rome', [closed()]);
    outside.errors.set('undo paris', [closed()]);
    await send(runtime, 'UNDO');
    expect((await runtime.sagas.get('a')).saga).to.equal('rome');
    await send(runtime, 'UNDO');
    await failing('BAD_INPUT', () => runtime.sagas.resume('a', undefined, by));
    expect((await runtime.sagas.resume('a', 'paris', by)).answered).to.have.lengthOf(1);
    await settled();
    expect((await runtime.sagas.list({ all: true })).map(({ saga, status }) => `${saga} ${status}`)).to.deep.equal([
      'paris compensated',
      'rome held',
    ]);
  });
});

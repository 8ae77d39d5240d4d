import { expect } from 'chai';
import fc from 'fast-check';
import { assign, createMachine, setup, type AnyActorLogic } from 'xstate';
import {
  activity,
  compensation,
  createRuntime,
  memory,
  TerminalError,
  type ActivityDefinition,
  type Alert,
  type Runtime,
  type Store,
} from 'statewarden';
import { armFailpoints } from '#src/core/failpoint.js';
import { failing } from '../bad-input/failing.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';

type Definition = ActivityDefinition<{ readonly loan: string }, string>;

/** A machine that takes its steps one after the other; on a failure, or on `UNDO`, it undoes them. */
function flowOf(steps: readonly Definition[], saga?: string) {
  const actors: Record<string, AnyActorLogic> = { undo: compensation() };
  for (const step of steps) actors[step.name] = activity(step);
  const states: Record<string, object> = {};
  steps.forEach(({ name }, index) => {
    const next = steps[index + 1]?.name ?? 'booked';
    states[name] = {
      invoke: {
        src: name,
        input: ({ context }: { context: { loan: string } }) => ({ loan: context.loan }),
        onDone: next,
        onError: 'undoing',
      },
      on: { UNDO: 'undoing' },
    };
  });
  return setup({
    actors,
    types: { context: {} as { loan: string; why?: string; undone?: readonly string[] }, input: {} as { loan: string } },
  }).createMachine({
    id: 'flow',
    context: ({ input }: { input: { loan: string } }) => ({ loan: input.loan }),
    initial: steps[0]?.name ?? 'booked',
    states: {
      ...states,
      booked: { on: { UNDO: 'undoing', DONE: 'end' } },
      undoing: {
        invoke: {
          src: 'undo',
          id: 'undo',
          input: () => (saga === undefined ? {} : { saga }),
          onDone: { target: 'end', actions: assign({ undone: ({ event }) => (event.output as { compensated: string[] }).compensated }) },
          onError: { target: 'stuck', actions: assign({ why: ({ event }) => (event.error as Error).message }) },
        },
      },
      stuck: { on: { UNDO: 'undoing' } },
      end: { type: 'final' },
    },
    output: ({ context }: { context: unknown }) => context,
  } as never);
}

/** What the outside was asked for, in order. */
class Outside {
  readonly log: string[] = [];
  /** Errors for the next calls, by what is called. */
  readonly errors = new Map<string, unknown[]>();
  readonly keys = new Map<string, Set<string>>();

  do(what: string, key: string): string {
    const keys = this.keys.get(what) ?? new Set();
    this.keys.set(what, keys.add(key));
    const error = this.errors.get(what)?.shift();
    if (error !== undefined) throw error as Error;
    this.log.push(what);
    return `${what} done`;
  }

  step(name: string, more: Partial<Definition> = {}): Definition {
    return {
      name,
      retry: { attempts: 2, initialMs: 10, jitter: 'none' },
      run: (_, { idempotencyKey }) => this.do(name, idempotencyKey),
      compensate: (_input, _output, { idempotencyKey }) => this.do(`undo ${name}`, idempotencyKey),
      ...more,
    };
  }
}

interface World {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly alerts: Alert[];
  open(steps: readonly Definition[], saga?: string): Promise<Runtime>;
}

function world(): World {
  const store = memory();
  const clock = new ManualClock();
  const alerts: Alert[] = [];
  return {
    store,
    clock,
    alerts,
    open: async (steps, saga) =>
      (await createRuntime({
        store,
        clock,
        alerts: [(alert) => void alerts.push(alert)],
        agents: { flow: { machine: flowOf(steps, saga) as never, version: 1 } },
      })) as unknown as Runtime,
  };
}

async function rows(runtime: Runtime, id = 'a') {
  const [record] = await runtime.store.lookup([id]);
  return runtime.store.operations(record?.key ?? 0);
}
const statusOf = async (runtime: Runtime, activityName: string): Promise<string[]> =>
  (await rows(runtime)).filter(({ activity: name }) => name === activityName).map(({ status }) => status);

const begin = (runtime: Runtime, id = 'a'): Promise<unknown> => runtime.spawn('flow', { id, input: { loan: id } } as never);
const undo = (runtime: Runtime, id = 'a'): Promise<unknown> => runtime.agent(id).send({ type: 'UNDO' } as never);
const by = { by: 'ada' };

describe('a saga', () => {
  it('is undone newest first, each once, and says so in the ledger', async () => {
    const one = world();
    const outside = new Outside();
    outside.errors.set('car', [new TerminalError('no cars')]);
    const steps = ['flight', 'hotel', 'car'].map((name) => outside.step(name));
    await using runtime = await one.open(steps);
    await begin(runtime);
    const result = (await runtime.agent('a').result()) as { undone: string[] };
    expect(outside.log).to.deep.equal(['flight', 'hotel', 'undo hotel', 'undo flight']);
    expect(result.undone).to.have.lengthOf(2);
    expect(await statusOf(runtime, 'flight')).to.deep.equal(['compensated']);
    expect(await statusOf(runtime, 'hotel')).to.deep.equal(['compensated']);
    expect(await statusOf(runtime, 'car')).to.deep.equal(['failed']);
    expect(await statusOf(runtime, 'compensation.undo')).to.deep.equal(['succeeded', 'succeeded']);
  });

  it('gives what undoes a step its input, its output, and a key that stays the same', async () => {
    const one = world();
    const outside = new Outside();
    const given: unknown[] = [];
    const flight = outside.step('flight', {
      compensate: (input, output, { idempotencyKey, attempt }) => {
        given.push([input, output, idempotencyKey]);
        if (attempt === 1) throw new Error('busy');
      },
    });
    await using runtime = await one.open([flight]);
    await begin(runtime);
    await settled();
    await undo(runtime);
    await settled();
    await one.clock.advance(10);
    await runtime.agent('a').result();
    const [{ id } = { id: '' }] = await rows(runtime);
    expect(given).to.deep.equal(Array.from({ length: 2 }, () => [{ loan: 'a' }, 'flight done', `undo ${id}`]));
  });

  it('undoes those that are independent at the same time', async () => {
    const one = world();
    const outside = new Outside();
    let [running, most] = [0, 0];
    const independent = (name: string): Definition =>
      outside.step(name, {
        compensation: { independent: true },
        compensate: async (_input, _output, { idempotencyKey }) => {
          running += 1;
          most = Math.max(most, running);
          await settled();
          running -= 1;
          outside.do(`undo ${name}`, idempotencyKey);
        },
      });
    await using runtime = await one.open([
      outside.step('first'),
      independent('a'),
      independent('b'),
      independent('c'),
      outside.step('last'),
    ]);
    await begin(runtime);
    await settled();
    await undo(runtime);
    await runtime.agent('a').result();
    expect(most).to.equal(3);
    expect(outside.log.slice(5)[0]).to.equal('undo last');
    expect(outside.log.at(-1)).to.equal('undo first');
  });

  it('goes only forward once its pivot has succeeded', async () => {
    const one = world();
    const outside = new Outside();
    const { compensate: _, ...pivot } = outside.step('pay');
    await using runtime = await one.open([outside.step('reserve'), { ...pivot, pivot: true }]);
    await begin(runtime);
    await settled();
    await undo(runtime);
    const stuck = await runtime.agent('a').waitFor((snapshot) => snapshot.value === 'stuck');
    expect((stuck.context as { why: string }).why).to.equal(
      'saga "agent" is not undone: pay has succeeded, and from there it only goes forward',
    );
    expect(outside.log).to.deep.equal(['reserve', 'pay']);
    expect(one.alerts).to.deep.equal([]);
  });

  it('waits for steps that are under way beside it, and undoes them too', async () => {
    const clock = new ManualClock();
    const outside = new Outside();
    let finish: (value: string) => void = () => undefined;
    const slow = activity(
      outside.step('slow', {
        run: (_, { idempotencyKey }) => new Promise((resolve) => (finish = () => resolve(outside.do('slow', idempotencyKey)))),
      }),
    );
    const machine = setup({ actors: { slow, undo: compensation() } }).createMachine({
      type: 'parallel',
      states: {
        working: { initial: 'on', states: { on: { invoke: { src: 'slow', input: { loan: 'a' }, onDone: 'off' } }, off: {} } },
        undoing: { initial: 'on', states: { on: { invoke: { src: 'undo', input: {}, onDone: 'off' } }, off: {} } },
      },
    });
    await using runtime = await createRuntime({ store: memory(), clock, agents: { flow: { machine, version: 1 } } });
    await runtime.spawn('flow', { id: 'a' });
    await settled();
    await clock.advance(60_000);
    expect(outside.log).to.deep.equal([]);
    finish('');
    await settled();
    await clock.advance(60_000);
    await settled();
    expect(outside.log).to.deep.equal(['slow', 'undo slow']);
  });

  it('undoes only what its scope says', async () => {
    const one = world();
    const outside = new Outside();
    await using runtime = await one.open([outside.step('outer'), outside.step('inner', { saga: ({ loan }) => `loan ${loan}` })], 'loan a');
    await begin(runtime);
    await settled();
    await undo(runtime);
    await runtime.agent('a').result();
    expect(outside.log).to.deep.equal(['outer', 'inner', 'undo inner']);
  });

  describe('with a step of which nobody knows', () => {
    /** The step's call is under way when its state is left. */
    const interrupted = async (more: Partial<Definition>) => {
      const one = world();
      const outside = new Outside();
      let calls = 0;
      const pay = outside.step('pay', {
        run: (_, { idempotencyKey }) => {
          calls += 1;
          return calls === 1 ? new Promise<string>(() => undefined) : outside.do('pay', idempotencyKey);
        },
        ...more,
      });
      const runtime = await one.open([outside.step('reserve'), pay]);
      await begin(runtime);
      await settled();
      await undo(runtime);
      await settled();
      return { one, outside, runtime, calls: () => calls };
    };

    it('runs it with its key, and undoes it then', async () => {
      const { runtime, outside } = await interrupted({});
      await using running = runtime;
      await running.agent('a').result();
      expect(outside.log).to.deep.equal(['reserve', 'pay', 'undo pay', 'undo reserve']);
      expect(await statusOf(runtime, 'pay')).to.deep.equal(['compensated']);
    });

    it('looks again when finding out fails for now', async () => {
      armFailpoints('compensation:settle=throw');
      try {
        const { one, runtime, outside } = await interrupted({});
        await using running = runtime;
        await one.clock.advance(10);
        await running.agent('a').result();
        expect(outside.log).to.deep.equal(['reserve', 'pay', 'undo pay', 'undo reserve']);
      } finally {
        armFailpoints(undefined);
      }
    });

    it('asks the outside, and undoes it when it was done', async () => {
      const { runtime, outside } = await interrupted({ reconcile: () => ({ outcome: 'done', result: 'receipt' }) });
      await using running = runtime;
      await running.agent('a').result();
      expect(outside.log).to.deep.equal(['reserve', 'undo pay', 'undo reserve']);
    });

    it('asks the outside, and leaves it alone when it was not', async () => {
      const { runtime, outside, calls } = await interrupted({ reconcile: () => ({ outcome: 'not-done' }) });
      await using running = runtime;
      await running.agent('a').result();
      expect(outside.log).to.deep.equal(['reserve', 'undo reserve']);
      expect(await statusOf(runtime, 'pay')).to.deep.equal(['failed']);
      expect(calls()).to.equal(1);
    });

    it('waits for a person when nothing else can tell, and undoes nothing before', async () => {
      const { one, runtime, outside } = await interrupted({ onUnknown: 'hold' });
      await using running = runtime;
      const [hold] = await running.holds.list();
      expect(hold).to.include({ activity: 'compensation.settle', saga: 'agent' });
      expect(one.alerts.map(({ alert }) => alert)).to.deep.equal(['held']);
      expect(outside.log).to.deep.equal(['reserve']);
      await running.holds.done(hold?.operationId ?? '', 'receipt 7', by);
      await running.agent('a').result();
      expect(outside.log).to.deep.equal(['reserve', 'undo pay', 'undo reserve']);
    });
  });

  describe('that cannot be undone', () => {
    const stuck = async () => {
      const one = world();
      const outside = new Outside();
      outside.errors.set('undo pay', [new TerminalError('account closed'), new TerminalError('still closed')]);
      const steps = [outside.step('reserve'), outside.step('pay')];
      const runtime = await one.open(steps);
      await begin(runtime);
      await settled();
      await undo(runtime);
      await settled();
      const [hold] = await runtime.holds.list();
      return { one, outside, runtime, steps, id: hold?.operationId ?? '', hold };
    };

    it('is held, and tells somebody', async () => {
      const { one, runtime, hold, outside } = await stuck();
      await using running = runtime;
      expect(hold?.error).to.include({ code: 'COMPENSATION_FAILED', saga: 'agent' });
      expect(hold?.error?.message).to.equal('the compensation of saga "agent" cannot undo pay: account closed');
      expect(one.alerts.map(({ alert, saga }) => [alert, saga])).to.deep.equal([['compensation-failed', 'agent']]);
      expect(outside.log).to.deep.equal(['reserve', 'pay']);
      expect((await running.store.lookup(['a']))[0]?.busy).to.equal(false);
    });

    it('goes on when a person says so, is held again, and goes on past what was undone by hand', async () => {
      const { one, runtime, outside, id } = await stuck();
      await using running = runtime;
      await running.holds.retry(id, by);
      await settled();
      expect((await running.holds.list())[0]?.error?.message).to.include('still closed');
      expect(one.alerts).to.have.lengthOf(2);
      await running.holds.done(id, undefined, { by: 'ada', note: 'booked back by hand' });
      await running.agent('a').result();
      expect(outside.log).to.deep.equal(['reserve', 'pay', 'undo reserve']);
      expect(await statusOf(runtime, 'pay')).to.deep.equal(['compensated']);
    });

    it('is given up when a person says so: its machine is told who', async () => {
      const { runtime, outside, id } = await stuck();
      await using running = runtime;
      await running.holds.fail(id, by);
      const { context } = await running.agent('a').waitFor((snapshot) => snapshot.value === 'stuck');
      expect((context as { why: string }).why).to.equal('the compensation of saga "agent" was abandoned by ada when it could not undo pay');
      expect(outside.log).to.deep.equal(['reserve', 'pay']);
      await undo(running);
      await settled();
      // What was given up is tried again by who begins anew.
      expect(outside.log).to.deep.equal(['reserve', 'pay']);
      expect((await running.holds.list()).map(({ error }) => error?.message)).to.deep.equal([
        'the compensation of saga "agent" cannot undo pay: still closed',
      ]);
    });

    it('takes a person’s word that was written before a crash', async () => {
      const { one, runtime, steps, outside, id } = await stuck();
      await runtime.close();
      const { resolveHold } = await import('#src/runtime/holds.js');
      const store = await one.store.open({ now: () => one.clock.now() });
      await resolveHold({ store, cap: 10, now: () => one.clock.now() }, id, { order: 'done' }, by);
      await store.close();
      await using again = await one.open(steps);
      await again.agent('a').result();
      expect(outside.log).to.deep.equal(['reserve', 'pay', 'undo reserve']);
    });

    it('is held when there is no recorded outcome to undo', async () => {
      const one = world();
      const outside = new Outside();
      const steps = [outside.step('pay')];
      {
        await using runtime = await one.open(steps);
        await begin(runtime);
        await settled();
      }
      const store = await one.store.open({ lease: { name: 'x', ttlMs: 1_000 }, now: () => one.clock.now() });
      const [loaded] = await store.load(['a']);
      if (loaded?.outcome !== 'loaded') throw new Error('not loaded');
      const { key, id, fence, sequenceNumber } = loaded.record;
      const [line] = await store.operations(key);
      await store.commit([
        {
          key,
          id,
          fence,
          expected: sequenceNumber,
          sequenceNumber,
          at: 1,
          operations: [{ ...(line as NonNullable<typeof line>), outcome: undefined }],
        },
      ]);
      await store.close();
      await using runtime = await one.open(steps);
      await undo(runtime);
      await settled();
      const [hold] = await runtime.holds.list();
      expect(hold?.error?.message).to.match(/has no recorded outcome to undo$/);
      expect((hold?.error as { cause?: unknown }).cause).to.include({ code: 'NO_OUTCOME' });
      expect(outside.log).to.deep.equal(['pay']);
    });
  });

  it('is refused when it is declared inconsistently', async () => {
    const outside = new Outside();
    for (const more of [
      { compensate: 7 as never },
      { saga: '' },
      { pivot: true },
      { compensation: { timeoutMs: 0 } },
      { compensation: { onUnknown: 'maybe' as never } },
      { compensate: undefined as never, compensation: { independent: true } },
      { compensate: undefined as never, saga: 'x' },
    ]) {
      expect(() => activity(outside.step('pay', more)))
        .to.throw()
        .with.property('code', 'BAD_INPUT');
    }
    const [one, other] = [activity(outside.step('pay')), activity(outside.step('pay'))];
    const machine = createMachine({ initial: 'a', states: { a: { invoke: { src: one } }, b: { invoke: { src: other } } } });
    await failing('BAD_INPUT', () => createRuntime({ store: memory(), agents: { flow: { machine, version: 1 } } }));
    await failing('BAD_INPUT', () => world().open([outside.step('pay', { compensation: { profile: 'no such' } })]));
  });

  it('is undone newest first and each once, whatever fails and whenever its process ends', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            // How the step goes, and how often undoing it fails before it does.
            failsFor: fc.nat({ max: 1 }),
            undoFailsFor: fc.nat({ max: 2 }),
            independent: fc.boolean(),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        fc.boolean(),
        fc.array(fc.nat({ max: 25 }), { maxLength: 6 }),
        async (plan, lastFails, lives) => {
          const one = world();
          const outside = new Outside();
          const names = plan.map((_, index) => `s${String(index)}`);
          const steps = plan.map(({ failsFor, undoFailsFor, independent }, index) => {
            const name = names[index] as string;
            outside.errors.set(
              name,
              Array.from({ length: failsFor }, () => new Error('busy')),
            );
            outside.errors.set(
              `undo ${name}`,
              Array.from({ length: undoFailsFor }, () => new Error('busy')),
            );
            return outside.step(name, { retry: { attempts: 5, initialMs: 10, jitter: 'none' }, compensation: { independent } });
          });
          // Also when its process dies before that is written.
          if (lastFails)
            outside.errors.set(
              names.at(-1) as string,
              Array.from({ length: 50 }, () => new TerminalError('no')),
            );
          /** So many rounds of work, then the process is gone; the last life goes on to the end. */
          const live = async (rounds: number): Promise<boolean> => {
            const runtime = await one.open(steps);
            try {
              await begin(runtime);
              for (let round = 0; round < rounds; round += 1) {
                await settled(1 + (round % 3));
                const [record] = await runtime.store.lookup(['a']);
                if (record?.status === 'done') return true;
                if (record?.state === '"booked"') await undo(runtime);
                await one.clock.advance(5);
              }
              return false;
            } finally {
              await runtime.close({ graceMs: 0 });
            }
          };
          let done = false;
          for (const rounds of lives) done ||= await live(rounds);
          done ||= await live(2_000);
          expect(done, 'it ends').to.equal(true);
          await using runtime = await one.open(steps);
          const ledger = await rows(runtime);
          const succeeded = ledger
            .filter(({ saga, compensates, status }) => saga !== undefined && compensates === undefined && status === 'compensated')
            .sort((a, b) => b.settledIn - a.settledIn);
          const wanted = lastFails ? names.slice(0, -1) : names;
          expect(succeeded.map(({ activity: name }) => name)).to.deep.equal([...wanted].reverse());
          const undos = ledger.filter(({ activity: name, status }) => name === 'compensation.undo' && status === 'succeeded');
          expect(new Set(undos.map(({ compensates }) => compensates))).to.have.property('size', wanted.length);
          expect(undos).to.have.lengthOf(wanted.length);
          // Each keyed effect, however often it was asked for, has one key; and the outside saw them newest first.
          for (const keys of outside.keys.values()) expect(keys.size).to.equal(1);
          const order = [...new Set(outside.log.filter((line) => line.startsWith('undo ')))];
          const place = (name: string): number => order.indexOf(`undo ${name}`);
          wanted.forEach((name, index) => {
            expect(place(name), name).to.be.greaterThan(-1);
            const later = wanted[index + 1];
            if (later === undefined) return;
            const together = plan[index]?.independent === true && plan[index + 1]?.independent === true;
            if (!together) expect(place(later), `${later} before ${name}`).to.be.lessThan(place(name));
          });
        },
      ),
      { numRuns: 60 },
    )).timeout(60_000);
});

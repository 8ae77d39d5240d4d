import { expect } from 'chai';
import {
  activity,
  createRuntime,
  memory,
  TerminalError,
  type ActivityDefinition,
  type Hold,
  type Runtime,
  type Alert,
  type Store,
} from 'statewarden';
import { failing } from '../bad-input/failing.js';
import { caller } from '../runtime/caller.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';

type Definition = Partial<ActivityDefinition<unknown, unknown>>;

/** What the service was asked for, and whether it does something. */
class Service {
  readonly calls: string[] = [];
  hangs = true;
  readonly run = (_: unknown, context: { readonly attempt: number }): unknown => {
    this.calls.push(`call ${String(context.attempt)}`);
    return this.hangs ? new Promise(() => undefined) : 'paid';
  };
}

const never = (): Promise<never> => new Promise(() => undefined);
const cut = (): Error => Object.assign(new Error('cut'), { code: 'ECONNRESET' });

/** The ledger's only line. */
async function line(runtime: Runtime, id = 'a') {
  const [record] = await runtime.store.lookup([id]);
  return (await runtime.store.operations(record?.key ?? 0))[0];
}

interface World {
  readonly alerts: Alert[];
  readonly store: Store;
  readonly clock: ManualClock;
  open(definition: Definition): Promise<Runtime>;
}

function world(): World {
  const store = memory();
  const clock = new ManualClock();
  const alerts: Alert[] = [];
  return {
    store,
    alerts,
    clock,
    open: async (definition) => {
      const work = activity({ name: 'pay', run: never, ...definition });
      const runtime = (await createRuntime({
        store,
        clock,
        alerts: [(alert) => void alerts.push(alert)],
        agents: { caller: { machine: caller(work), version: 1 } },
      })) as unknown as Runtime;
      return runtime;
    },
  };
}

/** A life that ends while the call is under way. */
async function cutOff(of: World, service: Service, definition: Definition): Promise<void> {
  const runtime = await of.open({ ...definition, run: service.run });
  await runtime.spawn('caller', { id: 'a', input: { amount: 7 } });
  await settled();
  expect(service.calls.length).to.be.greaterThan(0);
  await runtime.close({ graceMs: 0 });
}

const by = { by: 'ada' };
async function held(runtime: Runtime): Promise<Hold> {
  await settled();
  const [hold] = await runtime.holds.list();
  if (hold === undefined) throw new Error('nothing is held');
  return hold;
}

describe('an operation of which nobody knows', () => {
  describe('after its process has ended', () => {
    it('is run again, with the same key, when its run passes the key on', async () => {
      const one = world();
      const keys: string[] = [];
      const run = (_: unknown, { idempotencyKey }: { readonly idempotencyKey: string }): unknown => {
        keys.push(idempotencyKey);
        return keys.length === 1 ? never() : 'paid';
      };
      const first = await one.open({ run });
      await first.spawn('caller', { id: 'a', input: 1 });
      await settled();
      expect((await line(first))?.status).to.equal('started');
      await first.close({ graceMs: 0 });
      await using again = await one.open({ run });
      expect(await again.agent('a').result()).to.equal('paid');
      expect(keys).to.deep.equal([keys[0], keys[0]]);
    });

    it('is held when it says nothing, lets its agent leave memory, and tells somebody', async () => {
      const one = world();
      const service = new Service();
      await cutOff(one, service, {});
      await using runtime = await one.open({ run: service.run });
      const hold = await held(runtime);
      expect(hold).to.include({ agentId: 'a', activity: 'pay' });
      expect(hold.input).to.deep.equal({ amount: 7 });
      expect(hold.error).to.include({ code: 'OUTCOME_UNKNOWN' });
      expect(service.calls).to.deep.equal(['call 1']);
      expect((await runtime.store.lookup(['a']))[0]?.busy).to.equal(false);
      expect(one.alerts.map(({ alert, agentId, operationId }) => [alert, agentId, operationId])).to.deep.equal([
        ['held', 'a', hold.operationId],
      ]);
    });

    it('fails for its machine with onUnknown: fail, and is unknown in the ledger', async () => {
      const one = world();
      const service = new Service();
      await cutOff(one, service, { onUnknown: 'fail' });
      await using runtime = await one.open({ run: service.run, onUnknown: 'fail' });
      expect(await runtime.agent('a').result()).to.match(/^nobody knows whether activity "pay" was carried out/);
      expect((await line(runtime))?.status).to.equal('unknown');
      expect(await runtime.holds.list({ unknown: true })).to.have.lengthOf(1);
      expect(service.calls).to.have.lengthOf(1);
    });

    it('takes what the outside says: done, with its result', async () => {
      const one = world();
      const service = new Service();
      const asked: unknown[] = [];
      const reconcile = (input: unknown, key: string) => {
        asked.push(input, key);
        return { outcome: 'done', result: 'paid already' } as const;
      };
      await cutOff(one, service, { reconcile });
      await using runtime = await one.open({ run: service.run, reconcile });
      expect(await runtime.agent('a').result()).to.equal('paid already');
      expect(asked).to.deep.equal([{ amount: 7 }, (await line(runtime))?.id]);
      expect(service.calls).to.have.lengthOf(1);
      expect((await line(runtime))?.status).to.equal('succeeded');
    });

    it('takes what the outside says: not done, so it is run', async () => {
      const one = world();
      const service = new Service();
      const reconcile = () => ({ outcome: 'not-done' }) as const;
      await cutOff(one, service, { reconcile });
      service.hangs = false;
      await using runtime = await one.open({ run: service.run, reconcile });
      expect(await runtime.agent('a').result()).to.equal('paid');
      expect(service.calls).to.deep.equal(['call 1', 'call 1']);
    });

    it('is held when the outside cannot tell, and when it cannot be asked', async () => {
      for (const reconcile of [
        () => ({ outcome: 'unknown' }) as const,
        () => undefined as never,
        () => {
          throw new TerminalError('no such endpoint');
        },
      ]) {
        const one = world();
        const service = new Service();
        await cutOff(one, service, { reconcile });
        await using runtime = await one.open({ run: service.run, reconcile });
        expect((await held(runtime)).error).to.include({ code: 'OUTCOME_UNKNOWN' });
        expect(service.calls).to.have.lengthOf(1);
      }
    });

    it('asks the outside again by its profile, across another restart, and is held in the end', async () => {
      const one = world();
      const service = new Service();
      let asked = 0;
      const definition: Definition = {
        run: service.run,
        retry: { attempts: 3, initialMs: 5_000, jitter: 'none' },
        reconcile: () => {
          asked += 1;
          throw new Error('away');
        },
      };
      await cutOff(one, service, definition);
      {
        await using runtime = await one.open(definition);
        await settled();
        expect(asked).to.equal(1);
        expect((await line(runtime))?.nextRetryAt).to.equal(one.clock.now() + 5_000);
        expect((await runtime.store.lookup(['a']))[0]?.busy).to.equal(false);
      }
      await using runtime = await one.open(definition);
      await settled();
      expect(asked).to.equal(1);
      await one.clock.advance(5_000);
      await settled();
      expect(asked).to.equal(2);
      await one.clock.advance(60_000);
      await settled();
      await one.clock.advance(60_000);
      await held(runtime);
      expect(service.calls).to.have.lengthOf(1);
    });
  });

  describe('after a failure that may have come after the fact', () => {
    it('is not run again by an activity that has said how careful it is', async () => {
      for (const error of [cut(), new Error('something that nobody recognises')]) {
        const one = world();
        let calls = 0;
        await using runtime = await one.open({
          onUnknown: 'hold',
          run: () => {
            calls += 1;
            throw error;
          },
        });
        await runtime.spawn('caller', { id: 'a', input: 1 });
        const hold = await held(runtime);
        expect(hold.error?.message).to.include(error.message);
        await one.clock.advance(600_000);
        expect(calls).to.equal(1);
      }
    });

    it('is run again when nothing was done, and then knows it', async () => {
      const one = world();
      const seen: (string | undefined)[] = [];
      await using runtime = await one.open({
        onUnknown: 'hold',
        retry: { initialMs: 1_000, jitter: 'none' },
        run: async (_, { attempt }) => {
          seen.push((await line(runtime))?.status);
          if (attempt === 1) throw Object.assign(new Error('full'), { status: 503 });
          return 'paid';
        },
      });
      const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
      await settled();
      expect((await line(runtime))?.status).to.equal('intended');
      await one.clock.advance(1_000);
      expect(await agent.result()).to.equal('paid');
      expect(seen).to.deep.equal(['started', 'started']);
    });

    it('fails when the outside or the error says that it never will be done', async () => {
      const one = world();
      await using runtime = await one.open({
        onUnknown: 'hold',
        run: () => {
          throw new TerminalError('no such account');
        },
      });
      expect(await (await runtime.spawn('caller', { id: 'a', input: 1 })).result()).to.equal('no such account');
      expect((await line(runtime))?.status).to.equal('failed');
    });
  });

  describe('while it is held', () => {
    const holding = async (): Promise<{ one: World; service: Service; runtime: Runtime; hold: Hold }> => {
      const one = world();
      const service = new Service();
      await cutOff(one, service, {});
      service.hangs = false;
      const runtime = await one.open({ run: service.run });
      return { one, service, runtime, hold: await held(runtime) };
    };

    it('ends with what a person says was its result', async () => {
      const { runtime, service, hold } = await holding();
      await using running = runtime;
      void running;
      await runtime.holds.done(hold.operationId, { receipt: 9 }, { by: 'ada', note: 'seen in the bank' });
      expect(await runtime.agent('a').result()).to.deep.equal({ receipt: 9 });
      expect(service.calls).to.have.lengthOf(1);
      const [resolution] = JSON.parse((await line(runtime))?.resolutions ?? '[]') as object[];
      expect(resolution).to.include({ order: 'done', by: 'ada', note: 'seen in the bank' });
    });

    it('fails, or is run again, as a person says', async () => {
      const first = await holding();
      await using before = first.runtime;
      void before;
      await first.runtime.holds.fail(first.hold.operationId, { by: 'ada', note: 'never arrived' });
      expect(await first.runtime.agent('a').result()).to.equal('activity "pay" was said to have failed by ada: never arrived');
      const second = await holding();
      await using last = second.runtime;
      void last;
      await second.runtime.holds.retry(second.hold.operationId, by);
      expect(await second.runtime.agent('a').result()).to.equal('paid');
      expect(second.service.calls).to.deep.equal(['call 1', 'call 1']);
    });

    it('takes one answer: the second is told who was first, also after a restart', async () => {
      const { one, runtime, hold } = await holding();
      const answers = await Promise.allSettled([
        runtime.holds.done(hold.operationId, 1, { by: 'ada' }),
        runtime.holds.fail(hold.operationId, { by: 'bob' }),
      ]);
      expect(answers.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected']);
      expect((answers[1] as PromiseRejectedResult).reason).to.include({ code: 'NOT_HELD' });
      expect(await runtime.agent('a').result()).to.equal(1);
      await runtime.close();
      await using again = await one.open({});
      const error = await failing('NOT_HELD', () => again.holds.retry(hold.operationId, { by: 'cyd' }));
      expect(error).to.include({ by: 'ada' });
      expect(error.message).to.match(/was answered by ada at /);
    });

    it('is answered while no node runs its agent, and the answer is taken by the next', async () => {
      const { one, runtime, hold } = await holding();
      await runtime.close();
      {
        const store = await one.store.open({ now: () => one.clock.now() });
        const { resolveHold } = await import('#src/runtime/holds.js');
        await resolveHold({ store, cap: 10, now: () => one.clock.now() }, hold.operationId, { order: 'done', result: 'by hand' }, by);
        await failing('NOT_HELD', () =>
          resolveHold({ store, cap: 10, now: () => one.clock.now() }, hold.operationId, { order: 'retry' }, by),
        );
        await store.close();
      }
      await using again = await one.open({});
      expect(await again.agent('a').result()).to.equal('by hand');
    });

    it('may be held again, and that hold takes an answer of its own', async () => {
      const one = world();
      let calls = 0;
      await using runtime = await one.open({
        onUnknown: 'hold',
        run: () => {
          calls += 1;
          throw cut();
        },
      });
      await runtime.spawn('caller', { id: 'a', input: 1 });
      const { operationId } = await held(runtime);
      await runtime.holds.retry(operationId, by);
      expect((await held(runtime)).resolutions).to.have.lengthOf(1);
      expect(calls).to.equal(2);
      await runtime.holds.done(operationId, 'in the end', by);
      expect(await runtime.agent('a').result()).to.equal('in the end');
    });

    it('is unknown when its state is left', async () => {
      const { runtime } = await holding();
      await using running = runtime;
      void running;
      await runtime.agent('a').send({ type: 'LEAVE' } as never);
      await settled();
      expect((await line(runtime))?.status).to.equal('unknown');
      expect(await runtime.holds.list()).to.deep.equal([]);
    });

    it('has errors for who signs nothing, names nothing, or says what cannot be saved', async () => {
      const { runtime, hold } = await holding();
      await using running = runtime;
      void running;
      await failing('BAD_INPUT', () => runtime.holds.done(hold.operationId, 1, {} as never));
      await failing('UNKNOWN_OPERATION', () => runtime.holds.retry('a:nothing:1', by));
      await failing('NOT_SERIALIZABLE', () => runtime.holds.done(hold.operationId, () => 1, by));
      expect(await runtime.holds.list()).to.have.lengthOf(1);
    });
  });

  it('is no doubt when it had not begun: a call that waited for leave or a place begins in the next life', async () => {
    const one = world();
    const service = new Service();
    service.hangs = false;
    let calls = 0;
    const definition: Definition = {
      concurrency: 1,
      run: () => {
        calls += 1;
        return calls === 1 ? never() : 'paid';
      },
    };
    const runtime = await one.open(definition);
    await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    await runtime.spawn('caller', { id: 'b', input: 2 });
    await settled();
    expect([(await line(runtime, 'a'))?.status, (await line(runtime, 'b'))?.status]).to.deep.equal(['started', 'intended']);
    await runtime.close({ graceMs: 0 });
    await using again = await one.open(definition);
    expect(await again.agent('b').result()).to.equal('paid');
    expect((await held(again)).agentId).to.equal('a');
  });

  it('holds another one with its key, and refuses one with its key and another input, naming both', async () => {
    const one = world();
    const service = new Service();
    const definition: Definition = { key: () => 'order 7' };
    await cutOff(one, service, definition);
    service.hangs = false;
    await using runtime = await one.open({ ...definition, run: service.run });
    await held(runtime);
    await runtime.spawn('caller', { id: 'b', input: { amount: 7 } });
    await settled();
    expect((await runtime.holds.list()).map(({ agentId }) => agentId)).to.deep.equal(['a', 'b']);
    const other = await runtime.spawn('caller', { id: 'c', input: { amount: 8 } });
    expect(await other.result()).to.match(
      /^operations "c:.*" and "[ab]:.*" of activity "pay" have the key "order 7" and different inputs$/,
    );
    expect(service.calls).to.have.lengthOf(1);
  });

  it('is not reused for longer than its activity says', async () => {
    const one = world();
    let calls = 0;
    await using runtime = await one.open({ key: () => 'k', reuseMs: 1_000, run: () => (calls += 1) });
    const result = async (id: string): Promise<unknown> => (await runtime.spawn('caller', { id, input: 1 })).result();
    expect(await result('a')).to.equal(1);
    await one.clock.advance(999);
    expect(await result('b')).to.equal(1);
    await one.clock.advance(1);
    expect(await result('c')).to.equal(2);
  });

  it('is declared consistently, or refused', () => {
    const make = (definition: Definition) => () => activity({ name: 'pay', run: never, ...definition });
    for (const definition of [
      { onUnknown: 'maybe' as never },
      { onUnknown: 'reconcile' as const },
      { onUnknown: 'hold' as const, reconcile: () => ({ outcome: 'unknown' }) as const },
      { reconcile: 7 as never },
      { reuseMs: 5 },
      { key: () => 'k', reuseMs: -1 },
    ]) {
      expect(make(definition)).to.throw().with.property('code', 'BAD_INPUT');
    }
  });
});

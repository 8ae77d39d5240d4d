import { expect } from 'chai';
import { assign, setup, type AnyActorLogic } from 'xstate';
import {
  activity,
  compensation,
  createRuntime,
  fleet,
  memory,
  supervisor,
  type ActivityDefinition,
  type Alert,
  type ResultOptions,
  type Runtime,
  type RuntimeEvent,
  type Store,
} from 'statewarden';
import { memoryArtifacts, type ArtifactPointer, type ArtifactStore } from 'statewarden/artifacts';
import { failing } from '../bad-input/failing.js';
import { caller } from '../runtime/caller.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';

type Definition = Partial<ActivityDefinition<unknown, unknown>>;

/** Encoded it is larger than what is kept in the ledger here. */
const large = 'x'.repeat(2_000);
const inlineBytes = 1_000;
const by = { by: 'ada' };

/** What the artifact store is to do at the next puts and gets; a real one behind it does it. */
class Troubled implements ArtifactStore {
  readonly name = 'troubled';
  readonly inner: ArtifactStore;
  readonly puts: string[] = [];
  putFaults: (Error | 'hang' | 'other' | undefined)[] = [];
  getFaults: Error[] = [];
  release: () => void = () => undefined;

  constructor(inner: ArtifactStore) {
    this.inner = inner;
  }

  async put(content: Parameters<ArtifactStore['put']>[0]): Promise<ArtifactPointer> {
    const fault = this.putFaults.shift();
    this.puts.push(fault === undefined ? 'put' : fault instanceof Error ? 'failed' : fault);
    if (fault instanceof Error) throw fault;
    if (fault === 'hang') await new Promise<void>((resolve) => (this.release = resolve));
    return this.inner.put(fault === 'other' ? 'something else' : content);
  }

  async get(pointer: ArtifactPointer): Promise<Uint8Array> {
    const fault = this.getFaults.shift();
    if (fault !== undefined) throw fault;
    return this.inner.get(pointer);
  }

  read: ArtifactStore['read'] = (pointer) => this.inner.read(pointer);
  list: ArtifactStore['list'] = (page) => this.inner.list(page);
  remove: ArtifactStore['remove'] = (ids, notAfter) => this.inner.remove(ids, notAfter);
  close = (): Promise<void> => this.inner.close();

  async ids(): Promise<string[]> {
    return (await this.inner.list({ limit: 1_000 })).artifacts.map(({ id }) => id).sort();
  }

  /** Somebody else has removed them all. */
  async empty(): Promise<void> {
    await this.inner.remove(await this.ids(), Infinity);
  }
}

/** As `caller`, and stays when it has the result, which only its journal tells of until there is a checkpoint. */
function keeper(work: AnyActorLogic) {
  return setup({
    actors: { work },
    types: { context: {} as { result: unknown; error?: unknown }, events: {} as { type: 'NEXT' | 'BREAK' } },
  }).createMachine({
    id: 'keeper',
    context: { result: undefined },
    initial: 'calling',
    states: {
      calling: {
        invoke: {
          src: 'work',
          onDone: { target: 'got', actions: assign({ result: ({ event }) => event.output as unknown }) },
          onError: { target: 'got', actions: assign({ error: ({ event }) => event.error }) },
        },
      },
      got: {
        on: {
          NEXT: 'end',
          BREAK: {
            actions: () => {
              throw new Error('broken');
            },
          },
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }: { context: { result: unknown } }) => context.result,
  });
}

interface World {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly artifacts: Troubled;
  readonly alerts: Alert[];
  open(definition: Definition, results?: ResultOptions): Promise<Runtime>;
}

async function world(): Promise<World> {
  const store = memory();
  const clock = new ManualClock();
  const alerts: Alert[] = [];
  const artifacts = new Troubled(await memoryArtifacts().open({ now: () => clock.now() }));
  return {
    store,
    clock,
    artifacts,
    alerts,
    open: async (definition, results = { artifacts, inlineBytes }) => {
      const work = activity({ name: 'fetch', run: () => large, onUnknown: 'retry', ...definition } as ActivityDefinition<unknown, unknown>);
      return (await createRuntime({
        store,
        clock,
        results,
        alerts: [(alert) => void alerts.push(alert)],
        agents: { caller: { machine: caller(work), version: 1 }, keeper: { machine: keeper(work), version: 1 } },
      })) as unknown as Runtime;
    },
  };
}

async function rows(runtime: Runtime, id = 'a') {
  const [record] = await runtime.store.lookup([id]);
  return runtime.store.operations(record?.key ?? 0);
}
async function line(runtime: Runtime, id = 'a') {
  const [row] = await rows(runtime, id);
  if (row === undefined) throw new Error('the ledger is empty');
  return row;
}
const errorIn = (text: string | undefined): { name: string; message: string } =>
  (JSON.parse(text ?? 'null') as { v: { name: string; message: string } }).v;

function phases(runtime: Runtime): string[] {
  const seen: string[] = [];
  runtime.events$.subscribe((event: RuntimeEvent) => event.type === 'activity' && seen.push(event.phase));
  return seen;
}

describe('the result of an activity', () => {
  it('stays in the ledger when it is small, to the byte', async () => {
    const one = await world();
    const run = (input: unknown): unknown => input;
    await using runtime = await one.open({ run });
    // Two bytes are the quotes; é takes two.
    for (const [id, input, artifact] of [
      ['a', 'x'.repeat(998), false],
      ['b', 'x'.repeat(999), true],
      ['c', 'é'.repeat(499), false],
      ['d', `é${'x'.repeat(997)}`, true],
    ] as const) {
      await runtime.spawn('caller', { id, input });
      expect(await runtime.agent(id).result()).to.equal(input);
      expect((await line(runtime, id)).artifact !== undefined, id).to.equal(artifact);
    }
    expect(await one.artifacts.ids()).to.have.lengthOf(2);
  });

  it('is an artifact when it is large: the machine has the value, the ledger a pointer', async () => {
    const one = await world();
    await using runtime = await one.open({});
    const seen = phases(runtime);
    await runtime.spawn('caller', { id: 'a' });
    expect(await runtime.agent('a').result()).to.equal(large);
    const { artifact, outcome, status } = await line(runtime);
    const pointer = JSON.parse(outcome ?? '') as ArtifactPointer;
    expect(status).to.equal('succeeded');
    expect(pointer).to.have.all.keys('id', 'bytes', 'checksum').and.include({ id: artifact, bytes: 2_002 });
    expect(Buffer.from(await one.artifacts.get(pointer)).toString()).to.equal(JSON.stringify(large));
    expect(seen).to.deep.equal(['started', 'succeeded']);
    expect(one.artifacts.puts).to.deep.equal(['put']);
  });

  it('stays in the ledger, however large it may be, without an artifact store', async () => {
    const one = await world();
    await using runtime = await one.open({ run: () => 'x'.repeat(1_048_574) }, {});
    await runtime.spawn('caller', { id: 'a' });
    expect(await runtime.agent('a').result()).to.have.lengthOf(1_048_574);
    expect((await line(runtime)).artifact).to.equal(undefined);
    await using other = await one.open({ run: () => 'x'.repeat(1_048_575) }, {});
    await other.spawn('caller', { id: 'b' });
    expect(await other.agent('b').result()).to.include('1048577 bytes');
  });

  describe('that only the journal tells of', () => {
    const life = async (one: World): Promise<void> => {
      const runtime = await one.open({});
      await runtime.spawn('keeper', { id: 'a' });
      await settled();
      const loaded = await runtime.store.inspect('a');
      expect(loaded?.tail.length).to.be.greaterThan(0);
      expect(loaded?.operations.map(({ artifact }) => artifact)).to.deep.equal(await one.artifacts.ids());
      await runtime.close();
    };
    const never = (): never => {
      throw new Error('it is run again');
    };

    it('is read before the replay', async () => {
      const one = await world();
      await life(one);
      await using runtime = await one.open({ run: never });
      await runtime.agent('a').send({ type: 'NEXT' } as never);
      expect(await runtime.agent('a').result()).to.equal(large);
    });

    it('is asked for again while the artifact store is away', async () => {
      const one = await world();
      await life(one);
      await using runtime = await one.open({ run: never });
      one.artifacts.getFaults = [new Error('away'), new Error('away')];
      const told = runtime.agent('a').send({ type: 'NEXT' } as never);
      await one.clock.advance(1_000);
      await told;
      expect(await runtime.agent('a').result()).to.equal(large);
      expect(one.artifacts.getFaults).to.have.lengthOf(0);
    });

    it('parks its agent when it is gone, which loses nothing and goes on when it is back', async () => {
      const one = await world();
      await life(one);
      const [id = ''] = await one.artifacts.ids();
      await one.artifacts.empty();
      const parked = await one.open({ run: never });
      const error = await failing('ARTIFACT_MISSING', () => parked.agent('a').send({ type: 'NEXT' } as never));
      expect(error.message).to.include(id);
      expect((await parked.store.lookup(['a']))[0]).to.include({ status: 'parked' });
      await parked.close();
      await one.artifacts.put(JSON.stringify(large));
      await using runtime = await one.open({ run: never });
      await runtime.agent('a').send({ type: 'NEXT' } as never);
      expect(await runtime.agent('a').result()).to.equal(large);
    });

    it('parks its agent when there is no artifact store any more, and says what is missing', async () => {
      const one = await world();
      await life(one);
      await using runtime = await one.open({ run: never }, {});
      const error = await failing('ARTIFACT_MISSING', () => runtime.agent('a').send({ type: 'NEXT' } as never));
      expect(error.hint).to.include('results: { artifacts }');
    });

    for (const [how, disturb] of [
      ['restarts', (runtime: Runtime, member: string) => runtime.agent(member).send({ type: 'BREAK' } as never)],
      ['renews', (runtime: Runtime) => runtime.fleet('team').roll()],
    ] as const) {
      it(`comes back also with an agent that its supervisor ${how}`, async () => {
        const one = await world();
        await using runtime = await one.open({});
        await runtime.supervise(supervisor({ id: 'top', children: [fleet('team', { kind: 'keeper', size: 1 })] }) as never);
        await settled();
        const [member = ''] = (await runtime.store.list({ kind: 'keeper', limit: 10 })).map(({ id }) => id);
        expect((await runtime.store.inspect(member))?.tail.length).to.be.greaterThan(0);
        const recovered: unknown[] = [];
        runtime.events$.subscribe((event) => event.type === 'suspended' && recovered.push(event.agentId));
        await Promise.all([disturb(runtime, member), one.clock.advance(5_000)]);
        expect(recovered).to.deep.equal([member]);
        expect((await runtime.agent(member).snapshot()) as unknown).to.deep.include({ context: { result: large } });
        expect(await rows(runtime, member)).to.have.lengthOf(1);
      });
    }
  });

  describe('that cannot be put', () => {
    it('is put again after growing waits, for as long as it takes; the activity is not run again', async () => {
      const one = await world();
      let runs = 0;
      await using runtime = await one.open({ run: () => ((runs += 1), large), timeoutMs: 50, retry: { attempts: 1, deadlineMs: 60_000 } });
      const seen = phases(runtime);
      one.artifacts.putFaults = Array.from({ length: 9 }, (_, n) => (n === 3 ? 'other' : new Error('disk full')));
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      expect((await line(runtime)).settledIn).to.equal(0);
      await one.clock.advance(300_000);
      expect(await runtime.agent('a').result()).to.equal(large);
      expect(runs).to.equal(1);
      expect(seen).to.deep.equal(['started', ...Array.from({ length: 9 }, () => 'keeping'), 'succeeded']);
      expect(one.artifacts.puts).to.have.lengthOf(10);
    });

    it('is waited for when the runtime is closed', async () => {
      const one = await world();
      const runtime = await one.open({});
      one.artifacts.putFaults = ['hang'];
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      const closing = runtime.close({ graceMs: 1_000 });
      await settled();
      one.artifacts.release();
      await closing;
      await using again = await one.open({ run: () => 'run again' });
      expect(await again.agent('a').result()).to.equal(large);
    });

    it('leaves a call whose outcome is unknown when the runtime does not wait', async () => {
      const one = await world();
      let runs = 0;
      const definition: Definition = { run: () => ((runs += 1), large), onUnknown: 'hold' };
      const runtime = await one.open(definition);
      one.artifacts.putFaults = [new Error('away')];
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      await runtime.close({ graceMs: 0 });
      expect(one.clock.armed).to.equal(0);
      await using again = await one.open(definition);
      await settled();
      expect((await again.holds.list()).map(({ error }) => (error as { code?: string } | undefined)?.code)).to.deep.equal([
        'OUTCOME_UNKNOWN',
      ]);
      expect(runs).to.equal(1);
    });

    it('is unknown when nobody wants it any more, for it was carried out', async () => {
      const one = await world();
      await using runtime = await one.open({ onUnknown: 'hold' });
      one.artifacts.putFaults = [new Error('away')];
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      await runtime.agent('a').send({ type: 'LEAVE' } as never);
      expect((await line(runtime)).status).to.equal('unknown');
      await one.clock.advance(60_000);
      expect(one.artifacts.puts).to.deep.equal(['failed']);
    });
  });

  describe('for another operation with its key', () => {
    const keyed = (runs: { count: number }, more: Definition = {}): Definition => ({
      key: () => 'k',
      run: () => {
        runs.count += 1;
        return large;
      },
      ...more,
    });

    it('is taken from the artifact store, put again, and pointed to by both', async () => {
      const one = await world();
      const runs = { count: 0 };
      await using runtime = await one.open(keyed(runs));
      for (const id of ['a', 'b']) {
        await runtime.spawn('caller', { id });
        expect(await runtime.agent(id).result()).to.equal(large);
      }
      expect(runs.count).to.equal(1);
      const [first, second] = [await line(runtime, 'a'), await line(runtime, 'b')];
      expect(second).to.include({ artifact: first.artifact, outcome: first.outcome, userKey: 'k', settledAt: first.settledAt });
      expect(one.artifacts.puts).to.deep.equal(['put', 'put']);
    });

    it('is waited for while it is put', async () => {
      const one = await world();
      const runs = { count: 0 };
      await using runtime = await one.open(keyed(runs));
      one.artifacts.putFaults = ['hang'];
      await runtime.spawn('caller', { id: 'a' });
      await runtime.spawn('caller', { id: 'b' });
      await settled();
      expect(one.artifacts.puts).to.deep.equal(['hang']);
      one.artifacts.release();
      expect(await Promise.all(['a', 'b'].map((id) => runtime.agent(id).result()))).to.deep.equal([large, large]);
      expect(runs.count).to.equal(1);
    });

    it('is asked for again while the artifact store is away', async () => {
      const one = await world();
      const runs = { count: 0 };
      await using runtime = await one.open(keyed(runs));
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      one.artifacts.getFaults = Array.from({ length: 8 }, () => new Error('away'));
      await runtime.spawn('caller', { id: 'b' });
      await one.clock.advance(120_000);
      expect(await runtime.agent('b').result()).to.equal(large);
      expect(runs.count).to.equal(1);
    });

    it('is made again when it is gone and the activity may be run twice', async () => {
      const one = await world();
      const runs = { count: 0 };
      await using runtime = await one.open(keyed(runs));
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      await one.artifacts.empty();
      await runtime.spawn('caller', { id: 'b' });
      expect(await runtime.agent('b').result()).to.equal(large);
      expect(runs.count).to.equal(2);
    });

    it('holds what must not be run twice when it is gone; a person says', async () => {
      const one = await world();
      const runs = { count: 0 };
      await using runtime = await one.open(keyed(runs, { onUnknown: 'hold' }));
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      await one.artifacts.empty();
      for (const id of ['b', 'c']) await runtime.spawn('caller', { id });
      await settled();
      const [b, c] = await runtime.holds.list();
      expect([b, c].map((hold) => [hold?.agentId, (hold?.error as { code?: string } | undefined)?.code])).to.deep.equal([
        ['b', 'ARTIFACT_MISSING'],
        ['c', 'ARTIFACT_MISSING'],
      ]);
      expect(runs.count).to.equal(1);
      await runtime.holds.done(b?.operationId ?? '', 'by hand', by);
      expect(await runtime.agent('b').result()).to.equal('by hand');
      await runtime.holds.retry(c?.operationId ?? '', by);
      await settled();
      // It has the answer that a person gave to the other one.
      expect(await runtime.agent('c').result()).to.equal('by hand');
      await one.artifacts.empty();
    });

    it('is run when a person says so although one is gone', async () => {
      const one = await world();
      const runs = { count: 0 };
      await using runtime = await one.open(keyed(runs, { onUnknown: 'hold' }));
      await runtime.spawn('caller', { id: 'a' });
      await settled();
      await one.artifacts.empty();
      await runtime.spawn('caller', { id: 'b' });
      await settled();
      const [hold] = await runtime.holds.list();
      await runtime.holds.retry(hold?.operationId ?? '', by);
      expect(await runtime.agent('b').result()).to.equal(large);
      expect(runs.count).to.equal(2);
    });
  });

  describe('that is too large', () => {
    it('fails its machine with what to do, and is unknown in the ledger, for it was carried out', async () => {
      const one = await world();
      let runs = 0;
      const run = (): unknown => ((runs += 1), large);
      await using runtime = await one.open({ run }, { artifacts: one.artifacts, inlineBytes, maximumBytes: 2_001 });
      const seen = phases(runtime);
      await runtime.spawn('keeper', { id: 'a' });
      await settled();
      const { context } = (await runtime.agent('a').snapshot()) as unknown as {
        context: { error: { code: string; message: string; hint: string } };
      };
      expect(context.error).to.include({ code: 'RESULT_TOO_LARGE' });
      expect(context.error.message).to.include('2002 bytes').and.include('2001 bytes').and.include('"fetch"');
      expect(context.error.hint).to.include('results.maximumBytes');
      const row = await line(runtime);
      expect(row).to.include({ status: 'unknown', artifact: undefined });
      expect(errorIn(row.outcome).name).to.equal('ResultTooLargeError');
      expect((await runtime.holds.list({ unknown: true })).map(({ operationId }) => operationId)).to.deep.equal([row.id]);
      expect([runs, seen]).to.deep.equal([1, ['started', 'unknown']]);
      expect(one.artifacts.puts).to.deep.equal([]);
    });

    it('is taken to the byte', async () => {
      const one = await world();
      await using runtime = await one.open({}, { artifacts: one.artifacts, inlineBytes, maximumBytes: 2_002 });
      await runtime.spawn('caller', { id: 'a' });
      expect(await runtime.agent('a').result()).to.equal(large);
    });
  });

  it('is unknown in the ledger when it cannot be written down, whoever made it', async () => {
    const one = await world();
    await using runtime = await one.open({ run: () => ({ socket: () => 1 }) });
    await runtime.spawn('caller', { id: 'a' });
    expect(await runtime.agent('a').result()).to.include('socket is a function');
    const row = await line(runtime);
    expect(row.status).to.equal('unknown');
    expect(errorIn(row.outcome).name).to.equal('NotSerializableError');
  });

  it('that cannot be kept has cost its budget all that was held for it', async () => {
    const one = await world();
    const work = activity({
      name: 'fetch',
      onUnknown: 'retry',
      run: () => large,
      budget: { name: 'tokens', amount: 7, actual: () => 3 },
    });
    await using runtime = await createRuntime({
      store: one.store,
      clock: one.clock,
      budgets: { tokens: { limit: 100 } },
      results: { maximumBytes: 100 },
      agents: { caller: { machine: caller(work), version: 1 } },
    });
    await runtime.spawn('caller', { id: 'a', input: 1 });
    await runtime.agent('a').result();
    await settled();
    expect(await runtime.budget('tokens').status()).to.include({ spent: 7, reserved: 0 });
  });
});

describe('a saga', () => {
  /** Takes its one step, then undoes it: on `UNDO`, or when it fails. */
  const flow = (step: AnyActorLogic) =>
    setup({
      actors: { step, undo: compensation() },
      types: { context: {} as { got?: unknown; why?: string }, events: {} as { type: 'UNDO' } },
    }).createMachine({
      id: 'flow',
      context: {},
      initial: 'booking',
      states: {
        booking: { invoke: { src: 'step', onDone: 'booked', onError: 'undoing' } },
        booked: { on: { UNDO: 'undoing' } },
        undoing: {
          invoke: {
            src: 'undo',
            id: 'undo',
            onDone: 'end',
            onError: { target: 'end', actions: assign({ why: ({ event }) => (event.error as Error).message }) },
          },
        },
        end: { type: 'final' },
      },
      output: ({ context }) => context.why ?? 'undone',
    });
  const open = async (one: World, step: Definition, results: ResultOptions = { artifacts: one.artifacts, inlineBytes }) =>
    (await createRuntime({
      store: one.store,
      clock: one.clock,
      results,
      alerts: [(alert) => void one.alerts.push(alert)],
      agents: {
        flow: {
          machine: flow(activity({ name: 'book', onUnknown: 'hold', run: () => large, ...step } as ActivityDefinition<unknown, unknown>)),
          version: 1,
        },
      },
    })) as unknown as Runtime;
  const begin = async (runtime: Runtime): Promise<void> => {
    await runtime.spawn('flow', { id: 'a' });
    await settled();
  };
  const undo = async (runtime: Runtime): Promise<void> => {
    await runtime.agent('a').send({ type: 'UNDO' } as never);
    await settled();
  };

  it('undoes a step with its result, wherever that is kept', async () => {
    const one = await world();
    const given: unknown[] = [];
    await using runtime = await open(one, { compensate: (_, output) => void given.push(output) });
    await begin(runtime);
    const { artifact } = await line(runtime);
    await undo(runtime);
    expect(await runtime.agent('a').result()).to.equal('undone');
    expect(given).to.deep.equal([large]);
    expect((await rows(runtime)).find(({ activity: name }) => name === 'book')).to.include({ status: 'compensated', artifact });
  });

  it('waits for a person when the result is gone that it needs, and goes on when it is back', async () => {
    const one = await world();
    const given: unknown[] = [];
    await using runtime = await open(one, { compensate: (_, output) => void given.push(output) });
    await begin(runtime);
    await one.artifacts.empty();
    await undo(runtime);
    expect(one.alerts.map(({ alert }) => alert)).to.deep.equal(['compensation-failed']);
    expect(one.alerts[0]?.message).to.include('artifact');
    expect(given).to.deep.equal([]);
    await one.artifacts.put(JSON.stringify(large));
    const [hold] = await runtime.holds.list();
    await runtime.holds.retry(hold?.operationId ?? '', by);
    expect(await runtime.agent('a').result()).to.equal('undone');
    expect(given).to.deep.equal([large]);
  });

  for (const [what, run, code] of [
    ['too large', () => 'x'.repeat(5_000), 'RESULT_TOO_LARGE'],
    ['not to be written down', () => () => 1, 'NOT_SERIALIZABLE'],
  ] as const) {
    const limits = (one: World): ResultOptions => ({ artifacts: one.artifacts, inlineBytes, maximumBytes: 4_000 });

    it(`does not lose a step whose result is ${what}: the outside says what is to be undone`, async () => {
      const one = await world();
      const given: unknown[] = [];
      const reconcile = () => ({ outcome: 'done', result: large }) as const;
      await using runtime = await open(
        one,
        { run, onUnknown: 'reconcile', reconcile, compensate: (_, output) => void given.push(output) },
        limits(one),
      );
      await begin(runtime);
      expect(await runtime.agent('a').result()).to.equal('undone');
      expect(given).to.deep.equal([large]);
      const book = (await rows(runtime)).find(({ activity: name }) => name === 'book');
      expect(book?.status).to.equal('compensated');
      expect(await runtime.store.hasArtifacts(await one.artifacts.ids())).to.deep.equal([true]);
      expect(book?.artifact).to.equal((await one.artifacts.ids())[0]);
    });

    it(`does not lose a step whose result is ${what}: a person says what is to be undone, when the outside says the same`, async () => {
      const one = await world();
      const given: unknown[] = [];
      const reconcile = () => ({ outcome: 'done', result: run() }) as const;
      await using runtime = await open(
        one,
        { run, onUnknown: 'reconcile', reconcile, compensate: (_, output) => void given.push(output) },
        limits(one),
      );
      await begin(runtime);
      const [hold] = await runtime.holds.list();
      expect((hold?.error as { cause?: { code?: string } } | undefined)?.cause?.code).to.equal(code);
      await runtime.holds.done(hold?.operationId ?? '', { booking: 7 }, by);
      expect(await runtime.agent('a').result()).to.equal('undone');
      expect(given).to.deep.equal([{ booking: 7 }]);
    });

    it(`does not lose a step whose result is ${what}, and that may be run again, either`, async () => {
      const one = await world();
      const given: unknown[] = [];
      await using runtime = await open(one, { run, onUnknown: 'retry', compensate: (_, output) => void given.push(output) }, limits(one));
      await begin(runtime);
      const [hold] = await runtime.holds.list();
      await runtime.holds.done(hold?.operationId ?? '', 'booking 7', by);
      expect(await runtime.agent('a').result()).to.equal('undone');
      expect(given).to.deep.equal(['booking 7']);
    });
  }
});

describe('the upkeep of results', () => {
  const hour = 3_600_000;

  it('removes what nothing points to after the grace, and nothing else', async () => {
    const one = await world();
    await using runtime = await one.open({ run: (input) => `${large}${String(input)}` });
    for (const id of ['a', 'b']) {
      await runtime.spawn('caller', { id, input: id });
      await runtime.agent(id).result();
    }
    const needed = await one.artifacts.ids();
    const stray = await one.artifacts.put('nobody wants it');
    await one.clock.advance(60_000);
    expect(await one.artifacts.ids()).to.deep.equal([...needed, stray.id].sort());
    await one.clock.advance(2 * hour);
    expect(await one.artifacts.ids()).to.deep.equal(needed);
  });

  it('leaves what somebody else needs', async () => {
    const one = await world();
    const mine = await one.artifacts.put('mine');
    const stray = await one.artifacts.put('nobody wants it');
    const reachable = async (ids: readonly string[]): Promise<boolean[]> => ids.map((id) => id === mine.id);
    await using runtime = await one.open({}, { artifacts: one.artifacts, reachable });
    await one.clock.advance(2 * hour);
    expect(stray.id).to.not.equal(mine.id);
    expect(await one.artifacts.ids()).to.deep.equal([mine.id]);
    await runtime.close();
    expect(one.clock.armed).to.equal(0);
  });

  it('forgets results that are too old, then removes their artifacts; they are not reused', async () => {
    const one = await world();
    let runs = 0;
    const definition: Definition = { key: () => 'k', run: () => ((runs += 1), large) };
    await using runtime = await one.open(definition, { artifacts: one.artifacts, inlineBytes, lifetimeMs: 5 * hour });
    await runtime.spawn('caller', { id: 'a' });
    await runtime.agent('a').result();
    await one.clock.advance(4 * hour);
    await runtime.spawn('caller', { id: 'b' });
    await runtime.agent('b').result();
    expect(runs).to.equal(1);
    await one.clock.advance(2 * hour);
    expect(await line(runtime, 'a')).to.include({ status: 'succeeded', outcome: undefined, artifact: undefined, userKey: 'k' });
    // What the other one has from the first is as old as that.
    expect(await line(runtime, 'b')).to.include({ status: 'succeeded', outcome: undefined, artifact: undefined });
    expect(await one.artifacts.ids()).to.deep.equal([]);
    await runtime.spawn('caller', { id: 'c' });
    expect(await runtime.agent('c').result()).to.equal(large);
    expect(runs).to.equal(2);
    await one.clock.advance(8 * hour);
    expect(await one.artifacts.ids()).to.deep.equal([]);
    expect(await runtime.agent('a').result()).to.equal(large);
  });

  it('leaves results that only the journal of their agent tells of', async () => {
    const one = await world();
    const results = { artifacts: one.artifacts, inlineBytes, lifetimeMs: hour };
    const runtime = await one.open({}, results);
    await runtime.spawn('keeper', { id: 'a' });
    await settled();
    await one.clock.advance(5 * hour);
    expect(await one.artifacts.ids()).to.have.lengthOf(1);
    await runtime.close();
    await using again = await one.open({}, results);
    await again.agent('a').send({ type: 'NEXT' } as never);
    expect(await again.agent('a').result()).to.equal(large);
  });

  it('is done by one node for all, and by another one when that is gone', async () => {
    const one = await world();
    let lists = 0;
    const list: ArtifactStore['list'] = (page) => {
      lists += 1;
      return one.artifacts.inner.list(page);
    };
    one.artifacts.list = list;
    const [first, second, third] = [await one.open({}), await one.open({}), await one.open({})];
    await one.clock.advance(60_000);
    expect(lists).to.equal(1);
    await one.clock.advance(hour);
    expect(lists).to.equal(2);
    await first.close();
    await one.clock.advance(3 * hour);
    expect(lists).to.be.within(4, 5);
    expect((await second.store.notes('results/')).length).to.be.within(1, 2);
    await second.close();
    await third.close();
    expect(one.clock.armed).to.equal(0);
  });

  it('goes on with the next round when the store or the artifact store was away', async () => {
    const one = await world();
    const stray = await one.artifacts.put('nobody wants it');
    await using runtime = await one.open({});
    const told: string[] = [];
    runtime.events$.subscribe((event) => event.type === 'store' && told.push(event.error?.message ?? ''));
    const { list } = one.artifacts;
    one.artifacts.list = () => Promise.reject(new Error('away'));
    await one.clock.advance(90 * 60_000);
    expect(told).to.deep.equal(['away', 'away']);
    expect(await one.artifacts.ids()).to.deep.equal([stray.id]);
    one.artifacts.list = list;
    await one.clock.advance(hour);
    expect(await one.artifacts.ids()).to.deep.equal([]);
  });
});

import { expect } from 'chai';
import { createMachine, fromPromise, setup, type AnyStateMachine } from 'xstate';
import { createRuntime, memory, type KindDefinition, type RuntimeEvent, type SnapshotVersionError, type Store } from 'statewarden';
import { failing } from './failing.js';

const base = {
  id: 'order',
  context: { total: 1 },
  initial: 'open',
  states: { open: { on: { PAY: 'paid' } }, paid: { on: { SHIP: 'shipped' } }, shipped: {} },
};
/** The configuration above with changes in `paid`, the state that the agent is in. */
const withPaid = (paid: object, rest: object = {}): AnyStateMachine =>
  createMachine({ ...base, ...rest, states: { ...base.states, paid: { ...base.states.paid, ...paid } } } as never);
const old = createMachine(base);

/** A store in which agent "o" of `machine` is in `paid`, at rest. */
async function paidOrder(definition: KindDefinition = { machine: old, version: 1 }): Promise<Store> {
  const store = memory();
  await using runtime = await createRuntime({ store, agents: { order: definition } });
  const agent = await runtime.spawn('order', { id: 'o' });
  await agent.send({ type: 'PAY' });
  await agent.snapshot();
  return store;
}

const reopen = (store: Store, definition: KindDefinition) => createRuntime({ store, agents: { order: definition } });

describe('a checkpoint from a machine that changed under the same version', () => {
  const refused: readonly (readonly [string, AnyStateMachine, readonly string[]])[] = [
    ['the active state was removed', createMachine({ ...base, states: { open: {}, shipped: {} } }), ['state "paid" is gone']],
    ['the active state was renamed', createMachine({ ...base, states: { open: {}, settled: {}, shipped: {} } }), ['state "paid" is gone']],
    ['the active state became compound', withPaid({ initial: 'x', states: { x: {} } }), ['state "paid" was atomic and is compound']],
    [
      'the active state became parallel',
      withPaid({ type: 'parallel', states: { x: {}, y: {} } }),
      ['state "paid" was atomic and is parallel'],
    ],
    ['the active state became final', withPaid({ type: 'final', on: undefined }), ['state "paid" was atomic and is final']],
    [
      'an invoke was added to the active state',
      withPaid({ invoke: { src: fromPromise(async () => 1), id: 'ship' } }),
      ['state "paid": invoke "ship ← '],
    ],
    [
      'an invoke was added to the root',
      createMachine({ ...base, invoke: { src: fromPromise(async () => 1), id: 'watch' } }),
      ['the root: invoke "watch ← '],
    ],
    ['a delay was added to the active state', withPaid({ after: { 5_000: 'shipped' } }), ['state "paid": delay "5000" is new']],
    [
      'the context has a new key',
      withPaid({}, { context: { total: 1, currency: 'EUR' } }),
      ['context key "currency" is new and missing in the checkpoint'],
    ],
    [
      'several things changed: all are told',
      withPaid({ initial: 'x', states: { x: {} }, after: { 9: 'open' } }, { context: { total: 1, tax: 0 } }),
      [
        'state "paid" was atomic and is compound',
        'state "paid": delay "9" is new',
        'context key "tax" is new and missing in the checkpoint',
      ],
    ],
    [
      'the shape is another one altogether',
      createMachine({ id: 'order', type: 'parallel', states: { a: {}, b: {} } }),
      ['the root was compound and is parallel', 'state "paid" is gone', 'region "a" is new', 'region "b" is new'],
    ],
  ];
  for (const [what, machine, differences] of refused) {
    it(`parks the agent and says what differs: ${what}`, async () => {
      const store = await paidOrder();
      const before = await peek(store);
      {
        await using runtime = await reopen(store, { machine, version: 1 });
        const events: RuntimeEvent[] = [];
        runtime.events$.subscribe((event) => events.push(event));
        const agent = runtime.agent('o');
        const error = await failing<SnapshotVersionError>('SNAPSHOT_VERSION', () => agent.send({ type: 'SHIP' }));
        expect(error.differences).to.have.lengthOf(differences.length);
        for (const [index, line] of differences.entries()) expect(error.differences[index]).to.include(line);
        expect(error.message).to.include('"o"').and.include(differences[0]);
        expect(error.hint).to.match(/Raise agents\.order\.version to 2 and give migrations: \{ 2: /);
        for (const call of [
          () => agent.snapshot(),
          () => agent.result(),
          () => agent.ask({ type: 'SHIP' }),
          () => agent.stop(),
          () => agent.waitFor(() => true),
        ]) {
          await failing('SNAPSHOT_VERSION', call);
        }
        expect(events.some((event) => event.type === 'parked' && event.agentId === 'o')).to.equal(true);
        expect(events.some((event) => event.type === 'recovery' && event.outcome === 'parked')).to.equal(true);
        const [record] = await runtime.store.lookup(['o']);
        expect(record).to.include({ status: 'parked', sequenceNumber: 2 });
        expect(record?.outcome).to.include('does not fit');
      }
      // Nothing was reset: what was stored is stored, and the machine of before takes it again.
      expect(await peek(store)).to.deep.equal(before);
      await using runtime = await reopen(store, { machine: old, version: 1 });
      expect((await runtime.agent('o').snapshot()).value).to.equal('paid');
      await runtime.agent('o').send({ type: 'SHIP' });
      expect((await runtime.store.lookup(['o']))[0]?.status).to.equal('active');
    });
  }

  it('parks only the agents that it does not fit', async () => {
    const store = await paidOrder();
    {
      await using runtime = await reopen(store, { machine: old, version: 1 });
      await runtime.spawn('order', { id: 'still-open' });
    }
    await using runtime = await reopen(store, { machine: withPaid({ initial: 'x', states: { x: {} } }), version: 1 });
    await failing('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    expect((await runtime.agent('still-open').snapshot()).value).to.equal('open');
  });

  it('tells of a changed child machine', async () => {
    const parent = (child: AnyStateMachine): AnyStateMachine =>
      setup({ actors: { child } }).createMachine({ id: 'parent', invoke: { src: 'child', id: 'kid' } });
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents: { order: { machine: parent(createMachine(base)), version: 1 } } });
      await runtime.spawn('order', { id: 'o' });
    }
    await using runtime = await reopen(store, {
      machine: parent(createMachine({ ...base, initial: 'paid', states: { paid: {} } })),
      version: 1,
    });
    const { differences } = await failing<SnapshotVersionError>('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    expect(differences).to.deep.equal(['child "kid": state "open" is gone']);
  });

  const harmless: readonly (readonly [string, AnyStateMachine])[] = [
    ['a state that is not active was removed', createMachine({ ...base, states: { open: {}, paid: base.states.paid, shipped: {} } })],
    ['a state was added', createMachine({ ...base, states: { ...base.states, returned: {} } })],
    ['an event was added', withPaid({ on: { SHIP: 'shipped', REFUND: 'open' } })],
    [
      'an invoke was added to a state that is not active',
      createMachine({ ...base, states: { ...base.states, shipped: { invoke: { src: fromPromise(async () => 1) } } } }),
    ],
    ['another state became compound', createMachine({ ...base, states: { ...base.states, open: { initial: 'x', states: { x: {} } } } })],
    ['actions were added', withPaid({ entry: () => undefined, exit: () => undefined })],
  ];
  for (const [what, machine] of harmless) {
    it(`is taken when the difference is harmless: ${what}`, async () => {
      const store = await paidOrder();
      await using runtime = await reopen(store, { machine, version: 1 });
      await runtime.agent('o').send({ type: 'SHIP' });
      expect((await runtime.agent('o').snapshot()).value).to.equal('shipped');
    });
  }
});

describe('migrations', () => {
  const settled = createMachine({
    ...base,
    context: { total: 1, currency: 'EUR' },
    states: { open: {}, settled: { on: { SHIP: 'shipped' } }, shipped: {} },
  });
  const toSettled = (snapshot: { value: unknown; context: Record<string, unknown> }) => ({
    ...snapshot,
    value: snapshot.value === 'paid' ? 'settled' : snapshot.value,
    context: { ...snapshot.context, currency: 'EUR' },
  });

  it('lift an old checkpoint to the registered version', async () => {
    const store = await paidOrder();
    await using runtime = await reopen(store, { machine: settled, version: 2, migrations: { 2: toSettled } });
    const agent = runtime.agent('o');
    const snapshot = await agent.snapshot();
    expect([snapshot.value, snapshot.context]).to.deep.equal(['settled', { total: 1, currency: 'EUR' }]);
    await agent.send({ type: 'SHIP' });
    expect((await agent.snapshot()).value).to.equal('shipped');
  });

  it('run one after the other over several versions, and once', async () => {
    const store = await paidOrder();
    const steps: number[] = [];
    const migrations = Object.fromEntries(
      [2, 3, 4].map((step) => [
        step,
        (snapshot: { value: unknown; context: Record<string, unknown> }) => (steps.push(step), step === 3 ? toSettled(snapshot) : snapshot),
      ]),
    );
    for (let start = 0; start < 2; start += 1) {
      await using runtime = await reopen(store, { machine: settled, version: 4, migrations });
      await runtime.agent('o').send({ type: 'ANY' });
      await runtime.agent('o').snapshot();
    }
    expect(steps).to.deep.equal([2, 3, 4]);
  });

  it('lift an agent that was parked', async () => {
    const store = await paidOrder();
    {
      await using runtime = await reopen(store, { machine: settled, version: 1 });
      await failing('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    }
    await using runtime = await reopen(store, { machine: settled, version: 2, migrations: { 2: toSettled } });
    expect((await runtime.agent('o').snapshot()).value).to.equal('settled');
    expect((await runtime.store.lookup(['o']))[0]?.status).to.equal('active');
  });

  it('are asked for when the version was raised without one', async () => {
    const store = await paidOrder();
    await using runtime = await reopen(store, { machine: settled, version: 2 });
    const error = await failing<SnapshotVersionError>('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    expect(error.hint).to.include('migrations[2]');
  });

  it('park the agent when one throws, and keep the cause', async () => {
    const store = await paidOrder();
    await using runtime = await reopen(store, {
      machine: settled,
      version: 2,
      migrations: {
        2: () => {
          throw new Error('no such order');
        },
      },
    });
    const error = await failing<SnapshotVersionError>('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    expect(error.differences[0]).to.include('migration 2 threw').and.include('no such order');
    expect((error.cause as Error).message).to.equal('no such order');
  });

  it('park the agent when the result does not fit either', async () => {
    const store = await paidOrder();
    await using runtime = await reopen(store, { machine: settled, version: 2, migrations: { 2: (snapshot) => snapshot } });
    const error = await failing<SnapshotVersionError>('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    expect(error.differences).to.deep.equal(['state "paid" is gone']);
  });

  it('park the agent when the result is no snapshot at all', async () => {
    const store = await paidOrder();
    for (const made of [undefined, null, {}, 7, { value: 'settled' }]) {
      await using runtime = await reopen(store, { machine: settled, version: 2, migrations: { 2: () => made as never } });
      await failing('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    }
  });

  it('cannot be given to what a newer version wrote: the agent is parked', async () => {
    const store = await paidOrder({ machine: old, version: 3 });
    await using runtime = await reopen(store, { machine: old, version: 2 });
    const error = await failing<SnapshotVersionError>('SNAPSHOT_VERSION', () => runtime.agent('o').snapshot());
    expect(error.differences).to.deep.equal(['it was written by the newer version 3']);
    expect(error.hint).to.equal('Register the newer machine again.');
  });
});

describe('an agent whose kind is not registered any more', () => {
  it('is left as it is, and every call says which kinds are registered', async () => {
    const store = await paidOrder();
    {
      await using runtime = await createRuntime({ store, agents: { other: { machine: createMachine({}), version: 1 } } });
      const error = await failing('UNKNOWN_KIND', () => runtime.agent('o').send({ type: 'SHIP' } as never));
      expect(error.hint).to.include('"other"');
    }
    await using runtime = await reopen(store, { machine: old, version: 1 });
    expect((await runtime.agent('o').snapshot()).value).to.equal('paid');
  });
});

/** Checkpoint, journal and input as they stand in the store. */
async function peek(store: Store): Promise<unknown> {
  const opened = await store.open({ now: () => 0 });
  const agent = await opened.inspect('o');
  await opened.close();
  return [agent?.checkpoint, agent?.tail, agent?.input];
}

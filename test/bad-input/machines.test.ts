import { expect } from 'chai';
import { assign, createMachine, enqueueActions, fromCallback, fromPromise, setup, spawnChild, type AnyStateMachine } from 'xstate';
import { createRuntime, memory } from 'statewarden';
import { failing } from './failing.js';

const work = fromPromise(async () => 1);
const start = (machine: unknown) =>
  createRuntime({ store: memory(), agents: { bad: { machine: machine as AnyStateMachine, version: 1 } } });

describe('a machine that spawns a child from inline logic', () => {
  const refused: readonly (readonly [string, AnyStateMachine, string])[] = [
    ['in the entry of the root', createMachine({ id: 'm', entry: spawnChild(fromPromise(async () => 1)) }), 'machine "m"'],
    ['in the entry of a state', createMachine({ id: 'm', initial: 'a', states: { a: { entry: spawnChild(work) } } }), 'state "a"'],
    ['in the exit of a state', createMachine({ id: 'm', initial: 'a', states: { a: { exit: [spawnChild(work)] } } }), 'state "a"'],
    [
      'in a transition',
      createMachine({ id: 'm', initial: 'a', states: { a: { on: { GO: { actions: spawnChild(fromCallback(() => undefined)) } } } } }),
      'state "a"',
    ],
    [
      'in one of several transitions',
      createMachine({ id: 'm', initial: 'a', states: { a: { on: { GO: [{ guard: () => false }, { actions: [spawnChild(work)] }] } } } }),
      'state "a"',
    ],
    [
      'after a delay',
      createMachine({ id: 'm', initial: 'a', states: { a: { after: { 5: { actions: spawnChild(work) } } } } }),
      'state "a"',
    ],
    [
      'in an always transition',
      createMachine({ id: 'm', initial: 'a', states: { a: { always: { target: 'b', actions: spawnChild(work) } }, b: {} } }),
      'state "a"',
    ],
    [
      'in the onDone of an invoke',
      createMachine({ id: 'm', initial: 'a', states: { a: { invoke: { src: work, onDone: { actions: spawnChild(work) } } } } }),
      'state "a"',
    ],
    [
      'in a nested state',
      createMachine({
        id: 'm',
        initial: 'a',
        states: { a: { initial: 'b', states: { b: { initial: 'c', states: { c: { entry: spawnChild(work) } } } } } },
      }),
      'state "a.b.c"',
    ],
    [
      'with another machine as the child',
      createMachine({ id: 'm', initial: 'a', states: { a: { entry: spawnChild(createMachine({})) } } }),
      'state "a"',
    ],
    [
      'inside an assign',
      createMachine({ id: 'm', initial: 'a', states: { a: { entry: assign({ ref: ({ spawn }) => spawn(fromPromise(async () => 1)) }) } } }),
      'state "a"',
    ],
    [
      'inside an assign of the whole context',
      createMachine({
        id: 'm',
        initial: 'a',
        states: {
          a: {
            on: {
              GO: {
                actions: assign(({ spawn }: { spawn: (logic: unknown) => unknown }) => ({
                  ref: spawn(fromPromise(async () => 1)),
                })) as never,
              },
            },
          },
        },
      }),
      'state "a"',
    ],
    [
      'inside enqueueActions',
      createMachine({
        id: 'm',
        initial: 'a',
        states: { a: { entry: enqueueActions(({ enqueue }) => enqueue.spawnChild(fromPromise(async () => 1))) } },
      }),
      'state "a"',
    ],
    [
      'in the context factory',
      createMachine({
        id: 'm',
        context: (({ spawn }: { spawn: (logic: unknown) => unknown }) => ({ ref: spawn(fromPromise(async () => 1)) })) as never,
      }) as unknown as AnyStateMachine,
      'the context factory',
    ],
    [
      'in a named action',
      setup({ actions: { hire: spawnChild(work) as never } }).createMachine({ id: 'm', entry: 'hire' as never }),
      'action "hire"',
    ],
    [
      'in a registered child machine',
      setup({ actors: { child: createMachine({ id: 'kid', initial: 'a', states: { a: { entry: spawnChild(work) } } }) } }).createMachine({
        id: 'm',
      }),
      'machine "kid": state "a"',
    ],
    [
      'in an inline invoked machine',
      createMachine({ id: 'm', invoke: { src: createMachine({ id: 'kid', entry: spawnChild(work) }) } }),
      'machine "kid"',
    ],
  ];
  for (const [where, machine, place] of refused) {
    it(`is refused when it is registered: ${where}`, async () => {
      const error = await failing('UNSUPPORTED_MACHINE', () => start(machine));
      expect(error.message).to.include(place);
      expect(error.message).to.include('spawns a child from inline logic');
      expect(error.hint).to.include('setup({ actors: { worker } })');
    });
  }

  it('is refused when it happens, if the logic hides behind a variable: the turn fails and says where', async () => {
    const hidden = { logic: fromPromise(async () => 1) };
    const machine = setup({ types: { context: {} as { ref?: unknown }, events: {} as { type: 'GO' } } }).createMachine({
      id: 'm',
      context: {},
      initial: 'a',
      states: {
        a: {
          on: {
            GO: { target: 'b', actions: assign({ ref: ({ spawn }) => (spawn as unknown as (logic: unknown) => unknown)(hidden.logic) }) },
          },
        },
        b: {},
      },
    });
    await using runtime = await start(machine);
    const agent = await runtime.spawn('bad', { id: 'x' });
    await agent.send({ type: 'GO' });
    const { cause } = await failing('AGENT_FAILED', () => agent.result());
    expect(cause).to.include({ name: 'UnsupportedMachineError' });
    expect((cause as Error).message).to.match(/machine "m" spawned child "x:\d+" in state "b" from inline logic/);
  });

  it('may spawn by name, and invoke inline logic', async () => {
    const machine = setup({ actors: { work } }).createMachine({
      initial: 'a',
      states: {
        a: { entry: spawnChild('work', { id: 'w' }), invoke: { src: fromPromise(async () => 2), onDone: 'b' } },
        b: { type: 'final' },
      },
    });
    await using runtime = await start(machine);
    await (await runtime.spawn('bad', { id: 'x' })).result();
  });
});

describe('what is registered as a kind', () => {
  const version = 1;
  const machine = createMachine({});
  const bad: readonly (readonly [string, unknown, string])[] = [
    ['has no machine', { version }, 'agents.bad.machine is not an XState machine'],
    [
      'has a machine’s configuration in place of the machine',
      { machine: { initial: 'a', states: { a: {} } }, version },
      'agents.bad.machine is not an XState machine',
    ],
    ['has a promise’s logic in place of the machine', { machine: work, version }, 'agents.bad.machine is not an XState machine'],
    ['is nothing', undefined, 'agents.bad'],
    ['has no version', { machine }, 'agents.bad.version is undefined'],
    ['has version 0', { machine, version: 0 }, 'agents.bad.version is 0'],
    ['has a version that is no whole number', { machine, version: 1.5 }, 'agents.bad.version is 1.5'],
    ['has a version that is a string', { machine, version: '1' }, 'agents.bad.version is 1'],
    ['has an unknown timer policy', { machine, version, timers: 'never' }, 'agents.bad.timers is "never"'],
    ['has a checkpoint threshold of 0', { machine, version, checkpoints: { everyEvents: 0 } }, 'agents.bad.checkpoints.everyEvents is 0'],
    ['has a checkpoint policy that is unknown', { machine, version, checkpoints: 'sometimes' }, 'agents.bad.checkpoints'],
    ['has a migration that is no function', { machine, version: 2, migrations: { 2: 'lift' } }, 'agents.bad.migrations'],
  ];
  for (const [name, definition, message] of bad) {
    it(`is refused when it ${name}`, async () => {
      const error = await failing('BAD_INPUT', () => createRuntime({ store: memory(), agents: { bad: definition as never } }));
      expect(error.message).to.include(message);
    });
  }

  it('is looked at before the store is opened', async () => {
    let opened = false;
    const store = {
      name: 's',
      capabilities: { durable: true, shared: true },
      open: () => ((opened = true), Promise.reject(new Error('opened'))),
    };
    await failing('BAD_INPUT', () => createRuntime({ store, agents: { bad: { machine, version: 0 } } }));
    expect(opened).to.equal(false);
  });
});

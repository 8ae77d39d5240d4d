/** States, contexts and ends across a restart: parallel regions and history as they were, values that JSON would lose, outputs and errors once and for all. */

import { expect } from 'chai';
import { AgentFailedError } from 'statewarden';
import { assign, fromPromise, setup, type AnyStateMachine } from 'xstate';
import { durable, eventsOf, journalOf, until, type Kinds, type Scenario, type World } from '../world.js';
import type { Runtime } from 'statewarden';

const kind = (machine: unknown): Kinds => ({ it: { machine: machine as AnyStateMachine, version: 1 } });

async function sendAll(runtime: Runtime, ...types: readonly string[]): Promise<void> {
  for (const type of types) await runtime.agent('s').send({ type } as never);
}
const valueOf = async (runtime: Runtime): Promise<unknown> => (await runtime.agent('s').snapshot()).value;
const start = (runtime: Runtime, input?: unknown): Promise<unknown> => runtime.spawn('it', { id: 's', input });

/** Two regions, each with levels of its own; away and back by three kinds of history. */
const player = setup({}).createMachine({
  id: 'player',
  initial: 'on',
  states: {
    on: {
      type: 'parallel',
      states: {
        sound: {
          initial: 'quiet',
          states: {
            quiet: { on: { LOUDER: 'loud' } },
            loud: { initial: 'some', states: { some: { on: { LOUDER: 'all' } }, all: {} } },
          },
        },
        picture: { initial: 'dark', states: { dark: { on: { BRIGHTER: 'bright' } }, bright: {} } },
        deep: { type: 'history', history: 'deep' },
      },
      on: { AWAY: 'away' },
    },
    mode: {
      initial: 'one',
      states: {
        one: { on: { NEXT: 'two' } },
        two: { initial: 'left', states: { left: { on: { NEXT: 'right' } }, right: {} } },
        shallow: { type: 'history' },
        deep: { type: 'history', history: 'deep' },
        never: { type: 'history', target: 'two' },
      },
      on: { AWAY: 'away' },
    },
    away: {
      on: { BACK: 'on.deep', MODE: 'mode', SHALLOW: 'mode.shallow', DEEP: 'mode.deep' },
    },
  },
});

/** Tags, meta, `always` with guards, and a region that is done while the other is not. */
const gauge = setup({
  types: { context: {} as { level: number } },
  guards: { high: ({ context }) => context.level >= 3, low: ({ context }) => context.level < 3 },
}).createMachine({
  id: 'gauge',
  context: { level: 0 },
  type: 'parallel',
  states: {
    level: {
      initial: 'low',
      on: { MORE: { actions: assign({ level: ({ context }) => context.level + 1 }) }, LESS: { actions: assign({ level: 0 }) } },
      states: {
        low: { tags: ['fine'], meta: { color: 'green' }, always: { guard: 'high', target: 'high' } },
        high: { tags: ['alarm', 'loud'], meta: { color: 'red' }, always: { guard: 'low', target: 'low' } },
      },
    },
    paper: { initial: 'there', states: { there: { on: { TEAR: 'gone' } }, gone: { type: 'final' } } },
  },
  onDone: { actions: assign({ level: 99 }) },
});

const values = (): Record<string, unknown> => ({
  map: new Map<unknown, unknown>([
    ['a', new Map([[1, new Set(['x'])]])],
    [{ key: 'object' }, undefined],
  ]),
  set: new Set<unknown>([1, 'two', new Date(3)]),
  date: new Date(1_700_000_000_123),
  nothing: undefined,
  big: 2n ** 80n,
  odd: [NaN, Infinity, -Infinity, -0, null, undefined],
  pattern: /a+b/gi,
  url: new URL('https://example.org/a?b=c'),
  bytes: new Uint8Array([0, 255, 7]),
  mine: { $sw: 'not a tag', xstate$$kind: 1, ['__proto__']: 'a word' },
  deep: { list: [{ at: new Date(0), by: new Map([['n', 1n]]) }] },
});

/** Each member, compared on its own: chai says which. */
function expectValues(context: Record<string, unknown>): void {
  const wanted = values();
  expect(Object.keys(context).sort()).to.deep.equal([...Object.keys(wanted), 'count'].sort());
  for (const [name, value] of Object.entries(wanted)) {
    if (name === 'pattern') expect(String(context[name])).to.equal(String(value));
    else if (name === 'url') expect((context[name] as URL).href).to.equal((value as URL).href);
    else expect(context[name], name).to.deep.equal(value);
  }
  expect(Object.is((context['odd'] as number[])[3], -0)).to.equal(true);
}

class OutOfPaper extends Error {
  override readonly name = 'OutOfPaper';
  readonly code = 'E_PAPER';
  constructor(readonly tray: number) {
    super(`tray ${tray} is empty`, { cause: new TypeError('sensor says 0') });
  }
}

function print(): never {
  throw new OutOfPaper(2);
}

/** How it fails, and at what. */
const failing: Readonly<Record<string, (world: World) => unknown>> = {
  assign: () => setup({}).createMachine({ id: 'f', on: { GO: { actions: assign(print) } } }),
  'named action': (world) =>
    setup({
      actions: {
        print: () => {
          world.happens('printed');
          print();
        },
      },
    }).createMachine({ id: 'f', on: { GO: { actions: 'print' } } }),
  promise: (world) =>
    setup({
      actors: {
        printing: fromPromise(async () => {
          world.happens('printed');
          print();
        }),
      },
    }).createMachine({
      id: 'f',
      initial: 'off',
      states: { off: { on: { GO: 'on' } }, on: { invoke: { src: 'printing', id: 'printing' } } },
    }),
  'child machine': () =>
    setup({
      actors: { printer: setup({}).createMachine({ id: 'printer', entry: assign(print) }) },
    }).createMachine({ id: 'f', initial: 'off', states: { off: { on: { GO: 'on' } }, on: { invoke: { src: 'printer', id: 'printer' } } } }),
};

async function failure(runtime: Runtime): Promise<AgentFailedError> {
  try {
    await runtime.agent('s').result();
  } catch (error) {
    expect(error).to.be.instanceOf(AgentFailedError);
    return error as AgentFailedError;
  }
  return expect.fail('it has a result');
}

/** The same error, whoever asks and however often, with all that was said about it. */
function expectFailure(error: AgentFailedError): void {
  expect(error).to.include({ code: 'AGENT_FAILED', disposition: 'terminal', message: 'agent "s" failed: tray 2 is empty' });
  const cause = error.cause as Error & { tray: number; code: string };
  expect(cause).to.be.instanceOf(Error);
  expect(cause).to.include({ name: 'OutOfPaper', message: 'tray 2 is empty', tray: 2, code: 'E_PAPER' });
  expect(cause.stack).to.match(/tray 2 is empty\n +at print /);
  expect(cause.cause).to.be.instanceOf(TypeError).with.property('message', 'sensor says 0');
}

const fails = Object.entries(failing).map(([what, machine]): Scenario => ({
  name: `an agent that failed by a ${what} stays failed, with the same error, and runs nothing again`,
  agents: (world) => kind(machine(world)),
  before: async (runtime) => {
    await start(runtime);
    await sendAll(runtime, 'GO');
    expectFailure(await failure(runtime));
  },
  after: async (runtime, world) => {
    for (let times = 0; times < 2; times += 1) expectFailure(await failure(runtime));
    const snapshot = await runtime.agent('s').snapshot();
    expect(snapshot.status).to.equal('error');
    expect(snapshot.error).to.include({ name: 'OutOfPaper', message: 'tray 2 is empty' });
    await world.clock.advance(60_000);
    expect(world.happened()).to.have.lengthOf(what === 'promise' || what === 'named action' ? 1 : 0);
    const dead = await runtime
      .agent('s')
      .send({ type: 'GO' } as never)
      .catch((error: unknown) => error);
    expect(dead).to.include({ code: 'DEAD_LETTER' });
  },
}));

export const scenarios: readonly Scenario[] = [
  {
    name: 'parallel regions and both kinds of history lead back to where they led',
    agents: () => kind(player),
    before: async (runtime) => {
      await start(runtime);
      await sendAll(runtime, 'LOUDER', 'LOUDER', 'BRIGHTER', 'AWAY', 'MODE', 'NEXT', 'NEXT', 'AWAY');
      await durable(runtime.store, 's', 9);
    },
    after: async (runtime) => {
      await sendAll(runtime, 'BACK');
      expect(await valueOf(runtime)).to.deep.equal({ on: { sound: { loud: 'all' }, picture: 'bright' } });
      await sendAll(runtime, 'AWAY', 'SHALLOW');
      expect(await valueOf(runtime)).to.deep.equal({ mode: { two: 'left' } });
      await sendAll(runtime, 'NEXT', 'AWAY', 'DEEP');
      expect(await valueOf(runtime)).to.deep.equal({ mode: { two: 'right' } });
    },
  },
  {
    name: 'a history that was never visited takes its default, and a parallel state goes on in every region',
    agents: () => kind(player),
    before: async (runtime) => {
      await start(runtime);
      await sendAll(runtime, 'LOUDER', 'AWAY');
      expect(await valueOf(runtime)).to.equal('away'); // checkpointed here
    },
    after: async (runtime) => {
      await sendAll(runtime, 'DEEP');
      expect(await valueOf(runtime)).to.deep.equal({ mode: 'one' });
      await sendAll(runtime, 'AWAY', 'BACK', 'LOUDER', 'BRIGHTER');
      expect(await valueOf(runtime)).to.deep.equal({ on: { sound: { loud: 'all' }, picture: 'bright' } });
    },
  },
  {
    name: 'tags, meta, guards and `always` work as before; a region that is done is not done twice',
    agents: () => kind(gauge),
    before: async (runtime) => {
      await start(runtime);
      await sendAll(runtime, 'MORE', 'MORE', 'TEAR');
      await durable(runtime.store, 's', 4);
    },
    after: async (runtime) => {
      const before = await runtime.agent('s').snapshot();
      expect(before.value).to.deep.equal({ level: 'low', paper: 'gone' });
      expect(before.hasTag('fine') && !before.hasTag('alarm')).to.equal(true);
      expect(before.getMeta()).to.deep.equal({ 'gauge.level.low': { color: 'green' } });
      expect(before.can({ type: 'MORE' })).to.equal(true);
      expect(before.can({ type: 'TEAR' })).to.equal(false);
      expect(before.matches({ paper: 'gone' })).to.equal(true);
      await sendAll(runtime, 'MORE');
      const after = await runtime.agent('s').snapshot();
      expect(after.value).to.deep.equal({ level: 'high', paper: 'gone' });
      expect([...after.tags].sort()).to.deep.equal(['alarm', 'loud']);
      expect(after.getMeta()).to.deep.equal({ 'gauge.level.high': { color: 'red' } });
      await sendAll(runtime, 'LESS');
      expect(await valueOf(runtime)).to.deep.equal({ level: 'low', paper: 'gone' });
      expect((await runtime.agent('s').snapshot()).context).to.deep.equal({ level: 0 });
      expect(await eventsOf(runtime.store, 's')).to.deep.equal(['MORE', 'MORE', 'TEAR', 'MORE', 'LESS']);
    },
  },
  ...[true, false].map((seen): Scenario => ({
    name: `a context keeps what JSON would lose, from ${seen ? 'its checkpoint' : 'its journal'}`,
    agents: () =>
      kind(
        setup({ types: { context: {} as Record<string, unknown>, input: {} as Record<string, unknown> } }).createMachine({
          id: 'keeper',
          context: ({ input }) => ({ ...input, count: 0 }),
          on: {
            KEEP: { actions: assign(({ event }) => event['values'] as Record<string, unknown>) },
            COUNT: { actions: assign({ count: ({ context }) => (context['count'] as number) + 1 }) },
          },
        }),
      ),
    before: async (runtime) => {
      const agent = await runtime.spawn('it', { id: 's', input: seen ? values() : { count: 0 } });
      if (!seen) await agent.send({ type: 'KEEP', values: values() } as never);
      await sendAll(runtime, 'COUNT');
      if (seen) expectValues((await agent.snapshot()).context as Record<string, unknown>);
    },
    after: async (runtime) => {
      const { context } = await runtime.agent('s').snapshot();
      expectValues(context as Record<string, unknown>);
      await sendAll(runtime, 'COUNT');
      const later = (await runtime.agent('s').snapshot()).context as Record<string, unknown>;
      expectValues(later);
      expect(later['count']).to.equal(2);
      const kept = (await journalOf(runtime.store, 's')).find(({ event }) => event?.type === 'KEEP');
      expect(kept === undefined).to.equal(seen);
    },
  })),
  {
    name: 'an agent that is done gives the same output, and nothing of it runs again',
    agents: (world) =>
      kind(
        setup({
          types: { context: {} as { found?: unknown } },
          actors: { work: fromPromise(async () => (world.happens('work'), new Map([['n', 7n]]))) },
          actions: { announce: () => world.happens('announced') },
        }).createMachine({
          id: 'doer',
          context: {},
          initial: 'working',
          states: {
            working: {
              invoke: { src: 'work', id: 'work', onDone: { target: 'done', actions: assign({ found: ({ event }) => event.output }) } },
            },
            done: { type: 'final', entry: 'announce' },
          },
          output: ({ context }) => ({ found: context.found, at: new Date(9) }),
        }),
      ),
    before: async (runtime, world) => {
      await start(runtime);
      expect(await runtime.agent('s').result()).to.deep.equal({ found: new Map([['n', 7n]]), at: new Date(9) });
      await until(async () => (await runtime.store.lookup(['s']))[0]?.busy === false, 'the announcement is settled');
      expect(world.happened()).to.deep.equal(['work', 'announced']);
    },
    after: async (runtime, world) => {
      for (let times = 0; times < 2; times += 1) {
        expect(await runtime.agent('s').result()).to.deep.equal({ found: new Map([['n', 7n]]), at: new Date(9) });
      }
      await runtime.spawn('it', { id: 's' }); // the one that was
      expect(await runtime.agent('s').result()).to.deep.equal({ found: new Map([['n', 7n]]), at: new Date(9) });
      const snapshot = await runtime.agent('s').snapshot();
      expect(snapshot).to.include({ status: 'done', value: 'done' });
      expect(snapshot.output).to.deep.equal({ found: new Map([['n', 7n]]), at: new Date(9) });
      await world.clock.advance(60_000);
      expect(world.happened()).to.deep.equal(['work', 'announced']);
      expect((await runtime.store.counts()).agents).to.include({ done: 1, active: 0 });
    },
  },
  {
    name: 'an agent that was stopped stays stopped',
    agents: () => kind(player),
    before: async (runtime) => {
      await start(runtime);
      await runtime.agent('s').stop();
    },
    after: async (runtime) => {
      const thrown = await runtime
        .agent('s')
        .result()
        .catch((error: unknown) => error);
      expect(thrown).to.include({ code: 'AGENT_STOPPED' });
      await runtime.agent('s').stop();
      expect((await runtime.store.lookup(['s']))[0]).to.include({ status: 'stopped', sequenceNumber: 2 });
    },
  },
  {
    name: 'an agent that failed by a guard stays failed: XState tells its message, in an error of its own',
    agents: () => kind(setup({}).createMachine({ id: 'f', on: { GO: { guard: print } } })),
    before: async (runtime) => {
      await start(runtime);
      await sendAll(runtime, 'GO');
    },
    after: async (runtime) => {
      const { cause } = await failure(runtime);
      expect((cause as Error).message).to.match(/^Unable to evaluate guard in transition for event 'GO' .*\n?.*tray 2 is empty$/);
    },
  },
  ...fails,
];

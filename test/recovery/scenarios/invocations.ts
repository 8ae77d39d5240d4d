/** Invoked promises across a restart: XState would run each of them again. Here the ledger answers what it knows, once, and the rest goes on. */

import { expect } from 'chai';
import { activity, TerminalError } from 'statewarden';
import { assign, fromPromise, setup, type AnyActorLogic } from 'xstate';
import { durable, journalOf, until, type Kinds, type Scenario, type World } from '../world.js';
import type { Runtime } from 'statewarden';

interface Told {
  readonly heard: readonly unknown[];
}

/** Calls `work`, tells what it heard, and waits for `FINISH`; `AGAIN` calls once more, `LEAVE` does not wait for the answer. */
function caller(work: AnyActorLogic): Kinds {
  const machine = setup({
    types: { context: {} as Told },
    actors: { work },
    actions: {
      hear: assign({
        heard: ({ context }, { output, error }: { output?: unknown; error?: unknown }) => [...context.heard, output ?? error],
      }),
    },
  }).createMachine({
    id: 'caller',
    context: { heard: [] },
    initial: 'calling',
    states: {
      calling: {
        invoke: {
          src: 'work',
          id: 'call',
          input: () => ({ wanted: new Map([['since', new Date(0)]]) }),
          onDone: { target: 'answered', actions: { type: 'hear', params: ({ event }) => ({ output: event.output as unknown }) } },
          onError: { target: 'refused', actions: { type: 'hear', params: ({ event }) => ({ error: event.error }) } },
        },
        on: { LEAVE: 'left', MARK: {} },
      },
      answered: { on: { FINISH: 'done', AGAIN: 'calling' } },
      refused: { on: { FINISH: 'done' } },
      left: { on: { FINISH: 'done', AGAIN: 'calling' } },
      done: { type: 'final' },
    },
    output: ({ context }) => context.heard,
  });
  return { caller: { machine: machine as never, version: 1 } };
}

const answer = { found: 7n, at: new Date(1_000), missing: undefined };
const start = (runtime: Runtime): Promise<unknown> => runtime.spawn('caller', { id: 'a' });
const send = (runtime: Runtime, type: string): Promise<unknown> => runtime.agent('a').send({ type } as never);
const never = (): Promise<never> => new Promise(() => undefined);
const called = (world: World): string[] => world.happened('call');
const hangs = (runtime: Runtime, world: World, times = 1): Promise<void> =>
  start(runtime).then(() => until(() => called(world).length === times, 'the call'));

/** How often an outcome was taken in a turn. */
const taken = async (runtime: Runtime): Promise<number> =>
  (await journalOf(runtime.store, 'a')).filter(({ op }) => op !== undefined).length;

async function finish(runtime: Runtime): Promise<unknown> {
  await send(runtime, 'FINISH');
  return runtime.agent('a').result();
}

const rich = (): Error =>
  Object.assign(new RangeError('no such page', { cause: new TypeError('page is 9') }), { code: 'E_PAGE', details: { page: 9n } });

function expectRich(thrown: unknown): void {
  expect(thrown).to.be.instanceOf(RangeError);
  expect(thrown).to.deep.include({ name: 'RangeError', message: 'no such page', code: 'E_PAGE', details: { page: 9n } });
  expect((thrown as Error).stack).to.match(/^RangeError: no such page\n +at rich /);
  expect((thrown as Error).cause)
    .to.be.instanceOf(TypeError)
    .with.property('message', 'page is 9');
}

/** Fails at every attempt but the one given. */
const stubborn = (world: World, good: number): AnyActorLogic =>
  activity({
    name: 'stubborn',
    onUnknown: 'retry',
    retry: { attempts: 3, initialMs: 10_000, factor: 2, jitter: 'none' },
    run: (_, { attempt, idempotencyKey }) => {
      world.happens(`call ${attempt} at ${world.clock.now() - world.clock.startedAt} ${idempotencyKey}`);
      if (attempt !== good) throw new Error(`attempt ${attempt} failed`);
      return attempt;
    },
  });

/** The first attempt has failed, that is written down, and four seconds have passed since. */
async function oneFailure(runtime: Runtime, world: World): Promise<void> {
  await hangs(runtime, world);
  await until(async () => (await runtime.store.inspect('a'))?.operations[0]?.attempts === 1, 'the failed attempt is recorded');
  await world.clock.advance(4_000);
}

const attempts = (world: World): string[] => called(world).map((line) => line.split(' ').slice(0, 2).join(' '));
const keys = (world: World): string[] => [...new Set(called(world).map((line) => line.split(' ').at(-1) as string))];

export const scenarios: readonly Scenario[] = [
  {
    name: 'a promise whose outcome is recorded is not run again',
    agents: (world) =>
      caller(
        fromPromise(async () => {
          world.happens('call');
          return answer;
        }),
      ),
    before: async (runtime) => {
      await start(runtime);
      await durable(runtime.store, 'a', 2); // only journaled: the turn is run again, the promise is not
    },
    after: async (runtime, world) => {
      const { value, context } = await runtime.agent('a').snapshot();
      expect(value).to.equal('answered');
      expect(context).to.deep.equal({ heard: [answer] });
      expect(await finish(runtime)).to.deep.equal([answer]);
      expect(called(world)).to.have.lengthOf(1);
      expect(await taken(runtime)).to.equal(1);
    },
  },
  {
    name: 'a rejection that is recorded comes back as the same error, once',
    agents: (world) =>
      caller(
        fromPromise(async () => {
          world.happens('call');
          throw rich();
        }),
      ),
    before: async (runtime) => {
      await start(runtime);
      await durable(runtime.store, 'a', 2);
    },
    after: async (runtime, world) => {
      const { value, context } = await runtime.agent('a').snapshot();
      expect(value).to.equal('refused');
      expect((context as Told).heard).to.have.lengthOf(1);
      expectRich((context as Told).heard[0]);
      expectRich(((await finish(runtime)) as unknown[])[0]);
      expect(called(world)).to.have.lengthOf(1);
      expect(await taken(runtime)).to.equal(1);
    },
  },
  {
    name: 'a promise that had not ended runs again, with its input and a live signal, and its outcome is taken once',
    agents: (world) =>
      caller(
        fromPromise(({ input, signal, self }) => {
          const { wanted } = input as { wanted: Map<string, Date> };
          world.happens(`call since ${wanted.get('since')?.getTime()} ${signal.aborted} ${self.id}`);
          return world.life === 1 ? never() : Promise.resolve(answer);
        }),
      ),
    before: (runtime, world) => hangs(runtime, world),
    after: async (runtime, world) => {
      await runtime.agent('a').waitFor((snapshot) => snapshot.value === 'answered');
      expect(await finish(runtime)).to.deep.equal([answer]);
      expect(called(world)).to.deep.equal(['call since 0 false call', 'call since 0 false call']);
      expect(await taken(runtime)).to.equal(1);
    },
  },
  {
    name: 'an activity that had not ended runs again with the same idempotency key',
    agents: (world) =>
      caller(
        activity({
          name: 'work',
          onUnknown: 'retry',
          run: (_, { idempotencyKey, operationId, attempt, agentId, signal }) => {
            world.happens(`call ${agentId} ${attempt} ${signal.aborted} ${idempotencyKey === operationId} ${idempotencyKey}`);
            return world.life === 1 ? never() : answer;
          },
        }),
      ),
    before: (runtime, world) => hangs(runtime, world),
    after: async (runtime, world) => {
      await runtime.agent('a').waitFor((snapshot) => snapshot.value === 'answered');
      expect(await finish(runtime)).to.deep.equal([answer]);
      const [first, second, ...more] = called(world);
      expect(first).to.match(/^call a 1 false true a:call:1/);
      expect(second).to.equal(first);
      expect(more).to.deep.equal([]);
    },
  },
  {
    name: "an activity with the user's own key that succeeded is not run for another agent either",
    agents: (world) =>
      caller(
        activity({
          name: 'work',
          onUnknown: 'retry',
          key: () => 'order 7',
          run: (_, { idempotencyKey }) => {
            world.happens(`call ${idempotencyKey}`);
            return answer;
          },
        }),
      ),
    before: async (runtime) => {
      await start(runtime);
      await durable(runtime.store, 'a', 2);
    },
    after: async (runtime, world) => {
      const other = await runtime.spawn('caller', { id: 'b' });
      const { context } = await other.waitFor((snapshot) => snapshot.value === 'answered');
      expect(context).to.deep.equal({ heard: [answer] });
      await send(runtime, 'AGAIN');
      await runtime.agent('a').waitFor((snapshot) => (snapshot.context as Told).heard.length === 2);
      expect(called(world)).to.deep.equal(['call order 7']);
    },
  },
  {
    name: 'a retry is due when it was due, with its attempts and its key',
    agents: (world) => caller(stubborn(world, 3)),
    before: oneFailure,
    downMs: 2_000,
    after: async (runtime, world) => {
      await world.clock.advance(3_999);
      expect(attempts(world)).to.deep.equal(['call 1']);
      await world.clock.advance(1);
      await until(() => called(world).length === 2, 'the second attempt');
      expect(called(world)[1]).to.match(/^call 2 at 4000 /);
      await until(async () => (await runtime.store.inspect('a'))?.operations[0]?.attempts === 2, 'the second failure is recorded');
      await world.clock.advance(19_999);
      expect(attempts(world)).to.deep.equal(['call 1', 'call 2']);
      await world.clock.advance(1);
      await runtime.agent('a').waitFor((snapshot) => snapshot.value === 'answered');
      expect(await finish(runtime)).to.deep.equal([3]);
      expect(called(world)[2]).to.match(/^call 3 at 24000 /);
      expect(keys(world)).to.have.lengthOf(1);
      expect(await taken(runtime)).to.equal(1);
    },
  },
  {
    name: 'an overdue retry begins at once, and the attempts still end with the last one',
    agents: (world) => caller(stubborn(world, 9)),
    before: oneFailure,
    downMs: 3_600_000,
    after: async (runtime, world) => {
      await world.clock.advance(0);
      await until(() => called(world).length === 2, 'the second attempt');
      expect(called(world)[1]).to.match(/^call 2 at 0 /);
      await until(async () => (await runtime.store.inspect('a'))?.operations[0]?.attempts === 2, 'the second failure is recorded');
      await world.clock.advance(20_000);
      const { context } = await runtime.agent('a').waitFor((snapshot) => snapshot.value === 'refused');
      expect((context as Told).heard).to.have.lengthOf(1);
      expect((context as Told).heard[0]).to.include({ message: 'attempt 3 failed' });
      await world.clock.advance(60_000);
      expect(attempts(world)).to.deep.equal(['call 1', 'call 2', 'call 3']);
      expect(await taken(runtime)).to.equal(1);
    },
  },
  {
    name: 'a call that nobody waits for any more is not run again; asked for anew it is another call',
    agents: (world) =>
      caller(
        activity({
          name: 'work',
          onUnknown: 'retry',
          run: (_, { idempotencyKey, signal }) => {
            world.happens(`call ${idempotencyKey}`);
            if (world.life === 2) return answer;
            signal.addEventListener('abort', () => world.happens('aborted'));
            return never();
          },
        }),
      ),
    before: async (runtime, world) => {
      await hangs(runtime, world);
      await send(runtime, 'LEAVE');
      expect(world.happened('aborted')).to.have.lengthOf(1);
    },
    after: async (runtime, world) => {
      await world.clock.advance(60_000);
      expect(called(world)).to.have.lengthOf(1);
      await send(runtime, 'AGAIN');
      await runtime.agent('a').waitFor((snapshot) => snapshot.value === 'answered');
      expect(called(world)).to.have.lengthOf(2);
      expect(keys(world)).to.have.lengthOf(2);
    },
  },
  {
    name: 'of several calls at once only those that had not ended run again, inline and spawned ones too',
    agents: (world) => {
      const call = (name: string, ends: boolean): Promise<string> => {
        world.happens(`call ${name}`);
        return ends || world.life === 2 ? Promise.resolve(name) : never();
      };
      const quick = fromPromise(async () => call('quick', true));
      const slow = fromPromise(async () => call('slow', false));
      const machine = setup({ types: { context: {} as { heard: string[] } }, actors: { quick, slow } }).createMachine({
        id: 'many',
        context: ({ spawn }) => {
          spawn('slow', { id: 'spawned' });
          return { heard: [] };
        },
        invoke: [
          { src: 'quick', id: 'quick' },
          { src: 'slow', id: 'slow' },
          { src: fromPromise(async () => call('inline', false)) as never },
        ],
        on: {
          '*': {
            guard: ({ event }) => event.type.startsWith('xstate.done.actor.'),
            actions: assign({ heard: ({ context, event }) => [...context.heard, (event as unknown as { output: string }).output] }),
          },
        },
      });
      return { caller: { machine: machine as never, version: 1 } };
    },
    before: async (runtime, world) => {
      await hangs(runtime, world, 4);
      await durable(runtime.store, 'a', 2);
    },
    after: async (runtime, world) => {
      const { context } = await runtime.agent('a').waitFor((snapshot) => (snapshot.context as { heard: string[] }).heard.length === 4);
      expect((context as { heard: string[] }).heard[0]).to.equal('quick');
      expect((context as { heard: string[] }).heard.slice(1).sort()).to.deep.equal(['inline', 'slow', 'slow']);
      expect(called(world).filter((line) => line === 'call quick')).to.have.lengthOf(1);
      expect(called(world).filter((line) => line === 'call slow')).to.have.lengthOf(4);
      expect(called(world).filter((line) => line === 'call inline')).to.have.lengthOf(2);
      expect(await taken(runtime)).to.equal(4);
    },
  },
  {
    name: 'what cannot be mended by trying again is not tried again after the restart either',
    agents: (world) =>
      caller(
        activity({
          name: 'work',
          onUnknown: 'retry',
          run: () => {
            world.happens('call');
            throw new TerminalError('forbidden');
          },
        }),
      ),
    before: async (runtime) => {
      await start(runtime);
      await durable(runtime.store, 'a', 2);
    },
    after: async (runtime, world) => {
      await world.clock.advance(60_000);
      const { value, context } = await runtime.agent('a').snapshot();
      expect(value).to.equal('refused');
      expect((context as Told).heard[0]).to.include({ name: 'TerminalError', message: 'forbidden' });
      expect(called(world)).to.have.lengthOf(1);
    },
  },
];

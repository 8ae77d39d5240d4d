/** Callbacks and observables across a restart: they are not recorded and begin anew; what they send is recorded like any event. */

import { expect } from 'chai';
import { concat, NEVER, of, Subject, throwError, type Observable } from 'rxjs';
import {
  assign,
  fromCallback,
  fromEventObservable,
  fromObservable,
  sendParent,
  sendTo,
  setup,
  type AnyActorLogic,
  type AnyActorRef,
} from 'xstate';
import { durable, eventsOf, journalOf, until, type Kinds, type Scenario, type World } from '../world.js';
import type { Runtime } from 'statewarden';

interface Heard {
  readonly heard: readonly string[];
}
const textOf = (event: unknown): string => {
  const { type, life, n, error } = event as { type: string; life?: number; n?: number; error?: Error };
  return [type, life, n, error?.message].filter((part) => part !== undefined).join(' ');
};

/** Listens to `source` in the state `on`, and writes down all it hears. */
function listener(source: AnyActorLogic): Kinds {
  const machine = setup({ types: { context: {} as Heard }, actors: { source } }).createMachine({
    id: 'listener',
    context: { heard: [] },
    initial: 'on',
    states: {
      on: {
        invoke: {
          src: 'source',
          id: 'source',
          systemId: 'the-source',
          input: { since: new Date(5) },
          onError: { target: 'off', actions: assign({ heard: ({ context, event }) => [...context.heard, textOf(event)] }) },
          onDone: { target: 'off', actions: assign({ heard: ({ context, event }) => [...context.heard, textOf(event)] }) },
        },
        on: { ASK: { actions: sendTo('source', ({ event }) => ({ ...event, type: 'QUESTION' })) }, LEAVE: 'off' },
      },
      off: { on: { RETURN: 'on' } },
    },
    on: { '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, textOf(event)] }) } },
  });
  return { listener: { machine: machine as never, version: 1 } };
}

/** Says hello, and answers what it is asked. */
const talkative = (world: World): AnyActorLogic =>
  fromCallback(({ input, sendBack, receive, self }) => {
    const { since } = input as { since: Date };
    world.happens(`begun ${world.life} ${since.getTime()} ${self.id}`);
    sendBack({ type: 'HELLO', life: world.life });
    receive((event) => {
      world.happens(`asked ${world.life}`);
      sendBack({ type: 'ANSWER', life: world.life, n: (event as unknown as { n: number }).n });
    });
    return () => world.happens(`ended ${world.life}`);
  });

const send = (runtime: Runtime, event: { type: string; n?: number }): Promise<unknown> => runtime.agent('l').send(event as never);
const heardBy = async (runtime: Runtime, count: number): Promise<readonly string[]> => {
  const { context } = await runtime.agent('l').waitFor((snapshot) => (snapshot.context as Heard).heard.length >= count);
  return (context as Heard).heard;
};
const inLife = (world: World, life: number): string[] => world.happened().filter((line) => line.includes(` ${life}`));

export const scenarios: readonly Scenario[] = [
  {
    name: 'a callback begins again with its input; what it sends is journaled, what it is sent reaches the new one',
    agents: (world) => listener(talkative(world)),
    before: async (runtime, world) => {
      await runtime.spawn('listener', { id: 'l' });
      await durable(runtime.store, 'l', 2);
      await send(runtime, { type: 'ASK', n: 1 });
      await durable(runtime.store, 'l', 4);
      expect(world.happened()).to.deep.equal(['begun 1 5 source', 'asked 1']);
    },
    after: async (runtime, world) => {
      expect(await heardBy(runtime, 3)).to.deep.equal(['HELLO 1', 'ANSWER 1 1', 'HELLO 2']);
      await send(runtime, { type: 'ASK', n: 2 });
      expect((await heardBy(runtime, 4)).at(-1)).to.equal('ANSWER 2 2');
      expect(await eventsOf(runtime.store, 'l')).to.deep.equal(['HELLO', 'ASK', 'ANSWER', 'HELLO', 'ASK', 'ANSWER']);
      await send(runtime, { type: 'LEAVE' });
      expect(inLife(world, 2)).to.deep.equal(['begun 2 5 source', 'asked 2', 'ended 2']);
      await send(runtime, { type: 'RETURN' });
      expect((await heardBy(runtime, 5)).at(-1)).to.equal('HELLO 2');
      expect(inLife(world, 2).slice(3)).to.deep.equal(['begun 2 5 source']);
    },
  },
  {
    name: 'a callback whose state was left does not begin again',
    agents: (world) => listener(talkative(world)),
    before: async (runtime, world) => {
      await runtime.spawn('listener', { id: 'l' });
      await durable(runtime.store, 'l', 2);
      await send(runtime, { type: 'LEAVE' });
      expect(world.happened()).to.deep.equal(['begun 1 5 source', 'ended 1']);
    },
    after: async (runtime, world) => {
      expect((await runtime.agent('l').snapshot()).value).to.equal('off');
      await send(runtime, { type: 'ASK' });
      expect(await heardBy(runtime, 2)).to.deep.equal(['HELLO 1', 'ASK']);
      expect(inLife(world, 2)).to.deep.equal([]);
      expect((await runtime.store.lookup(['l']))[0]?.busy).to.equal(false);
    },
  },
  {
    name: 'a callback that throws, at its start or when it is sent something, goes to onError once',
    agents: (world) =>
      listener(
        fromCallback(({ receive }) => {
          if (world.life === 2) throw new Error('no start');
          receive(() => {
            throw new Error('no answer');
          });
        }),
      ),
    before: async (runtime) => {
      await runtime.spawn('listener', { id: 'l' });
      await send(runtime, { type: 'ASK' });
      expect(await heardBy(runtime, 1)).to.deep.equal(['xstate.error.actor.source no answer']);
      expect((await runtime.agent('l').snapshot()).value).to.equal('off');
    },
    after: async (runtime) => {
      expect(await heardBy(runtime, 1)).to.deep.equal(['xstate.error.actor.source no answer']);
      await send(runtime, { type: 'RETURN' });
      expect((await heardBy(runtime, 2)).slice(1)).to.deep.equal(['xstate.error.actor.source no start']);
      expect((await runtime.agent('l').snapshot()).value).to.equal('off');
      expect((await runtime.store.lookup(['l']))[0]?.busy).to.equal(false);
    },
  },
  {
    name: 'an event observable begins again, and ends once',
    agents: (world) =>
      listener(
        fromEventObservable(({ input }) => {
          world.happens(`subscribed ${world.life} ${(input as { since: Date }).since.getTime()}`);
          const first = of({ type: 'TICK', life: world.life, n: 1 }, { type: 'TICK', life: world.life, n: 2 });
          return (world.life === 1 ? concat(first, NEVER) : first) as never;
        }),
      ),
    before: async (runtime) => {
      await runtime.spawn('listener', { id: 'l' });
      await durable(runtime.store, 'l', 3);
    },
    after: async (runtime, world) => {
      expect(await heardBy(runtime, 5)).to.deep.equal(['TICK 1 1', 'TICK 1 2', 'TICK 2 1', 'TICK 2 2', 'xstate.done.actor.source']);
      expect((await runtime.agent('l').snapshot()).value).to.equal('off');
      expect(world.happened()).to.deep.equal(['subscribed 1 5', 'subscribed 2 5']);
      expect((await eventsOf(runtime.store, 'l')).filter((type) => type === 'TICK')).to.have.lengthOf(4);
    },
  },
  {
    name: 'an observable shows its values as snapshots, is unsubscribed when its state is left, and fails once',
    agents: (world) => {
      const values = fromObservable<{ n: number }, undefined>(() => {
        world.happens(`subscribed ${world.life}`);
        const subject = new Subject<{ n: number }>();
        queueMicrotask(() => subject.next({ n: world.life }));
        return {
          subscribe: (observer: never) => {
            const subscription = (subject as Observable<unknown>).subscribe(observer);
            return { unsubscribe: () => (world.happens(`unsubscribed ${world.life}`), subscription.unsubscribe()) };
          },
        } as never;
      });
      const failing = fromObservable(() => (world.life === 1 ? NEVER : throwError(() => new Error('dried up'))));
      const machine = setup({ types: { context: {} as { seen: unknown[]; failed: string[] } }, actors: { values, failing } }).createMachine(
        {
          id: 'viewer',
          context: { seen: [], failed: [] },
          initial: 'on',
          invoke: {
            src: 'failing',
            id: 'failing',
            onError: { actions: assign({ failed: ({ context, event }) => [...context.failed, (event.error as Error).message] }) },
          },
          states: {
            on: {
              invoke: {
                src: 'values',
                id: 'values',
                input: undefined,
                onSnapshot: {
                  actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.context?.n ?? 'nothing'] }),
                },
              },
              on: { LEAVE: 'off' },
            },
            off: {},
          },
          on: { MARK: {} },
        },
      );
      return { listener: { machine: machine as never, version: 1 } };
    },
    before: async (runtime) => {
      const agent = await runtime.spawn('listener', { id: 'l' });
      await agent.waitFor((snapshot) => (snapshot.context as { seen: unknown[] }).seen.includes(1));
      expect((await agent.snapshot()).context).to.deep.equal({ seen: ['nothing', 1], failed: [] });
    },
    after: async (runtime, world) => {
      const agent = runtime.agent('l');
      await agent.waitFor((snapshot) => (snapshot.context as { seen: unknown[] }).seen.includes(2));
      await agent.waitFor((snapshot) => (snapshot.context as { failed: unknown[] }).failed.length > 0);
      expect((await agent.snapshot()).context).to.deep.equal({ seen: ['nothing', 1, 2], failed: ['dried up'] });
      await send(runtime, { type: 'LEAVE' });
      expect(inLife(world, 2)).to.deep.equal(['subscribed 2', 'unsubscribed 2']);
      expect((await runtime.store.lookup(['l']))[0]?.busy).to.equal(false);
    },
  },
  {
    name: 'a callback of a child machine, spawned by name, sends to that child',
    agents: (world) => {
      const talker = talkative(world);
      const inner = setup({ types: { context: {} as Heard }, actors: { talker } }).createMachine({
        id: 'inner',
        context: ({ spawn }) => {
          spawn('talker', { id: 'talker', input: { since: new Date(9) } });
          return { heard: [] };
        },
        on: {
          ASK: { actions: sendTo('talker', { type: 'QUESTION', n: 3 }) },
          '*': {
            actions: [assign({ heard: ({ context, event }) => [...context.heard, textOf(event)] }), sendParent(({ event }) => event)],
          },
        },
      });
      const outer = setup({ types: { context: {} as Heard }, actors: { inner } }).createMachine({
        id: 'outer',
        context: { heard: [] },
        invoke: { src: 'inner', id: 'inner' },
        on: {
          ASK: { actions: sendTo('inner', { type: 'ASK' }) },
          '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, textOf(event)] }) },
        },
      });
      return { listener: { machine: outer as never, version: 1 } };
    },
    before: async (runtime, world) => {
      await runtime.spawn('listener', { id: 'l' });
      await durable(runtime.store, 'l', 2);
      expect(world.happened()).to.deep.equal(['begun 1 9 talker']);
    },
    after: async (runtime, world) => {
      expect(await heardBy(runtime, 2)).to.deep.equal(['HELLO 1', 'HELLO 2']);
      await send(runtime, { type: 'ASK' });
      expect((await heardBy(runtime, 3)).at(-1)).to.equal('ANSWER 2 3');
      const inner = ((await runtime.agent('l').snapshot()).children as Record<string, AnyActorRef>)['inner']!;
      expect((inner.getSnapshot() as { context: Heard }).context.heard).to.deep.equal(['HELLO 1', 'HELLO 2', 'ANSWER 2 3']);
      const told = (await journalOf(runtime.store, 'l')).filter(({ to }) => to === 'inner');
      expect(told.map(({ event }) => event?.type)).to.deep.equal(['HELLO', 'HELLO', 'ANSWER']);
      await until(() => inLife(world, 2).length === 2, 'begun and asked');
    },
  },
  {
    name: 'a runtime that is closed ends its callbacks, and the agent does not hear of it',
    agents: (world) => listener(talkative(world)),
    before: async (runtime, world) => {
      await runtime.spawn('listener', { id: 'l' });
      await durable(runtime.store, 'l', 2);
      expect(world.happened('ended')).to.deep.equal([]);
    },
    after: async (runtime, world) => {
      expect(await heardBy(runtime, 2)).to.deep.equal(['HELLO 1', 'HELLO 2']);
      await runtime.close({ graceMs: 0 });
      expect(inLife(world, 2)).to.deep.equal(['begun 2 5 source', 'ended 2']);
    },
  },
];

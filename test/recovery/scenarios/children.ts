/** Machines inside machines across a restart: invoked and spawned, two deep, found by id, by `systemId` and by references kept in contexts. */

import { expect } from 'chai';
import {
  assign,
  fromPromise,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type ActorRefFrom,
  type AnyActorRef,
  type AnyMachineSnapshot,
} from 'xstate';
import { durable, eventsOf, until, type Kinds, type Scenario, type World } from '../world.js';
import type { Runtime } from 'statewarden';

/** Counts what it is asked to, tells its parent, and ends with the count. */
const counter = setup({ types: { context: {} as { count: number; name: string }, input: {} as { name: string } } }).createMachine({
  id: 'counter',
  context: ({ input }) => ({ count: 0, name: input.name }),
  initial: 'counting',
  states: {
    counting: {
      on: {
        COUNT: {
          actions: [
            assign({ count: ({ context }) => context.count + 1 }),
            sendParent(({ context }) => ({ type: 'COUNTED', name: context.name, count: context.count })),
          ],
        },
        END: 'ended',
      },
    },
    ended: { type: 'final' },
  },
  output: ({ context }) => context.count,
});

interface Team {
  readonly heard: readonly string[];
  readonly members: readonly ActorRefFrom<typeof counter>[];
}
const heard = assign<Team, never, undefined, never, never>({
  heard: ({ context, event }) => {
    const { type, name, count, output } = event as unknown as { type: string; name?: string; count?: number; output?: number };
    return [...context.heard, [type, name, count, output].filter((part) => part !== undefined).join(' ')];
  },
});

/** Invokes one counter, spawns any number of others into a list in its context, and hands on what they say. */
const team = setup({ types: { context: {} as Team }, actors: { counter } }).createMachine({
  id: 'team',
  context: { heard: [], members: [] },
  invoke: { src: 'counter', id: 'invoked', systemId: 'the-invoked', input: { name: 'invoked' }, onDone: { actions: heard as never } },
  on: {
    HIRE: {
      actions: assign({
        members: ({ context, event, spawn }) => {
          const { name } = event as unknown as { name: string };
          return [...context.members, spawn('counter', { id: name, systemId: `the-${name}`, input: { name } })];
        },
      }),
    },
    ADD: { actions: spawnChild('counter', { id: 'added', systemId: 'the-added', input: { name: 'added' } }) },
    COUNT_ALL: {
      actions: [
        sendTo('invoked', { type: 'COUNT' }),
        sendTo(({ context }) => context.members[0] as AnyActorRef, { type: 'COUNT' }),
        sendTo(({ system }) => system.get('the-bea') as AnyActorRef, { type: 'COUNT' }),
      ],
    },
    COUNT_ADDED: { actions: sendTo('added', { type: 'COUNT' }) },
    END_FIRST: { actions: sendTo(({ context }) => context.members[0] as AnyActorRef, { type: 'END' }) },
    END_INVOKED: { actions: sendTo('invoked', { type: 'END' }) },
    DISMISS: {
      actions: [
        stopChild(({ context }) => context.members[1] as AnyActorRef),
        assign({ members: ({ context }) => context.members.slice(0, 1) }),
      ],
    },
    '*': { actions: [heard as never, sendParentIfAny()] },
  },
});

function sendParentIfAny() {
  return ({ self, event }: { self: AnyActorRef; event: { type: string } }): void => {
    if (event.type === 'COUNTED') self._parent?.send({ ...event, type: 'PASSED_ON' });
  };
}

const root = (runtime: Runtime, id = 'r'): Promise<AnyMachineSnapshot> => runtime.agent(id).snapshot();
const childOf = (snapshot: AnyMachineSnapshot, id: string): AnyActorRef => (snapshot.children as Record<string, AnyActorRef>)[id]!;
const contextOf = <T>(actor: AnyActorRef): T => (actor.getSnapshot() as { context: T }).context;

async function sendAll(runtime: Runtime, ...events: readonly (string | { type: string })[]): Promise<void> {
  for (const event of events) await runtime.agent('r').send((typeof event === 'string' ? { type: event } : event) as never);
}
const hire = (name: string): { type: string } => ({ type: 'HIRE', name }) as { type: string };
const teams: Kinds = { team: { machine: team as never, version: 1 } };

/** The innermost of three: its promise has not ended when the first life does. */
function nest(world: World): Kinds {
  const work = fromPromise(({ input }) => {
    world.happens(`work ${(input as { n: number }).n}`);
    return world.life === 1 ? new Promise<string>(() => undefined) : Promise.resolve('worked');
  });
  const inner = setup({ types: { context: {} as { pokes: number; worked?: string } }, actors: { work } }).createMachine({
    id: 'inner',
    context: { pokes: 0 },
    on: {
      POKE: {
        actions: [
          assign({ pokes: ({ context }) => context.pokes + 1 }),
          sendParent(({ context }) => ({ type: 'POKED', pokes: context.pokes })),
        ],
      },
    },
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'work',
          id: 'work',
          input: { n: 1 },
          onDone: {
            target: 'resting',
            actions: [assign({ worked: ({ event }) => event.output as string }), sendParent({ type: 'WORKED' })],
          },
        },
      },
      resting: { on: { END: 'ended' } },
      ended: { type: 'final' },
    },
    output: ({ context }) => `${context.worked} after ${context.pokes}`,
  });
  const middle = setup({ types: { context: {} as { pokes: number; ref?: AnyActorRef } }, actors: { inner } }).createMachine({
    id: 'middle',
    context: ({ spawn }) => ({ pokes: 0, ref: spawn('inner', { id: 'in/spawned', systemId: 'the-spawned' }) }),
    invoke: { src: 'inner', id: 'in.voked', systemId: 'the-inner', onDone: { target: '.over', actions: assign({ pokes: 99 }) } },
    initial: 'on',
    states: { on: {}, over: { type: 'final' } },
    on: {
      POKE: { actions: [sendTo('in.voked', { type: 'POKE' }), sendTo(({ context }) => context.ref as AnyActorRef, { type: 'POKE' })] },
      POKED: { actions: [assign({ pokes: ({ context }) => context.pokes + 1 }), sendParent(({ event }) => event)] },
      WORKED: { actions: sendParent(({ event }) => event) },
    },
    output: ({ context }) => context.pokes,
  });
  const outer = setup({ types: { context: {} as { heard: string[] } }, actors: { middle } }).createMachine({
    id: 'outer',
    context: { heard: [] },
    invoke: {
      src: 'middle',
      id: 'mid',
      systemId: 'the-middle',
      onDone: { actions: assign({ heard: ({ context, event }) => [...context.heard, `done ${event.output as number}`] }) },
    },
    on: {
      POKE: { actions: sendTo('mid', { type: 'POKE' }) },
      POKE_INNER: { actions: sendTo(({ system }) => system.get('the-inner') as AnyActorRef, { type: 'POKE' }) },
      END_INNER: { actions: sendTo(({ system }) => system.get('the-inner') as AnyActorRef, { type: 'END' }) },
      '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, `${event.type} ${event['pokes'] as number}`] }) },
    },
  });
  return { nest: { machine: outer as never, version: 1 } };
}

/** References that are not to one's own children: to the parent, to oneself, to a sister, to a cousin. */
function relatives(): Kinds {
  interface Kin {
    readonly self: AnyActorRef;
    readonly kin: Record<string, AnyActorRef | undefined>;
  }
  const greet = (to: string) => sendTo(({ context }: { context: Kin }) => context.kin[to] as AnyActorRef, { type: 'GREETED', by: to });
  const kid = setup({ types: { context: {} as Kin, input: {} as { parent: AnyActorRef; sister?: AnyActorRef } } }).createMachine({
    id: 'kid',
    context: ({ input, self }) => ({ self, kin: { parent: input.parent, sister: input.sister } }),
    on: {
      CALL_PARENT: { actions: greet('parent') },
      CALL_SISTER: { actions: greet('sister') },
      CALL_SELF: { actions: sendTo(({ context }) => context.self, { type: 'GREETED' }) },
      GREETED: { actions: sendParent({ type: 'A_KID_WAS_GREETED' }) },
    },
  });
  const parent = setup({
    types: { context: {} as { heard: string[]; kids: { older: AnyActorRef; younger: AnyActorRef } } },
    actors: { kid },
  }).createMachine({
    id: 'parent',
    context: ({ spawn, self }) => {
      const older = spawn('kid', { id: 'older', input: { parent: self } });
      return { heard: [], kids: { older, younger: spawn('kid', { id: 'younger', input: { parent: self, sister: older } }) } };
    },
    on: {
      YOUNGER: {
        actions: sendTo(
          ({ context }) => context.kids.younger,
          ({ event }) => ({ type: event['say'] as string }),
        ),
      },
      '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event.type] }) },
    },
  });
  return { parent: { machine: parent as never, version: 1 } };
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'invoked and spawned machines go on where they were, found by id, by systemId and by references in a list',
    agents: () => teams,
    before: async (runtime) => {
      await runtime.spawn('team', { id: 'r' });
      await sendAll(runtime, hire('ann'), hire('bea'), 'ADD', 'COUNT_ALL', 'COUNT_ADDED');
      await durable(runtime.store, 'r', 6);
    },
    after: async (runtime) => {
      const before = await root(runtime);
      expect(Object.keys(before.children).sort()).to.deep.equal(['added', 'ann', 'bea', 'invoked']);
      const { members } = before.context as Team;
      expect(members.map((member) => member === childOf(before, member.id))).to.deep.equal([true, true]);
      for (const id of ['added', 'ann', 'bea', 'invoked']) {
        expect(childOf(before, id).system.get(`the-${id}`)).to.equal(childOf(before, id));
        expect(contextOf<{ count: number }>(childOf(before, id)).count).to.equal(1);
      }
      await sendAll(runtime, 'COUNT_ALL', 'COUNT_ADDED', hire('cat'));
      const { context } = (await root(runtime)) as { context: Team };
      expect(context.heard).to.deep.equal([1, 2].flatMap((n) => ['invoked', 'ann', 'bea', 'added'].map((name) => `COUNTED ${name} ${n}`)));
      expect(context.members.map(({ id }) => id)).to.deep.equal(['ann', 'bea', 'cat']);
      // Only what came from outside is an event of the agent: what its actors tell each other belongs to the turn.
      expect(new Set(await eventsOf(runtime.store, 'r'))).to.deep.equal(new Set(['HIRE', 'ADD', 'COUNT_ALL', 'COUNT_ADDED']));
    },
  },
  {
    name: 'a child that has ended stays ended: its output is delivered once; one that was stopped is gone',
    agents: () => teams,
    before: async (runtime) => {
      await runtime.spawn('team', { id: 'r' });
      await sendAll(runtime, hire('ann'), hire('bea'), 'COUNT_ALL', 'END_FIRST', 'END_INVOKED', 'DISMISS');
    },
    after: async (runtime) => {
      const ends = ['xstate.done.actor.ann 1', 'xstate.done.actor.invoked 1'];
      const { context, children } = (await root(runtime)) as { context: Team; children: Record<string, AnyActorRef | undefined> };
      expect(context.heard.slice(-2)).to.deep.equal(ends);
      expect(context.members.map(({ id }) => id)).to.deep.equal(['ann']);
      expect(children).not.to.have.property('bea');
      expect(children['ann']?.getSnapshot()).to.include({ status: 'done', output: 1 });
      // Nobody counts any more: what is sent to the dead changes nothing.
      await sendAll(runtime, 'COUNT_ADDED_NEVER', { type: 'HIRE', name: 'bea' } as never);
      const after = (await root(runtime)) as { context: Team; children: Record<string, AnyActorRef> };
      expect(after.context.heard.slice(-3)).to.deep.equal([...ends, 'COUNT_ADDED_NEVER']);
      expect(contextOf(after.children['bea']!)).to.deep.equal({ count: 0, name: 'bea' });
      expect(after.children['bea']!.system.get('the-bea')).to.equal(after.children['bea']);
    },
  },
  {
    name: 'machines nested two deep keep their places, their parents and their promises',
    agents: nest,
    before: async (runtime, world) => {
      await runtime.spawn('nest', { id: 'r' });
      await sendAll(runtime, 'POKE', 'POKE_INNER');
      await until(() => world.happened('work').length === 2, 'both inner machines work');
    },
    after: async (runtime, world) => {
      const agent = runtime.agent('r');
      const heardNow = async (): Promise<string[]> => ((await root(runtime)).context as { heard: string[] }).heard;
      await agent.waitFor((snapshot) => (snapshot.context as { heard: string[] }).heard.length === 5);
      expect(await heardNow()).to.deep.equal(['POKED 1', 'POKED 1', 'POKED 2', 'WORKED undefined', 'WORKED undefined']);
      expect(world.happened('work')).to.have.lengthOf(4);
      await sendAll(runtime, 'POKE', 'POKE_INNER');
      expect((await heardNow()).slice(5)).to.deep.equal(['POKED 3', 'POKED 2', 'POKED 4']);
      const snapshot = await root(runtime);
      const middle = childOf(snapshot, 'mid');
      const inner = childOf(middle.getSnapshot() as AnyMachineSnapshot, 'in.voked');
      expect(middle.system.get('the-middle')).to.equal(middle);
      expect(middle.system.get('the-inner')).to.equal(inner);
      expect(contextOf<{ ref: AnyActorRef }>(middle).ref).to.equal(middle.system.get('the-spawned'));
      expect(contextOf(inner)).to.deep.equal({ pokes: 4, worked: 'worked' });
      await sendAll(runtime, 'END_INNER');
      expect((await heardNow()).slice(8)).to.deep.equal(['done 99']);
    },
  },
  {
    name: 'references to a parent, a sister and oneself lead to the same actors as before',
    agents: relatives,
    before: async (runtime) => {
      await runtime.spawn('parent', { id: 'r' });
      await sendAll(runtime, { type: 'YOUNGER', say: 'CALL_PARENT' } as never);
    },
    after: async (runtime) => {
      for (const say of ['CALL_PARENT', 'CALL_SISTER', 'CALL_SELF']) await sendAll(runtime, { type: 'YOUNGER', say } as never);
      const snapshot = await root(runtime);
      expect(snapshot).to.include({ status: 'active' });
      expect((snapshot.context as { heard: string[] }).heard).to.deep.equal([
        'GREETED',
        'GREETED',
        'A_KID_WAS_GREETED',
        'A_KID_WAS_GREETED',
      ]);
      const younger = childOf(snapshot, 'younger');
      const { self, kin } = contextOf<{ self: AnyActorRef; kin: Record<string, AnyActorRef> }>(younger);
      expect(self).to.equal(younger);
      expect(kin['parent']).to.equal(younger._parent);
      expect(kin['sister']).to.equal(childOf(snapshot, 'older'));
    },
  },
  {
    name: 'what a child shows with onSnapshot is not shown again by coming back',
    agents: () => {
      const shown = setup({ types: { context: {} as { seen: number[] } }, actors: { counter } }).createMachine({
        id: 'shown',
        context: { seen: [] },
        invoke: {
          src: 'counter',
          id: 'kid',
          input: { name: 'kid' },
          onSnapshot: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.context.count] }) },
        },
        on: { COUNT: { actions: sendTo('kid', { type: 'COUNT' }) } },
      });
      return { shown: { machine: shown as never, version: 1 } };
    },
    before: async (runtime) => {
      await runtime.spawn('shown', { id: 'r' });
      await sendAll(runtime, 'COUNT', 'COUNT');
    },
    after: async (runtime) => {
      expect((await root(runtime)).context).to.deep.equal({ seen: [0, 1, 2] });
      await sendAll(runtime, 'COUNT');
      expect((await root(runtime)).context).to.deep.equal({ seen: [0, 1, 2, 3] });
    },
  },
  {
    name: 'a named action is recorded whatever event led to it: one with a reference, one with a snapshot',
    agents: (world) => {
      const shy = setup({ types: { context: {} as { count: number } } }).createMachine({
        id: 'shy',
        context: { count: 0 },
        entry: sendParent(({ self }) => ({ type: 'HERE_I_AM', self })),
        on: { COUNT: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
      });
      const host = setup({
        types: { context: {} as { guest?: AnyActorRef } },
        actors: { shy },
        actions: { note: (_, { what }: { what: string }) => world.happens(`noted ${what}`) },
      }).createMachine({
        id: 'host',
        context: {},
        invoke: {
          src: 'shy',
          id: 'kid',
          onSnapshot: { actions: { type: 'note', params: ({ event }) => ({ what: `snapshot ${event.snapshot.context.count}` }) } },
        },
        on: {
          HERE_I_AM: {
            actions: [assign({ guest: ({ event }) => event['self'] as AnyActorRef }), { type: 'note', params: { what: 'guest' } }],
          },
          COUNT: { actions: sendTo(({ context }) => context.guest as AnyActorRef, { type: 'COUNT' }) },
        },
      });
      return { host: { machine: host as never, version: 1 } };
    },
    before: async (runtime, world) => {
      await runtime.spawn('host', { id: 'r' });
      await sendAll(runtime, 'COUNT');
      expect(world.happened('noted')).to.include.members(['noted guest', 'noted snapshot 1']);
    },
    after: async (runtime, world) => {
      await sendAll(runtime, 'COUNT');
      expect(world.happened('noted').filter((line) => line === 'noted guest')).to.have.lengthOf(1);
      expect(world.happened('noted').filter((line) => line === 'noted snapshot 2')).to.have.lengthOf(1);
      expect((await root(runtime)).status).to.equal('active');
    },
  },
  {
    name: 'a transition function keeps its state',
    agents: () => {
      const tally = fromTransition(
        (state: Record<string, number>, event: { type: string }) => ({ ...state, [event.type]: (state[event.type] ?? 0) + 1 }),
        {},
      );
      const keeper = setup({ actors: { tally } }).createMachine({
        id: 'keeper',
        invoke: { src: 'tally', id: 'tally', systemId: 'the-tally' },
        on: { '*': { actions: sendTo('tally', ({ event }) => event) } },
      });
      return { keeper: { machine: keeper as never, version: 1 } };
    },
    before: async (runtime) => {
      await runtime.spawn('keeper', { id: 'r' });
      await sendAll(runtime, 'A', 'B', 'A');
    },
    after: async (runtime) => {
      await sendAll(runtime, 'B', 'C');
      const tally = childOf(await root(runtime), 'tally');
      expect(contextOf(tally)).to.deep.equal({ A: 2, B: 2, C: 1 });
      expect(tally.system.get('the-tally')).to.equal(tally);
    },
  },
  {
    name: 'a child that failed stays failed, and its parent has handled it once',
    agents: () => {
      const fragile = setup({}).createMachine({
        id: 'fragile',
        on: {
          BREAK: {
            actions: assign(() => {
              throw new RangeError('broken');
            }),
          },
        },
      });
      const careful = setup({ types: { context: {} as { errors: unknown[] } }, actors: { fragile } }).createMachine({
        id: 'careful',
        context: { errors: [] },
        invoke: {
          src: 'fragile',
          id: 'kid',
          onError: { actions: assign({ errors: ({ context, event }) => [...context.errors, event.error] }) },
        },
        on: { BREAK: { actions: sendTo('kid', { type: 'BREAK' }) }, ANY: {} },
      });
      return { careful: { machine: careful as never, version: 1 } };
    },
    before: async (runtime) => {
      await runtime.spawn('careful', { id: 'r' });
      await sendAll(runtime, 'BREAK');
    },
    after: async (runtime) => {
      await sendAll(runtime, 'ANY');
      const { context } = (await root(runtime)) as { context: { errors: Error[] } };
      expect(context.errors).to.have.lengthOf(1);
      expect(context.errors[0]).to.be.instanceOf(RangeError).with.property('message', 'broken');
    },
  },
];

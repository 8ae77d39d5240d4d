/**
 * The contract with XState, asked of XState itself: what `src/actors/seam.ts` and `place.ts` rely on. A new XState that changes it fails here, in
 * words that say what would break.
 */

import { expect } from 'chai';
import { Subject } from 'rxjs';
import {
  assign,
  cancel,
  createActor,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyStateMachine,
} from 'xstate';
import { persist, sameStates, sortOf } from '#src/actors/seam.js';
import { isKnown } from '#src/actors/snapshots.js';

/** XState's own machinery, as the seam sees it. */
interface Innards {
  readonly system: {
    readonly scheduler: Record<string, unknown>;
    readonly _bookId: () => string;
    readonly _relay: (source: AnyActorRef | undefined, target: AnyActorRef, event: { type: string }) => void;
  };
  readonly actionExecutor: (action: { type: string }) => void;
  readonly emit: (event: { type: string }) => void;
  readonly self: AnyActorRef;
}

/** Runs a machine and notes the actions that XState hands over, instead of doing them. */
function handedOver(
  machine: AnyStateMachine,
  ...events: readonly string[]
): { type: string; exec?: unknown; info?: object; params?: unknown }[] {
  const noted: { type: string }[] = [];
  const logic = Object.assign(Object.create(machine) as AnyStateMachine, {
    transition: (snapshot: never, event: never, scope: Innards) =>
      machine.transition(snapshot, event, { ...scope, actionExecutor: (action: { type: string }) => void noted.push(action) } as never),
  });
  const actor = createActor(logic);
  actor.subscribe({ error: () => undefined });
  actor.start();
  for (const type of events) actor.send({ type });
  actor.stop();
  return noted;
}

const nothing = (): void => undefined;
const still = createMachine({ id: 'still', on: { GREET: { actions: sendParent({ type: 'GREETED' }) } } });

describe('XState, as the seam relies on it', () => {
  it('gives its scopes and its snapshots the members that are copied one by one', () => {
    const actor = createActor(createMachine({}));
    const scope = (actor as unknown as { _actorScope: object })._actorScope;
    const members = ['self', 'id', 'sessionId', 'logger', 'defer', 'system', 'stopChild', 'emit', 'actionExecutor'];
    expect(Object.keys(scope)).to.have.members(members);
    expect(isKnown).to.equal(true);
  });

  it('hands an actor its scope, with the members that the seam replaces', () => {
    let scope: Innards | undefined;
    const logic = Object.assign(Object.create(still) as AnyStateMachine, {
      getInitialSnapshot: (given: Innards, input: never) => {
        scope = given;
        return still.getInitialSnapshot(given as never, input);
      },
    });
    const actor = createActor(logic) as unknown as AnyActorRef;
    expect(scope?.actionExecutor, 'scope.actionExecutor: effects would be done at once').to.be.a('function');
    expect(scope?.emit, 'scope.emit: emitted events would leave before the commit').to.be.a('function');
    for (const name of ['schedule', 'cancel', 'cancelAll']) {
      expect(scope?.system.scheduler[name], `system.scheduler.${name}: timers would be XState's own`).to.be.a('function');
    }
    expect(scope?.system._bookId, 'system._bookId: session ids would depend on the process').to.be.a('function');
    expect(scope?.system._relay, 'system._relay: events from outside a turn would not be journaled').to.be.a('function');
    expect((actor as unknown as { _stop: unknown })._stop, 'actor._stop: a reference to a dead actor could not come back').to.be.a(
      'function',
    );
    expect(actor, 'actor.logic: a named action could not be found again').to.have.property('logic', logic);
  });

  it('asks the scope for the names of actors and gives a child its parent', () => {
    const parent = createActor(createMachine({ invoke: { src: still, id: 'kid' } })).start();
    const kid = parent.getSnapshot().children['kid'] as AnyActorRef;
    expect(kid._parent, 'actor._parent: paths could not be made').to.equal(parent);
    expect(kid.system, 'one system for the whole tree').to.equal(parent.system);
    parent.stop();
  });

  it('hands every effect to the executor under the type that the seam knows, and resolves assign inside', () => {
    const machine = setup({ actions: { named: nothing }, actors: { still } }).createMachine({
      entry: spawnChild('still', { id: 'kid' }),
      on: {
        GO: {
          actions: [
            'named',
            { type: 'named', params: { n: 1 } } as never,
            nothing,
            assign({}),
            raise({ type: 'NOW' }),
            raise({ type: 'LATER' }, { delay: 5, id: 'later' }),
            cancel('later'),
            emit({ type: 'EMITTED' } as never),
            log('said'),
            sendTo('kid', { type: 'GREET' }),
            sendTo('kid', { type: 'GREET' }, { delay: 5 }),
            enqueueActions(({ enqueue }) => {
              enqueue('named' as never);
              enqueue.emit({ type: 'EMITTED' } as never);
              enqueue.assign({});
              enqueue.cancel('later');
            }),
            stopChild('kid'),
          ],
        },
      },
    });
    const actions = handedOver(machine, 'GO');
    expect(
      actions.map(({ type }) => type),
      'collecting() in seam.ts knows these types; one more or less would be done at once or never',
    ).to.deep.equal([
      'named',
      'named',
      'nothing',
      'xstate.raise',
      'xstate.raise',
      'xstate.cancel',
      'xstate.emit',
      'xstate.log',
      'xstate.sendTo',
      'xstate.sendTo',
      'named',
      'xstate.emit',
      'xstate.cancel',
      'xstate.stopChild',
    ]);
    expect(actions[1], 'params are resolved when the action is handed over').to.deep.include({ params: { n: 1 } });
    expect(actions[0]?.info, 'info holds what the action is called with').to.include.all.keys('context', 'event', 'self', 'system');
    expect(actions[0]?.exec, 'a registered action is known by its function').to.equal(machine.implementations.actions.named);
    expect(handedOver(createMachine({ on: { GO: { actions: sendParent({ type: 'UP' }) } } }), 'GO')[0]?.type).to.equal(undefined);
  });

  it('finds an inline invoked logic by its place and restores it by that name', () => {
    const inline = createMachine({ id: 'm', initial: 'on', states: { on: { invoke: [{ src: still }, { src: still, id: 'named' }] } } });
    const actor = createActor(inline).start();
    const children = actor.getSnapshot().children as Record<string, AnyActorRef & { src: unknown }>;
    expect(Object.entries(children).map(([id, { src }]) => [id, src])).to.deep.equal([
      ['0.m.on', 'xstate.invoke.0.m.on'],
      ['named', 'xstate.invoke.1.m.on'],
    ]);
    const again = createActor(inline, { snapshot: actor.getPersistedSnapshot() }).start();
    expect(Object.keys(again.getSnapshot().children)).to.deep.equal(['0.m.on', 'named']);
    actor.stop();
    again.stop();
  });

  it('makes promises, callbacks, observables and transition functions that can be told apart by their transition', () => {
    const made = (): [string, AnyActorLogic][] => [
      ['machine', still as unknown as AnyActorLogic],
      ['promise', fromPromise(async () => 1)],
      ['callback', fromCallback(nothing)],
      ['observable', fromObservable(() => new Subject())],
      ['observable', fromEventObservable(() => new Subject() as never)],
      ['transition', fromTransition((state) => state, 0)],
    ];
    for (const [sort, logic] of made()) expect(sortOf(logic), sort).to.equal(sort);
    const texts = made().map(([, { transition }]) => String(transition));
    expect(new Set(texts).size, 'two sorts with one text').to.equal(texts.length);
  });

  it('settles a promise actor by the events that the seam sends', () => {
    for (const [type, status] of [
      ['xstate.promise.resolve', 'done'],
      ['xstate.promise.reject', 'error'],
    ] as const) {
      const actor = createActor(fromPromise(() => new Promise<number>(nothing)));
      actor.subscribe({ error: nothing });
      actor.start();
      (actor as unknown as Innards).system._relay(actor, actor, { type, data: 7 } as never);
      expect(actor.getSnapshot(), type).to.include({ status, [status === 'done' ? 'output' : 'error']: 7 });
    }
  });

  it('persists no more of a machine than the seam does, and references to children by id', () => {
    const inner = createMachine({
      id: 'inner',
      initial: 'a',
      states: {
        a: {
          initial: 'one',
          states: { one: { on: { NEXT: 'two' } }, two: {}, back: { type: 'history', history: 'deep' } },
          on: { OUT: 'b' },
        },
        b: { on: { BACK: 'a.back', END: 'c' } },
        c: { type: 'final' },
      },
      output: 'the end',
    });
    const machine = setup({
      types: { context: {} as { list: (AnyActorRef | number | undefined)[]; deep: { none: undefined } } },
      actors: { still, inner, work: fromPromise(() => new Promise(nothing)) },
    }).createMachine({
      context: { list: [1, undefined], deep: { none: undefined } },
      invoke: [
        { src: 'inner', id: 'inner', onSnapshot: {} },
        { src: 'work', id: 'work', input: { of: 'work' } },
      ],
      on: {
        SPAWN: { actions: assign({ list: ({ context, spawn }) => [...context.list, spawn('still', { id: 'kid', systemId: 'the-kid' })] }) },
        PASS: { actions: sendTo('inner', ({ event }) => ({ type: (event as unknown as { on: string }).on })) },
      },
    });
    const actor = createActor(machine).start();
    const text = (value: unknown): string => JSON.stringify(value);
    const same = (): void => {
      expect(text(persist(actor as AnyActorRef))).to.equal(text(actor.getPersistedSnapshot()));
    };
    same();
    actor.send({ type: 'SPAWN' });
    same();
    for (const on of ['NEXT', 'OUT', 'BACK', 'OUT', 'END']) {
      actor.send({ type: 'PASS', on } as never);
      same();
    }
    expect(actor.getPersistedSnapshot()).to.have.nested.property('children.inner.snapshot.historyValue');
    expect(text(persist(actor as AnyActorRef)))
      .to.include('{"xstate$$type":1,"id":"kid"}')
      .and.include('the end');
    actor.stop();
  });

  it('keeps the list of active states when none was left or entered, and makes a new one otherwise', () => {
    const actor = createActor(createMachine({ initial: 'a', states: { a: { on: { STAY: {}, GO: 'b' } }, b: {} } })).start();
    const before = actor.getSnapshot();
    actor.send({ type: 'STAY' });
    expect(sameStates(before, actor.getSnapshot()), 'every turn would be a semantic boundary').to.equal(true);
    actor.send({ type: 'GO' });
    expect(sameStates(before, actor.getSnapshot()), 'no turn would be a semantic boundary').to.equal(false);
    actor.stop();
  });
});

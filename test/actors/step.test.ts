/** A machine takes an event as XState does, whichever way it goes; and goes the shorter way where that is meant to be gone. */

import { expect } from 'chai';
import fc from 'fast-check';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import sinon from 'sinon';
import {
  assign,
  cancel,
  createActor,
  createMachine,
  emit,
  enqueueActions,
  fromPromise,
  log,
  raise,
  sendTo,
  spawnChild,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
} from 'xstate';
import { durable, persist, settlePromise } from '#src/actors/seam.js';
import type { StepScope } from '#src/actors/plans.js';
import { stepper } from '#src/actors/step.js';
import { Recorder, unsavable } from './recorder.js';

const nothing = (): void => undefined;
const events = ['E.0', 'E.1', 'E.2', 'E.3'] as const;

/** Machines made by chance may go round for ever: what keeps them going throws after a while. */
let burnt = 0;
const burn = <T>(value: T): T => {
  if ((burnt += 1) > 12) throw new Error('round and round');
  return value;
};

/** Every sort of action that a state or a transition may have. `bad` throws once the context has come so far. */
const actions = {
  count: assign({ n: ({ context }: { context: Context }) => context.n + 1 }),
  name: assign(({ event }: { event: EventObject }) => ({ last: event.type })),
  spawn: assign({
    kid: ({ spawn, context }: { spawn: (src: string, options: object) => AnyActorRef; context: Context }) => (
      spawn('child', { id: `kid ${String(context.n)}` }),
      context.n
    ),
  } as never),
  bad: assign(({ context }: { context: Context }) => {
    if (context.n > 6) throw new Error('bad');
    return {};
  }),
  custom: nothing,
  emitted: emit({ type: 'EMITTED' } as never),
  said: log(({ context }: { context: Context }) => `n is ${String(context.n)}`),
  later: raise({ type: 'E.0' }, { delay: 50, id: 'later' }),
  never: cancel('later'),
  soon: raise(() => burn({ type: 'E.3' })),
  parameters: assign((_, by: { by: number }) => ({ last: `by ${String(by.by)}` })) as never,
  several: enqueueActions(({ enqueue }) => {
    burn(enqueue)('count');
    enqueue.raise({ type: 'E.2' });
  }),
  told: sendTo('child-0', { type: 'PING' }),
  begun: spawnChild('child', { id: 'begun' }),
} as const;

interface Context {
  readonly n: number;
  readonly last: string;
}

const child = createMachine({
  id: 'child',
  initial: 'here',
  states: {
    here: {
      entry: enqueueActions(({ enqueue }) => {
        if ((burnt += 1) < 12) enqueue.sendParent({ type: 'E.1' });
      }),
      on: { PING: 'there' },
    },
    there: {},
  },
});
const actors = {
  child,
  silent: createMachine({ id: 'silent', context: ({ input }) => ({ input: input as unknown }) }),
  call: fromPromise(({ input }) => Promise.resolve(input)),
};

const name = fc.constantFrom(...Object.keys(actions).filter((action) => action !== 'parameters'));
/** Those that the shorter way knows, mostly. */
const simple = fc.constantFrom('count', 'name', 'custom', 'emitted', 'said', 'later', 'never', 'spawn', 'bad', 'missing');
const action = fc.oneof(
  { weight: 8, arbitrary: simple as fc.Arbitrary<unknown> },
  { weight: 1, arbitrary: name },
  { weight: 1, arbitrary: fc.constant({ type: 'parameters', params: { by: 3 } }) },
  { weight: 1, arbitrary: fc.constantFrom({ type: 'count' }, { type: 'custom' }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(nothing, assign({ last: 'inline' }), () => nothing) },
);
const some = fc.array(action, { maxLength: 2 });
const ids = ['a', 'b', 'c', 'a1', 'a2', 'b1', 'b2'] as const;
const transition = fc.record({
  target: fc.option(fc.constantFrom(...ids.map((id) => `#${id}`)), { nil: undefined, freq: 6 }),
  reenter: fc.boolean(),
  actions: some,
  guard: fc.option(fc.constantFrom('even', 'odd'), { nil: undefined, freq: 2 }),
});
const invocation = fc.constantFrom<unknown>(
  { src: 'call', id: 'call', input: ({ context }: { context: Context }) => context.n, onDone: { target: '#b', actions: 'count' } },
  { src: fromPromise(() => Promise.resolve(1)), systemId: 'caller', onDone: '#c', onError: { actions: 'name' } },
  { src: 'call', id: 'refused', input: unsavable, onError: { target: '#c', actions: 'name' } },
  {
    src: 'call',
    id: 'thrown',
    systemId: '',
    input: ({ context }: { context: Context }) => {
      if (context.n === 2) throw new Error('no input');
      return context.n;
    },
  },
  { src: 'child', id: 'child-0' },
  { src: 'silent', id: 'silent', systemId: 'named', input: 3, onSnapshot: { actions: 'count' } },
);
const state = fc.record({
  entry: some,
  exit: some,
  tags: fc.subarray(['red', 'green']),
  on: fc.dictionary(fc.constantFrom(...events, 'E.*'), fc.oneof(transition, fc.array(transition, { minLength: 1, maxLength: 2 })), {
    maxKeys: 3,
  }),
  invoke: fc.array(invocation, { maxLength: 1 }),
  after: fc.option(fc.record({ 70: transition }), { nil: undefined, freq: 4 }),
});
type State = Record<string, unknown>;
const tree = fc
  .record({
    root: state,
    states: fc.array(state, { minLength: 7, maxLength: 7 }),
    /** What is not a chain of states is XState's. */
    form: fc.constantFrom('chain', 'chain', 'chain', 'final', 'parallel', 'history'),
    flat: fc.boolean(),
    context: fc.constantFrom<unknown>(
      { n: 0, last: '' },
      ({ input }: { input: number }) => ({ n: input, last: '' }),
      ({ spawn, self }: { spawn: (src: string, options: object) => AnyActorRef; self: AnyActorRef }) => {
        spawn('child', { id: 'first' });
        return { n: 0, last: self.id };
      },
      () => {
        throw new Error('no context');
      },
    ),
    output: fc.constantFrom<unknown>(undefined, 'over', ({ context, event }: { context: Context; event: EventObject }) => {
      if (context.n === 3) throw new Error('no output');
      return `${event.type} ${String(context.n)}`;
    }),
    lastOutput: fc.constantFrom<unknown>(undefined, undefined, 'own'),
  })
  .map(({ root, states, form, flat, context, output, lastOutput }): State => {
    const [a, b, c, a1, a2, b1, b2] = states.map((one, at) => ({ ...one, id: ids[at] })) as unknown as [
      State,
      State,
      State,
      State,
      State,
      State,
      State,
    ];
    const inside = (parent: State, one: State, two: State): State => ({ ...parent, initial: 'one', states: { one, two } });
    const last = form === 'final' ? { type: 'final', id: 'c', entry: c['entry'], exit: c['exit'], output: lastOutput } : c;
    const within =
      form === 'history'
        ? {
            ...a2,
            type: 'history',
            target: '#a1',
            entry: undefined,
            exit: undefined,
            on: undefined,
            invoke: undefined,
            after: undefined,
            tags: undefined,
          }
        : a2;
    const parallel = { ...b, type: 'parallel', states: { one: b1, two: b2 } };
    return {
      ...root,
      id: 'root',
      initial: 'a',
      context,
      output,
      states: flat
        ? { a, b, c: last, a1, a2: within.type === 'history' ? a2 : within, b1, b2 }
        : { a: inside(a, a1, within), b: form === 'parallel' ? parallel : inside(b, b1, b2), c: last },
    };
  });
const guards = {
  even: ({ context }: { context: Context }) => context.n % 2 === 0,
  odd: ({ context }: { context: Context }) => context.n % 2 === 1,
};

function machineOf(config: State, byXState: boolean): AnyStateMachine {
  // A machine with an `always` goes XState's way, always.
  const own = byXState ? { ...config, always: { guard: () => false } } : config;
  return createMachine(own as never, { actions, actors, guards } as never) as unknown as AnyStateMachine;
}

type Happening =
  | { readonly send: string }
  | { readonly settle: number; readonly ok: boolean }
  /** It leaves memory and comes back, as it was written down. */
  | { readonly restored: true }
  | { readonly touch: number; readonly by: 'send' | 'subscribe' | 'on' | 'sendAlone' };

/** Somebody who looks and cannot keep still: at the so manieth word about a promise's actor. */
interface Meddling {
  readonly at: number;
  readonly by: 'send' | 'subscribe' | 'tellRoot';
}

/** All that can be seen of a machine from outside while things happen to it, from its first moment. */
function observe(config: State, happenings: readonly Happening[], meddling: Meddling, byXState: boolean): unknown[] {
  const seen: unknown[] = [];
  burnt = 0;
  const machine = machineOf(config, byXState);
  let agent: Recorder;
  let words = 0;
  const adopted = (root: AnyActorRef): void =>
    void root.system.inspect((inspected) => {
      const { actorRef } = inspected as unknown as { readonly actorRef: AnyActorRef };
      if (inspected.type === '@xstate.microstep') {
        const { snapshot, event, _transitions: taken } = inspected;
        const { value, status, context } = snapshot as AnyMachineSnapshot;
        seen.push([actorRef.id, event.type, value, status, context, taken.map(({ eventType }) => eventType)]);
      } else if (inspected.type === '@xstate.action') seen.push([actorRef.id, inspected.action.type]);
      else if (inspected.type === '@xstate.actor') seen.push([actorRef.id, actorRef.src]);
      else if (inspected.type === '@xstate.event') {
        seen.push([(inspected.sourceRef as AnyActorRef | undefined)?.id, actorRef.id, inspected.event]);
      } else {
        const { snapshot, event } = inspected;
        const { status, value, context, input, output } = snapshot as AnyMachineSnapshot & { readonly input: unknown };
        seen.push([actorRef.id, event.type, status, value, context, input, output]);
      }
      if (actorRef.src === 'call' && (words += 1) === meddling.at) meddle(actorRef, meddling.by, root, seen);
    });
  try {
    // The first of a machine is XState's, whichever way the others begin.
    Recorder.run(machine, { input: 1 });
    burnt = 0;
    agent = Recorder.run(machine, { input: 7, adopted });
  } catch (error) {
    return [String(error)];
  }
  agent.root.subscribe({ error: nothing });
  const look = (): void => {
    const { value, context, status, tags, children, _nodes: nodes, error, output } = agent.snapshot();
    if (tags === undefined) {
      // Older XStates show no more of one that has failed at its start.
      seen.push({ status, error: String(error) });
      return;
    }
    const ids = (nodes as { id: string }[]).map(({ id }) => id);
    seen.push({ value, context, status, tags: [...tags], nodes: ids, error: String(error), output: output as unknown });
    seen.push(
      Object.entries(children as Record<string, AnyActorRef | undefined>).map(([id, one]) => [
        id,
        one?.id,
        one?.sessionId,
        one?.getSnapshot().status,
      ]),
    );
    seen.push(Object.keys(agent.snapshot()), agent.snapshot().can({ type: 'E.1' }), agent.snapshot().matches('a'), agent.asked());
    seen.push(JSON.parse(JSON.stringify(persist(agent.root))), agent.root.system.get('caller')?.sessionId);
  };
  look();
  for (const happening of happenings) {
    if ('send' in happening) agent.send(happening.send);
    else if ('touch' in happening) touch(agent, happening, seen);
    else if ('restored' in happening) {
      try {
        agent = Recorder.run(machine, { snapshot: JSON.parse(JSON.stringify(persist(agent.root))), adopted });
      } catch (error) {
        return [...seen, String(error)];
      }
      agent.root.subscribe({ error: nothing });
    } else {
      const promises = [...agent.promises.values()];
      const promise = promises[happening.settle % Math.max(1, promises.length)];
      if (promise !== undefined) {
        const outcome = happening.ok ? ({ ok: true, value: 7 } as const) : ({ ok: false, error: new Error('no') } as const);
        agent.turn(() => settlePromise(promise.actor, outcome));
      }
    }
    look();
  }
  return seen;
}

/** What one may do with a promise's actor besides waiting for it. */
function touch(agent: Recorder, { touch: at, by }: Extract<Happening, { readonly touch: number }>, seen: unknown[]): void {
  const promises = [...agent.promises.values()];
  const actor = promises[at % Math.max(1, promises.length)]?.actor;
  if (actor === undefined) return;
  switch (by) {
    case 'send':
      agent.turn(() => actor.send({ type: 'PING' } as never));
      break;
    case 'sendAlone': {
      const { send } = actor;
      agent.turn(() => send({ type: 'PING' } as never));
      break;
    }
    case 'on':
      actor.on('*', nothing as never);
      break;
    case 'subscribe':
      actor.subscribe({
        next: (snapshot) => seen.push(['next', actor.id, snapshot]),
        error: (error) => seen.push(['error', actor.id, String(error)]),
        complete: () => seen.push(['complete', actor.id]),
      });
  }
}

function meddle(actor: AnyActorRef, by: Meddling['by'], root: AnyActorRef, seen: unknown[]): void {
  if (by === 'send') actor.send({ type: 'PING' } as never);
  else if (by === 'tellRoot') root.send({ type: 'E.0' } as never);
  else actor.subscribe({ next: ({ status }) => seen.push(['seen', status]), complete: () => seen.push('complete'), error: nothing });
}

describe('a step', () => {
  let faked: sinon.SinonFakeTimers;
  beforeEach(() => (faked = sinon.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })));
  afterEach(() => faked.restore());

  it('comes to what XState comes to, for any machine and any events', () => {
    const happening: fc.Arbitrary<Happening> = fc.oneof(
      fc.record({ send: fc.constantFrom<string>(...events, 'xstate.after.70.a', 'xstate.after.70.root', 'OTHER') }),
      fc.record({ settle: fc.nat(3), ok: fc.boolean() }),
      fc.record({ restored: fc.constant(true as const) }),
      fc.record({ touch: fc.nat(3), by: fc.constantFrom('send', 'subscribe', 'on', 'sendAlone') }),
    );
    const meddling = fc.record({
      at: fc.integer({ min: -20, max: 12 }),
      by: fc.constantFrom<Meddling['by']>('send', 'subscribe', 'tellRoot'),
    });
    fc.assert(
      fc.property(tree, fc.array(happening, { maxLength: 8 }), meddling, (config, happenings, how) => {
        expect(observe(config, happenings, how, false)).to.deep.equal(observe(config, happenings, how, true));
      }),
      { numRuns: Number(process.env['STEP_RUNS'] ?? 1_000) },
    );
  });

  it('goes the shorter way from state to state, and leaves to XState what it does not know', () => {
    const inside = { initial: 'one', states: { one: { on: { UP: '#flat' } }, two: {} } };
    const config = {
      id: 'root',
      initial: 'flat',
      context: { n: 0, last: '' },
      states: {
        flat: {
          id: 'flat',
          exit: 'count',
          after: { 70: 'other' },
          on: {
            GO: { target: 'other', actions: ['count', nothing, 'emitted', 'said', 'later', 'never', { type: 'custom' }] },
            DEEP: 'nested.two',
            INITIAL: 'nested',
            RAISES: { target: 'other', actions: 'soon' },
            PARAMETERS: { target: 'other', actions: { type: 'parameters', params: { by: 1 } } },
            ENDS: 'end',
            CLOSES: 'closed',
            SELF: { target: 'flat', reenter: true },
          },
        },
        other: {
          invoke: [{ src: 'call', id: 'call' }, { src: fromPromise(() => Promise.resolve(1)) }],
          entry: 'name',
          on: { BACK: 'flat' },
        },
        missing: { invoke: { src: 'none' } },
        nested: inside,
        end: { type: 'final', exit: 'said' },
        closed: { type: 'final', output: 1 },
      },
      on: { ANY: '.flat', MISSING: '.missing' },
    };
    const tried = (from: object, type: string): string => {
      burnt = 0;
      const machine = machineOf(config, false);
      const { take } = stepper(machine);
      const self = createActor(machine, {
        snapshot: machine.resolveState({ value: from as never, context: { n: 0, last: '' } }),
      }).start() as AnyActorRef;
      const transition = sinon.spy(machine, 'transition');
      const scope = { ...(self as unknown as { _actorScope: object })._actorScope, actionExecutor: nothing } as unknown as StepScope;
      const next = take(self.getSnapshot() as AnyMachineSnapshot, { type }, scope);
      const way = transition.called ? 'by XState' : 'shorter';
      self.stop();
      return `${JSON.stringify(next.value)} ${way}`;
    };
    const flat = 'flat' as never;
    expect(tried(flat, 'GO')).to.equal('"other" shorter');
    expect(tried(flat, 'xstate.after.70.flat')).to.equal('"other" shorter');
    expect(tried('other' as never, 'BACK')).to.equal('"flat" shorter');
    expect(tried(flat, 'DEEP')).to.equal('{"nested":"two"} shorter');
    expect(tried({ nested: 'one' }, 'UP')).to.equal('"flat" shorter');
    expect(tried({ nested: 'two' }, 'ANY')).to.equal('"flat" shorter');
    expect(tried(flat, 'ANY')).to.equal('"flat" shorter');
    expect(tried(flat, 'INITIAL')).to.equal('{"nested":"one"} by XState');
    expect(tried(flat, 'RAISES')).to.equal('"other" by XState');
    expect(tried(flat, 'PARAMETERS')).to.equal('"other" by XState');
    expect(tried(flat, 'ENDS')).to.equal('"end" shorter');
    expect(tried(flat, 'CLOSES')).to.equal('"closed" by XState');
    expect(tried(flat, 'SELF')).to.equal('"flat" by XState');
    expect(tried(flat, 'MISSING')).to.equal('"missing" by XState');
    expect(tried(flat, 'UNKNOWN')).to.equal('"flat" by XState');
  });

  const inner = { initial: 'x', states: { x: { on: { GO: 'y' } }, y: { on: { GO: 'x' } } } };
  const tagged = createMachine(
    { id: 'tagged', initial: 'a', context: { n: 0 }, states: { a: { ...inner, tags: ['red'], invoke: { src: 'call', id: 'call' } } } },
    { actors },
  );

  it('begins all but the first by itself, and each with parts of its own', () => {
    Recorder.run(tagged);
    const first = sinon.spy(Object.getPrototypeOf(durable(tagged)) as AnyStateMachine, 'getInitialSnapshot');
    const [one, other] = [Recorder.run(tagged), Recorder.run(tagged)];
    first.restore();
    expect(first.callCount).to.equal(0);
    for (const turn of ['none', 'GO']) {
      for (const agent of [one, other]) if (turn === 'GO') agent.send('GO');
      // Whoever does this harms himself.
      const { tags, value, historyValue, _nodes: nodes } = one.snapshot() as unknown as Record<string, object>;
      (tags as Set<string>).clear();
      Object.assign(historyValue as object, { gone: [] });
      const { a } = value as { a: string };
      (value as { a: string }).a = 'gone';
      (nodes as unknown[]).reverse();
      for (const agent of [other, Recorder.run(tagged)]) {
        const { tags: its, value: where, historyValue: before, _nodes: active } = agent.snapshot() as unknown as Record<string, object>;
        expect([[...(its as Set<string>)], Object.keys(where as object), before]).to.deep.equal([['red'], ['a'], {}]);
        expect((active as { id: string }[])[0]?.id).to.equal('tagged');
      }
      expect((other.snapshot().value as { a: string }).a).to.equal(a);
      (value as { a: string }).a = a;
      (nodes as unknown[]).reverse();
    }
  });

  it('keeps nothing of one agent for the others', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const machine = createMachine(
      { id: 'kept', initial: 'a', context: () => ({ large: [] }), states: { a: { invoke: { src: 'call' } } } },
      { actors },
    );
    const kept = ((agent: Recorder) => [new WeakRef(agent.root), new WeakRef(agent.context())])(Recorder.run(machine));
    for (let tried = 0; tried < 10 && kept.some((one) => one.deref() !== undefined); tried += 1) {
      await new Promise<void>((resolve) => queueMicrotask(resolve));
      faked.restore();
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    expect(kept.map((one) => one.deref())).to.deep.equal([undefined, undefined]);
    expect(Recorder.run(machine).snapshot().value).to.equal('a');
  });
});

/** A machine as data: everything that a picture of it shows, and nothing that JSON cannot hold. */

import { expect } from 'chai';
import {
  and,
  assign,
  cancel,
  createMachine,
  emit,
  fromCallback,
  fromPromise,
  not,
  or,
  raise,
  sendTo,
  setup,
  stateIn,
  type AnyStateMachine,
} from 'xstate';
import { activity, chartOf, createRuntime, memory, reply, spawnAgent, tell, type ChartState, type ChartTransition } from 'statewarden';

const stateAt = (machine: AnyStateMachine, ...path: string[]): ChartState => {
  let state = chartOf(machine).root;
  for (const key of path) state = state.states?.find((child) => child.key === key) as ChartState;
  return state;
};
const transitionsOf = (machine: AnyStateMachine, ...path: string[]): readonly ChartTransition[] =>
  stateAt(machine, ...path).transitions ?? [];

describe('a machine as data', () => {
  it('has its states, nested, in order, with what they are', () => {
    const machine = createMachine({
      id: 'm',
      initial: 'b',
      states: {
        b: { tags: ['busy'], meta: { lane: 2, draw: () => 1 }, description: 'at work' },
        a: {
          initial: 'x',
          states: { x: {}, h: { type: 'history', history: 'deep', target: 'x' }, end: { type: 'final' } },
        },
        p: { type: 'parallel', states: { one: {}, two: { id: 'mine' } } },
      },
    });
    expect(JSON.parse(JSON.stringify(chartOf(machine)))).to.deep.equal(chartOf(machine));
    const { root } = chartOf(machine);
    expect(root.initial).to.deep.equal(['m.b']);
    expect(root.states?.map(({ key, type }) => `${key} ${type}`)).to.deep.equal(['b atomic', 'a compound', 'p parallel']);
    expect(stateAt(machine, 'b')).to.deep.equal({
      id: 'm.b',
      key: 'b',
      type: 'atomic',
      tags: ['busy'],
      meta: { lane: 2 },
      description: 'at work',
    });
    expect(stateAt(machine, 'a', 'h')).to.deep.equal({ id: 'm.a.h', key: 'h', type: 'history', history: 'deep', initial: ['m.a.x'] });
    expect(stateAt(machine, 'p').states?.map(({ id }) => id)).to.deep.equal(['m.p.one', 'mine']);
  });

  it('has its transitions, the eventless ones too, with guards, actions and targets', () => {
    const machine = setup({
      types: { context: {} as { n: number } },
      guards: { rich: () => true, old: () => true },
      actions: { note: () => undefined },
    }).createMachine({
      id: 'm',
      context: { n: 0 },
      initial: 'a',
      on: { '*': { actions: 'note' }, TO: '.b' },
      states: {
        a: {
          always: [
            { guard: stateIn('#m.b'), target: 'b' },
            { guard: () => false, target: 'c' },
          ],
          on: {
            GO: {
              guard: and(['rich', not('old'), or(['rich', 'old'])]),
              target: 'b',
              actions: [assign({ n: 1 }), { type: 'note' }],
              description: 'on',
            },
            AGAIN: { target: 'a', reenter: true },
            PICK: [{ guard: 'rich', target: 'b' }, 'c'],
            NEVER: undefined,
          },
        },
        b: { onDone: 'c', initial: 'x', states: { x: { type: 'final' } } },
        c: {},
      },
    });
    expect(transitionsOf(machine)).to.deep.equal([
      { trigger: 'on', event: '*', label: '*', actions: ['note'] },
      { trigger: 'on', event: 'TO', label: 'TO', target: ['m.b'] },
    ]);
    expect(transitionsOf(machine, 'a')).to.deep.equal([
      { trigger: 'always', event: '', label: 'always', guard: 'stateIn(#m.b)', target: ['m.b'] },
      { trigger: 'always', event: '', label: 'always', guard: 'inline', target: ['m.c'] },
      {
        trigger: 'on',
        event: 'GO',
        label: 'GO',
        guard: 'and(rich, not(old), or(rich, old))',
        target: ['m.b'],
        actions: ['assign', 'note'],
        description: 'on',
      },
      { trigger: 'on', event: 'AGAIN', label: 'AGAIN', target: ['m.a'], reenter: true },
      { trigger: 'on', event: 'PICK', label: 'PICK', guard: 'rich', target: ['m.b'] },
      { trigger: 'on', event: 'PICK', label: 'PICK', target: ['m.c'] },
      { trigger: 'on', event: 'NEVER', label: 'NEVER' },
    ]);
    expect(transitionsOf(machine, 'b')).to.deep.equal([
      { trigger: 'done', event: 'xstate.done.state.m.b', label: 'done', target: ['m.c'] },
    ]);
  });

  it('has delays in words, by name and by function, and does not show how XState sets them', () => {
    const machine = setup({ delays: { slowly: 5_000, '1.5': 3 } }).createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: {
          entry: raise({ type: 'HI' }),
          exit: cancel('mine'),
          after: { 1500: 'b', slowly: 'b', 172800000: 'b', 90_001: { actions: raise({ type: 'HI' }) } },
        },
        b: {},
      },
    });
    expect(transitionsOf(machine, 'a').map(({ label, delay }) => [label, delay])).to.deep.equal([
      ['after 1.5 s', 1_500],
      ['after 90001 ms', 90_001],
      ['after 2 d', 172_800_000],
      ['after slowly', 'slowly'],
    ]);
    const { entry, exit } = stateAt(machine, 'a');
    expect([entry, exit]).to.deep.equal([['raise(HI)'], ['cancel(mine)']]);
  });

  it('has what it invokes, with the transitions that belong to it, and the machines inside', () => {
    const inner = createMachine({ id: 'inner', initial: 'i', states: { i: {} } });
    const machine = setup({
      actors: { pay: activity({ name: 'pay', run: async () => 1 }), inner, listen: fromCallback(() => undefined) },
    }).createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: {
          entry: [
            raise({ type: 'R' }),
            sendTo('bank', { type: 'PAY' }),
            sendTo(({ self }) => self, { type: 'X' }),
            emit({ type: 'E' }),
            tell('log', { type: 'L' }),
            tell(
              () => 'log',
              () => ({ type: 'L' }),
            ),
            reply(1),
            spawnAgent('log', { id: 'x' }),
            () => undefined,
          ],
          invoke: [
            { id: 'bank', src: 'pay', onDone: 'b', onError: { target: 'b', actions: 'x' as never }, onSnapshot: { actions: 'y' as never } },
            { src: fromPromise(async () => 1), onDone: 'b' },
            { id: 'deep', src: createMachine({ id: 'hidden' }) as never },
          ],
        },
        b: {},
      },
    });
    const a = stateAt(machine, 'a');
    expect(a.entry).to.deep.equal([
      'raise(R)',
      'sendTo(bank, PAY)',
      'sendTo(…, X)',
      'emit(E)',
      'tell(log, L)',
      'tell(…, …)',
      'reply',
      'spawnAgent(log)',
      'inline',
    ]);
    expect(a.invoke).to.deep.equal([
      { id: 'bank', src: 'pay' },
      { id: '1.m.a', src: 'xstate.invoke.1.m.a', inline: true },
      { id: 'deep', src: 'xstate.invoke.2.m.a', inline: true },
    ]);
    expect(a.transitions?.map(({ trigger, label, of }) => [trigger, label, of])).to.deep.equal([
      ['done', 'done: bank', 'bank'],
      ['error', 'error: bank', 'bank'],
      ['snapshot', 'snapshot: bank', 'bank'],
      ['done', 'done: 1.m.a', '1.m.a'],
    ]);
    const { actors } = chartOf(machine);
    expect(Object.entries(actors ?? {}).map(([name, { sort, chart }]) => [name, sort, chart?.id])).to.deep.equal([
      ['inner', 'machine', 'inner'],
      ['listen', 'callback', undefined],
      ['pay', 'promise', undefined],
      ['hidden', 'machine', 'hidden'],
    ]);
  });

  it('is drawn once where it contains itself', () => {
    const actors: Record<string, never> = {};
    const machine = setup({ actors }).createMachine({ id: 'm' });
    machine.implementations.actors['self'] = machine as never;
    expect(chartOf(machine).actors).to.deep.equal({ self: { sort: 'machine' } });
  });

  it('is kept by the store, beside what checkpoints are compared with', async () => {
    const machine = createMachine({ id: 'm', initial: 'a', states: { a: { always: 'b' }, b: {} } });
    await using runtime = await createRuntime({ store: memory(), agents: { kind: { machine, version: 3 } } });
    const [record] = await runtime.store.machines('kind');
    expect((JSON.parse(record?.definition ?? '{}') as { chart: unknown }).chart).to.deep.equal(chartOf(machine));
  });
});

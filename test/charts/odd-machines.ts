/** Machines that are hard to draw, one difficulty each. */

import { and, assign, createMachine, fromPromise, not, raise, setup, stateIn, type AnyStateMachine } from 'xstate';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
type States = Record<string, object>;

/** States in a ring, each of which also leads elsewhere. */
function web(count: number, name: (n: number) => string): States {
  return Object.fromEntries(
    numbers(count).map((n) => [
      name(n),
      {
        on: { [`NEXT_${n}`]: name((n + 1) % count), ...(n % 3 === 0 ? { [`JUMP_${n}`]: name((n * 7 + 3) % count) } : {}) },
        ...(n % 5 === 0 ? { after: { [1_000 * (n + 1)]: name((n + 2) % count) } } : {}),
      },
    ]),
  );
}

/** Rooms of states, with ways between the rooms. */
export function rooms(count: number, each: number): AnyStateMachine {
  const room = (n: number): string => `room${n}`;
  const states = Object.fromEntries(
    numbers(count).map((n) => [
      room(n),
      {
        initial: `s${n}_0`,
        on: { [`LEAVE_${n}`]: room((n + 1) % count) },
        states: Object.fromEntries(
          numbers(each).map((m) => [
            `s${n}_${m}`,
            {
              entry: m % 4 === 0 ? 'note' : [],
              on: {
                ...(m + 1 < each
                  ? { [`STEP_${n}_${m}`]: `s${n}_${m + 1}` }
                  : { [`DONE_${n}`]: `#rooms.room${(n + 1) % count}.s${(n + 1) % count}_0` }),
                ...(m % 6 === 5 ? { [`BACK_${n}_${m}`]: { target: `s${n}_0`, guard: 'isAllowed' } } : {}),
              },
            },
          ]),
        ),
      },
    ]),
  );
  return createMachine({ id: 'rooms', initial: room(0), states } as never);
}

function nest(depth: number, width: number): object {
  if (depth === 0) return {};
  const states = Object.fromEntries(numbers(width).map((n) => [`d${depth}n${n}`, nest(depth - 1, width)]));
  return { initial: `d${depth}n0`, states, on: { [`IN_${depth}`]: `.d${depth}n${width - 1}` } };
}

function deepParallel(depth: number): object {
  if (depth === 0) return { initial: 'off', states: { off: { on: { ON: 'on' } }, on: { on: { OFF: 'off' } } } };
  return { type: 'parallel', states: { left: deepParallel(depth - 1), right: deepParallel(depth - 1) } };
}

export const oddMachines: Readonly<Record<string, () => AnyStateMachine>> = {
  'nothing at all': () => createMachine({ id: 'm' }),
  'one state': () => createMachine({ id: 'm', initial: 'a', states: { a: {} } }),
  'a deep parallel state': () => createMachine({ id: 'm', ...deepParallel(4) } as never),
  'regions that lead to each other, out, and around': () =>
    createMachine({
      id: 'm',
      initial: 'p',
      states: {
        p: {
          type: 'parallel',
          on: { REGION: '.two', AROUND: { target: 'p', reenter: true } },
          onDone: 'end',
          states: {
            one: { initial: 'a', states: { a: { on: { GO: 'b', OVER: '#m.p.two.d', OUT: '#m.end' } }, b: { type: 'final' } } },
            two: { initial: 'c', states: { c: { on: { GO: 'd', UP: { target: '#m.p', reenter: true } } }, d: { type: 'final' } } },
          },
        },
        end: { type: 'final' },
      },
    }),
  history: () =>
    createMachine({
      id: 'm',
      initial: 'work',
      states: {
        work: {
          initial: 'a',
          states: {
            a: { on: { N: 'b' } },
            b: { initial: 'x', states: { x: { on: { N: 'y' } }, y: {}, last: { type: 'history' } } },
            deep: { type: 'history', history: 'deep', target: 'b' },
            shallow: { type: 'history' },
          },
          on: { BREAK: 'pause', FORGET: '.shallow' },
        },
        pause: { on: { DEEP: 'work.deep', SHALLOW: 'work.shallow', INNER: '#m.work.b.last' } },
      },
    } as never),
  'history of a parallel state': () =>
    createMachine({
      id: 'm',
      initial: 'p',
      states: {
        p: {
          type: 'parallel',
          states: { a: { initial: 'x', states: { x: { on: { N: 'y' } }, y: {} } }, b: {}, h: { type: 'history', history: 'deep' } },
          on: { OFF: 'off' },
        },
        off: { on: { ON: '#m.p.h' } },
      },
    }),
  'many self-transitions': () =>
    createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: {
          on: Object.fromEntries(numbers(6).map((n) => [`SELF_${n}`, { target: 'a', reenter: n % 2 === 0 }])),
          initial: 'i',
          states: { i: { on: { LOOP: { target: 'i', reenter: true } } } },
        },
        b: { on: { AGAIN: 'b' } },
      },
    }),
  'transitions of the root': () =>
    createMachine({
      id: 'm',
      initial: 'a',
      on: {
        INNER: '.b',
        DEEP: '#m.c.x',
        AGAIN: { target: '#m', reenter: true },
        STAY: { actions: 'note' },
        ALSO: { target: '.a', reenter: true },
      },
      states: { a: {}, b: {}, c: { initial: 'x', states: { x: {} } } },
    } as never),
  'from the depth to what is around': () =>
    createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: {
          initial: 'b',
          states: {
            b: {
              initial: 'c',
              states: { c: { on: { ONE: '#m.a.b', TWO: '#m.a', THREE: '#m', FOUR: { target: '#m.a.b', reenter: true } } }, d: {} },
            },
          },
        },
      },
    }),
  wildcards: () =>
    createMachine({
      id: 'm',
      initial: 'a',
      on: { '*': { actions: 'log' }, 'error.*': '.b' },
      states: {
        a: { on: { '*': 'b', 'mouse.*': 'b', 'mouse.click.*': { actions: ['x', 'y'] } } },
        b: { always: { guard: 'g', target: 'a' } },
      },
    } as never),
  'long labels': () =>
    createMachine({
      id: 'm',
      initial: 'first',
      states: {
        first: {
          description:
            'Here the customer, who has been waiting for a very long time, decides at last what is to become of the order and of everything that belongs to it.',
          tags: ['checkpoint', 'a-tag-that-is-longer-than-most', 'short', 'waiting-for-someone-to-decide-what-happens-now'],
          entry: ['tellEverybodyWhoHasEverAskedAboutTheOrder', 'writeItDown'],
          on: {
            'order.payment.was.received.by.the.bank.and.confirmed.by.the.customer': {
              guard: and(['isEverythingThatWasOrderedInStock', not('isTheCustomerOnTheListOfThoseWhoNeverPay')]),
              target: 'aStateWhoseNameIsMuchLongerThanAnyNameOughtToBeButPeopleDoIt',
              actions: ['sendTheInvoice', 'reserveEverythingInTheWarehouse', 'tellTheCustomerThatItIsOnItsWay'],
            },
            SUPERCALIFRAGILISTICEXPIALIDOCIOUSANDTHENSOMEMOREWITHOUTANYBREAKATALL: 'last',
          },
        },
        aStateWhoseNameIsMuchLongerThanAnyNameOughtToBeButPeopleDoIt: { on: { BACK: 'first' } },
        last: { type: 'final' },
      },
    } as never),
  Unicode: () =>
    createMachine({
      id: 'm',
      initial: 'ожидание',
      states: {
        ожидание: {
          on: { 支払いが完了しました: '処理中', '👩‍👩‍👧‍👦 family': 'e\u0301te\u0301' },
          description: '注文が支払われるのを待っています。とても長い説明文なので折り返されるはずです。',
        },
        処理中: { tags: ['日本語', 'العربية'], on: { حدث: 'ожидание' } },
        'e\u0301te\u0301': { on: { Z̸̡̛a̵l̶g̷o̴: { target: '<b>&"\'', actions: '<script>' } } },
        '<b>&"\'': { type: 'final' },
      },
    } as never),
  'spaces and dots in names': () =>
    createMachine({
      id: 'my machine: v2',
      initial: 'the first one',
      states: { 'the first one': { on: { 'go on': 'then#this' } }, 'then#this': { on: { BACK: 'the first one' } } },
    }),
  'several targets': () =>
    createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: { on: { BOTH: { target: ['#b2', '#c2'] } } },
        p: {
          type: 'parallel',
          on: { WITHIN: { target: ['#b2', '#c1'] } },
          states: {
            b: { initial: 'b1', states: { b1: {}, b2: { id: 'b2' } } },
            c: { initial: 'c1', states: { c1: { id: 'c1' }, c2: { id: 'c2', on: { CROSS: { target: ['#b2', '#c1'] } } } } },
          },
        },
      },
    } as never),
  'every kind of trigger': () =>
    setup({ actors: { work: fromPromise(async () => 1) }, delays: { soon: 5 }, guards: { g: () => true } }).createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: {
          invoke: [
            { id: 'one', src: 'work', onDone: 'b', onError: 'c', onSnapshot: { actions: assign({}) } },
            {
              src: fromPromise(async () => 2),
              onDone: { target: 'b', guard: 'g' },
              onError: { target: 'c', actions: raise({ type: 'X' }) },
            },
          ],
          after: { 1_500: 'b', soon: { target: 'c', guard: stateIn('#m.b') } },
          always: [
            { guard: 'g', target: 'b' },
            { guard: not('g'), target: 'c' },
          ],
          entry: [raise({ type: 'X' }), () => undefined],
          exit: 'leave' as never,
        },
        b: { initial: 'x', onDone: 'c', states: { x: { type: 'final' } } },
        c: {},
      },
    }),
  'many ways between two states': () =>
    createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: { on: Object.fromEntries(numbers(8).map((n) => [`THERE_${n}`, 'b'])) },
        b: { on: Object.fromEntries(numbers(8).map((n) => [`BACK_${n}`, 'a'])) },
      },
    }),
  'everything leads everywhere': () => {
    const names = numbers(7).map((n) => `s${n}`);
    const states = Object.fromEntries(
      names.map((name) => [name, { on: Object.fromEntries(names.map((to) => [`TO_${to}`, { target: to, reenter: true }])) }]),
    );
    return createMachine({ id: 'm', initial: 's0', states } as never);
  },
  'a box that says more than it holds': () =>
    createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: {
          description: 'What this state does cannot be said in a few words, and so there are many of them, over a good many lines.',
          entry: numbers(6).map((n) => `prepareThingNumber${n}`),
          on: Object.fromEntries(numbers(6).map((n) => [`NOTE_${n}`, { actions: `keepNote${n}` }])),
          initial: 'x',
          states: { x: {} },
        },
        b: {},
      },
    } as never),
  'states nobody leads to': () =>
    createMachine({
      id: 'm',
      initial: 'a',
      states: { a: {}, b: {}, c: { initial: 'x', states: { x: {}, y: {} } }, d: { type: 'parallel', states: { e: {}, f: {} } } },
    }),
  'six levels': () => createMachine({ id: 'm', ...nest(6, 2) } as never),
  'a chain of forty': () =>
    createMachine({
      id: 'm',
      initial: 's0',
      states: Object.fromEntries(numbers(40).map((n) => [`s${n}`, n < 39 ? { on: { N: `s${n + 1}` } } : { type: 'final' }])),
    } as never),
  'a star of thirty': () =>
    createMachine({
      id: 'm',
      initial: 'hub',
      states: {
        hub: { on: Object.fromEntries(numbers(30).map((n) => [`GO_${n}`, `s${n}`])) },
        ...Object.fromEntries(numbers(30).map((n) => [`s${n}`, { on: { HOME: 'hub' } }])),
      },
    } as never),
  'a web of thirty': () => createMachine({ id: 'm', initial: 's0', states: web(30, (n) => `s${n}`) } as never),
  'a hundred and fifty states': () => rooms(12, 12),
};

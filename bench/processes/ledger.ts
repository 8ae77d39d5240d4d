/** What an activity adds to its agent: writes of the ledger, and time, beside the same turns without one; and what it takes to find a result by its key. */

import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { activity, createRuntime, sqlite } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly agents: number;
  readonly rounds: number;
  readonly repetitions: number;
  /** Results with a key. */
  readonly ledgers: readonly number[];
  readonly lookups: number;
}

export interface Written {
  /** Rounds of all agents each second, for each repetition. */
  readonly perSecond: readonly number[];
  /** Of the ledger's rows, for each round. */
  readonly writes: number;
  /** Group commits for each round. */
  readonly groups: number;
}

export interface Figures {
  readonly without: Written;
  readonly plain: Written;
  readonly careful: Written;
  /** Microseconds for each of `lookups`, by size of the ledger: median. */
  readonly lookup: readonly number[];
}

const { folder, agents, rounds, repetitions, ledgers, lookups } = parameters<Parameters>();
const plain = activity<undefined, number>({ name: 'plain', run: () => 1, onUnknown: 'retry' });
const careful = activity<undefined, number>({ name: 'careful', run: () => 1, onUnknown: 'hold', concurrency: 1_000_000 });
const states = setup({
  types: {
    context: {} as { left: number; how: 'without' | 'plain' | 'careful' },
    input: {} as 'without' | 'plain' | 'careful',
    events: {} as { type: 'GO' },
  },
  actors: { plain, careful },
  actions: { count: assign({ left: ({ context }) => context.left - 1 }) },
  guards: {
    over: ({ context }) => context.left === 0,
    plainly: ({ context }) => context.how === 'plain',
    carefully: ({ context }) => context.how === 'careful',
  },
});
/** A round is an event, and an activity if there is one; then the next event. */
const machine = states.createMachine({
  id: 'rounds',
  context: ({ input }) => ({ left: rounds, how: input }),
  initial: 'idle',
  states: {
    idle: {
      always: { guard: 'over', target: 'over' },
      on: {
        GO: [
          { guard: 'plainly', target: 'plainly' },
          { guard: 'carefully', target: 'carefully' },
          { target: 'idle', actions: 'count', reenter: true },
        ],
      },
    },
    plainly: { invoke: { src: 'plain', input: undefined, onDone: { target: 'idle', actions: 'count' } } },
    carefully: { invoke: { src: 'careful', input: undefined, onDone: { target: 'idle', actions: 'count' } } },
    over: { type: 'final' },
  },
});

const store = sqlite(join(folder, 'agents.db'));
let writes = 0;
let groups = 0;
const runtime = await createRuntime({
  agents: { rounds: { machine, version: 1 } },
  store: {
    ...store,
    open: async (options) => {
      const opened = await store.open(options);
      const { commit } = opened;
      opened.commit = (commits) => {
        groups += 1;
        for (const { operations } of commits) writes += operations?.length ?? 0;
        return commit(commits);
      };
      return opened;
    },
  },
});

let made = 0;

/** Each agent is sent its next event when it has done with the one before. */
async function measure(
  how: 'without' | 'plain' | 'careful',
): Promise<{ readonly perSecond: number; readonly writes: number; readonly groups: number }> {
  const refs = await Promise.all(
    Array.from({ length: agents }, () => runtime.spawn('rounds', { id: `a-${String((made += 1))}`, input: how })),
  );
  [writes, groups] = [0, 0];
  const started = performance.now();
  await Promise.all(
    refs.map(async (agent) => {
      for (let round = 1; round <= rounds; round += 1) {
        await agent.send({ type: 'GO' });
        if (how !== 'without' && round < rounds)
          await agent.waitFor((snapshot) => snapshot.value === 'idle' && snapshot.context.left === rounds - round);
      }
      await agent.result();
    }),
  );
  const total = agents * rounds;
  return { perSecond: total / ((performance.now() - started) / 1_000), writes: writes / total, groups: groups / total };
}

const measured: Record<'without' | 'plain' | 'careful', Awaited<ReturnType<typeof measure>>[]> = { without: [], plain: [], careful: [] };
await measure('plain'); // warm-up
for (let repetition = 0; repetition < repetitions; repetition += 1) {
  for (const how of ['without', 'plain', 'careful'] as const) measured[how].push(await measure(how));
}
await runtime.close();

const written = (of: readonly Awaited<ReturnType<typeof measure>>[]): Written => ({
  perSecond: of.map(({ perSecond }) => perSecond),
  writes: Math.max(...of.map((one) => one.writes)),
  groups: Math.max(...of.map((one) => one.groups)),
});

/** A ledger of so many results of one agent, each with a key. */
async function lookUp(size: number): Promise<number> {
  const opened = await sqlite(join(folder, `ledger-${String(size)}.db`)).open({ lease: { name: 'bench', ttlMs: 60_000 }, now: Date.now });
  const base = {
    activity: 'pay',
    path: 'paying',
    attempts: 0,
    input: '1',
    outcome: '1',
    nextRetryAt: undefined,
    intendedIn: 1,
    settledIn: 1,
  };
  const rest = {
    intendedAt: 1,
    settledAt: 2,
    parkedBy: undefined,
    saga: undefined,
    compensates: undefined,
    resolutions: undefined,
    artifact: undefined,
  };
  const page = 1_000;
  for (let from = 0; from < size; from += page) {
    const operations = Array.from({ length: page }, (_, index) => {
      const name = String(from + index);
      return { ...base, ...rest, id: name, status: 'succeeded' as const, userKey: `order ${name}` };
    });
    const key = opened.node * 2 ** 32 + from + 1;
    const create = { kind: 'flow', version: 1, input: undefined };
    await opened.commit([{ key, id: `f-${String(from)}`, fence: 1, expected: 0, sequenceNumber: 0, at: 1, create, operations }]);
  }
  const times: number[] = [];
  for (let index = 0; index < lookups; index += 1) {
    const name = `order ${String(Math.floor((index * size) / lookups))}`;
    const started = performance.now();
    const found = await opened.keyed('pay', name);
    times.push((performance.now() - started) * 1_000);
    if (found === undefined) throw new Error(`${name} is not there`);
  }
  await opened.close();
  return times.sort((one, other) => one - other)[Math.floor(times.length / 2)] ?? 0;
}

const lookup: number[] = [];
for (const size of ledgers) lookup.push(await lookUp(size));
answer({
  without: written(measured.without),
  plain: written(measured.plain),
  careful: written(measured.careful),
  lookup,
} satisfies Figures);

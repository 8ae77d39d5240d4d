/**
 * The journal against a list: whatever is sent, however the process ends and whatever the store does to it, what was acknowledged is there, once, in
 * order, and the state is what plain XState makes of it.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { createActor, assign, setup } from 'xstate';
import { memory, type CheckpointPolicy, type Receipt, type Store } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import type { Fault, FaultyMethod } from 'statewarden/testing';
import { join } from 'node:path';
import { StorePoisonedError } from '#src/core/errors.js';
import { inFolder } from '../bad-input/failing.js';
import { Lives, type Ending } from './lives.js';
import { runs, timeoutMs } from './runs.js';

/** A log: its state tells which events it took, and in which order. Some of them are boundaries, some not. */
const log = setup({
  types: { context: {} as { taken: number[]; hash: number }, events: {} as { type: 'ADD' | 'SHOW' | 'HIDE'; n: number } },
  actions: {
    take: assign(({ context, event }) => ({ taken: [...context.taken, event.n], hash: (context.hash * 31 + event.n) | 0 })),
  },
}).createMachine({
  id: 'log',
  context: { taken: [], hash: 7 },
  initial: 'hidden',
  on: { '*': { actions: 'take' } },
  states: {
    hidden: { on: { SHOW: { target: 'shown', actions: 'take' } } },
    shown: { tags: 'checkpoint', on: { HIDE: { target: 'hidden', actions: 'take' } } },
  },
});
type LogEvent = Parameters<ReturnType<typeof createActor<typeof log>>['send']>[0];

type LogLives = Lives<{ log: { machine: typeof log; version: number } }>;

type Trouble =
  /** Lost replies and refusals for a while: the senders only see that it takes longer. */
  | { readonly trouble: 'away'; readonly faults: readonly (Fault | undefined)[]; readonly heads: readonly (Fault | undefined)[] }
  /** The store fails for good at one of the next commits, which is written or not. */
  | { readonly trouble: 'lost'; readonly after: number; readonly written: boolean; readonly ending: Ending }
  /** The process ends while nothing is under way. */
  | { readonly trouble: 'restart'; readonly ending: Ending }
  /** Another agent takes its place in memory. */
  | { readonly trouble: 'passivated' }
  | undefined;

interface Burst {
  readonly trouble: Trouble;
  /** What is sent at once: the type, and the number of a message id, if any. */
  readonly sends: readonly (readonly [LogEvent['type'], number | undefined])[];
}

const ending = fc.constantFrom<Ending[]>('closed', 'cut', 'killed');
const fault = fc.constantFrom<(Fault | undefined)[]>({ fault: 'before' }, { fault: 'after' }, undefined);
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.constant(undefined),
  fc.record({
    trouble: fc.constant('away' as const),
    faults: fc.array(fault, { minLength: 1, maxLength: 4 }),
    heads: fc.array(fault, { maxLength: 2 }),
  }),
  fc.record({ trouble: fc.constant('lost' as const), after: fc.nat(2), written: fc.boolean(), ending }),
  fc.record({ trouble: fc.constant('restart' as const), ending }),
  fc.constant({ trouble: 'passivated' as const }),
);
const burst: fc.Arbitrary<Burst> = fc.record({
  trouble,
  sends: fc.array(
    fc.tuple(fc.constantFrom<LogEvent['type'][]>('ADD', 'ADD', 'ADD', 'SHOW', 'HIDE'), fc.option(fc.nat(12), { nil: undefined, freq: 2 })),
    { maxLength: 8 },
  ),
});
const policy: fc.Arbitrary<CheckpointPolicy> = fc.oneof(
  fc.constant('every-turn' as const),
  fc.record({ everyEvents: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ everyBytes: fc.integer({ min: 1, max: 2_000 }) }),
  fc.constant({ everyEvents: Infinity, everyBytes: Infinity, everyMs: Infinity }),
);

interface Sent {
  readonly n: number;
  readonly type: LogEvent['type'];
  readonly messageId: string | undefined;
  receipt?: Receipt;
}

async function holds(inner: Store, checkpoints: CheckpointPolicy, uncommittedTurns: number, bursts: readonly Burst[]): Promise<void> {
  await using lives = new Lives(inner, {
    agents: { log: { machine: log, version: 1 } },
    checkpoints,
    limits: { uncommittedTurns, residentAgents: 1 },
  });
  await lives.start();
  await lives.runtime.spawn('log', { id: 'a' });
  const sent: Sent[] = [];
  for (const { trouble, sends } of bursts) {
    await prepare(lives, trouble);
    const agent = lives.runtime.agent<'log'>('a');
    const settled = sends.map(async ([type, id]) => {
      const one: Sent = { n: sent.length, type, messageId: id === undefined ? undefined : `m-${String(id)}` };
      sent.push(one);
      const options = one.messageId === undefined ? {} : { messageId: one.messageId };
      try {
        one.receipt = await agent.send({ type, n: one.n }, options);
      } catch (error) {
        expect(error).to.include({ code: 'STORE_POISONED' });
        expect(trouble?.trouble).to.equal('lost');
      }
    });
    await lives.through(Promise.all(settled));
    await after(lives, trouble);
    await checkJournal(lives, sent);
  }
  // As XState would have it, had nothing ever gone wrong.
  const entries = (await lives.journal('a')).slice(1);
  const plain = createActor(log).start();
  for (const { event } of entries) plain.send(event as LogEvent);
  const kept = await lives.runtime.agent<'log'>('a').snapshot();
  expect([kept.value, kept.context]).to.deep.equal([plain.getSnapshot().value, plain.getSnapshot().context]);
  await lives.restart('killed');
  const again = await lives.through(lives.runtime.agent<'log'>('a').snapshot());
  expect([again.value, again.context]).to.deep.equal([kept.value, kept.context]);
  expect(await lives.runtime.store.check()).to.deep.equal([]);
}

async function prepare(lives: LogLives, trouble: Trouble): Promise<void> {
  const calls = new Map<FaultyMethod, number>();
  switch (trouble?.trouble) {
    case 'away':
      lives.store.decide((method) => {
        const call = calls.get(method) ?? 0;
        calls.set(method, call + 1);
        return method === 'commit' ? trouble.faults[call] : method === 'heads' ? trouble.heads[call] : undefined;
      });
      break;
    case 'lost': {
      const error = new StorePoisonedError('fsync failed', { hint: 'This one is planned.' });
      let dead = false;
      lives.store.decide((method) => {
        if (dead) return { fault: 'poison', error };
        const call = calls.get(method) ?? 0;
        calls.set(method, call + 1);
        if (method !== 'commit' || call < trouble.after) return undefined;
        dead = true;
        return { fault: trouble.written ? 'after' : 'before', error };
      });
      break;
    }
    case 'restart':
      await lives.restart(trouble.ending);
      break;
    case 'passivated':
      await lives.through(lives.runtime.spawn('log', { id: 'other' }).then((other) => other.send({ type: 'ADD', n: 0 })));
      break;
    case undefined:
  }
}

async function after(lives: LogLives, trouble: Trouble): Promise<void> {
  if (trouble?.trouble === 'lost') await lives.restart(trouble.ending);
  else lives.store.decide(undefined);
}

async function checkJournal(lives: LogLives, sent: readonly Sent[]): Promise<void> {
  const [first, ...entries] = await lives.journal('a'); // gap-free, or it throws
  expect(first).to.include({ seq: 1, init: true });
  const numbers = entries.map(({ event }) => (event as LogEvent).n);
  // In the order in which they were sent, none twice.
  expect(numbers).to.deep.equal([...new Set(numbers)].sort((one, other) => one - other));
  const bySequence = new Map(entries.map((entry) => [entry.seq, entry]));
  for (const { n, type, messageId, receipt } of sent) {
    if (receipt === undefined) continue;
    const entry = bySequence.get(receipt.sequenceNumber);
    expect(entry?.id).to.equal(messageId);
    if (receipt.duplicate) expect((entry?.event as LogEvent).n).to.be.lessThan(n);
    else expect(entry?.event).to.deep.equal({ type, n });
  }
  // A message id is one event, and only one.
  const ids = entries.flatMap(({ id }) => (id === undefined ? [] : [id]));
  expect(ids).to.deep.equal([...new Set(ids)]);
  // What is there was sent; what has no receipt may be there or not.
  for (const [index, n] of numbers.entries()) {
    expect(entries[index]?.event).to.deep.equal({ type: sent[n]?.type, n });
    if (sent[n]?.receipt?.duplicate === true) expect.fail(`event ${String(n)} was called a duplicate and taken`);
  }
}

describe('the journal', () => {
  const uncommitted = fc.constantFrom(1, 3, 1_000);

  it('holds what was acknowledged, in order, once, and brings back the state that it makes (in memory)', async () => {
    await fc.assert(
      fc.asyncProperty(policy, uncommitted, fc.array(burst, { minLength: 1, maxLength: 8 }), (checkpoints, turns, bursts) =>
        holds(memory(), checkpoints, turns, bursts),
      ),
      runs(150),
    );
  }).timeout(timeoutMs);

  it('holds what was acknowledged, in order, once, and brings back the state that it makes (in a file)', async () => {
    await fc.assert(
      fc.asyncProperty(policy, uncommitted, fc.array(burst, { minLength: 1, maxLength: 5 }), (checkpoints, turns, bursts) =>
        inFolder((folder) => holds(sqlite(join(folder, 'agents.db')), checkpoints, turns, bursts)),
      ),
      runs(8),
    );
  }).timeout(timeoutMs);
});

/**
 * When a checkpoint is due, against the rule in plain words: at a semantic boundary always, at a threshold else, and never otherwise. And what
 * checkpoint and journal bring back, against XState running the same events in memory (I5).
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { assign, createActor, emit, raise, setup } from 'xstate';
import { memory, tell, type CheckpointPolicy, type CheckpointThresholds, type RuntimeEvent } from 'statewarden';
import { resolvePolicy, thresholdReached } from '#src/actors/checkpoint-policy.js';
import { Lives, type Ending } from './lives.js';
import { runs, timeoutMs } from './runs.js';

const thresholds: fc.Arbitrary<CheckpointThresholds> = fc.record(
  {
    everyEvents: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Infinity)),
    everyBytes: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.constant(Infinity)),
    everyMs: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.constant(Infinity)),
  },
  { requiredKeys: [] },
);
const policy: fc.Arbitrary<CheckpointPolicy> = fc.oneof(
  { weight: 1, arbitrary: fc.constant('every-turn' as const) },
  { weight: 6, arbitrary: thresholds },
);

describe('the thresholds of a checkpoint', () => {
  const near = (limit: number): fc.Arbitrary<number> =>
    fc.oneof(fc.integer({ min: 0, max: 2 * limit }), fc.integer({ min: limit - 1, max: limit + 1 }));

  it('are reached by events, by bytes (the last checkpoint’s own at least) or by time, whichever comes first', () => {
    fc.assert(
      fc.property(policy, near(256), near(262_144), near(30_000), fc.nat(500_000), (given, events, bytes, sinceMs, checkpointBytes) => {
        const due = thresholdReached(resolvePolicy(given, 'checkpoints'), { events, bytes, sinceMs, checkpointBytes });
        if (given === 'every-turn') {
          expect(due).to.equal(true);
          return;
        }
        const { everyEvents = 256, everyBytes = 262_144, everyMs = 30_000 } = given;
        const byBytes = !(bytes < everyBytes) && !(bytes < checkpointBytes);
        expect(due).to.equal(!(events < everyEvents) || byBytes || !(sinceMs < everyMs));
      }),
      runs(500),
    );
  });
});

type EventType = 'ADD' | 'RAISE' | 'IN' | 'ON' | 'OUT' | 'TELL' | 'EMIT' | 'ACT' | 'WAIT' | 'END';

/** Deterministic; each event is a boundary or not. */
const machine = setup({
  types: {
    context: {} as { count: number; hash: number },
    events: {} as { type: EventType | 'RAISED' | 'LATER'; n: number; ballast: string },
    emitted: {} as { type: 'seen' },
  },
  actions: {
    act: () => undefined,
    count: assign(({ context, event }) => ({ count: context.count + 1, hash: (context.hash * 31 + event.n) | 0 })),
  },
}).createMachine({
  id: 'm',
  context: { count: 0, hash: 0 },
  initial: 'out',
  on: {
    ADD: { actions: 'count' },
    RAISE: { actions: [raise({ type: 'RAISED', n: 3, ballast: '' }), 'count'] },
    RAISED: { actions: 'count' },
    TELL: { actions: ['count', tell('nobody', { type: 'X' })] },
    EMIT: { actions: ['count', emit({ type: 'seen' })] },
    ACT: { actions: ['count', 'act'] },
    WAIT: { actions: ['count', raise({ type: 'LATER', n: 1, ballast: '' }, { delay: 100_000_000, id: 'later' })] },
    END: '.end',
  },
  states: {
    out: { on: { IN: { target: 'in', actions: 'count' } } },
    in: {
      tags: 'checkpoint',
      initial: 'first',
      states: { first: { on: { ON: 'second' } }, second: { on: { ON: 'first' } } },
      on: { OUT: { target: 'out', actions: 'count' } },
    },
    end: { type: 'final' },
  },
});

interface Step {
  readonly type: EventType;
  readonly ballast: number;
  /** Time that passes before it. */
  readonly ms: number;
  /** Before it. */
  readonly restart: Ending | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  type: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<EventType[]>('ADD', 'RAISE') },
    { weight: 4, arbitrary: fc.constantFrom<EventType[]>('IN', 'ON', 'OUT', 'TELL', 'EMIT', 'ACT', 'WAIT') },
    { weight: 1, arbitrary: fc.constant<EventType>('END') },
  ),
  ballast: fc.oneof(fc.constant(0), fc.nat(1_500)),
  ms: fc.oneof(fc.constant(0), fc.nat(3_000)),
  restart: fc.option(fc.constantFrom<Ending[]>('closed', 'cut', 'killed'), { nil: undefined, freq: 8 }),
});

/** Why a checkpoint is due by what the turn did, whatever the thresholds say. */
function isBoundary(type: EventType, before: string, after: string): boolean {
  const tagged = (state: string): boolean => state.includes('"in"');
  return ['TELL', 'EMIT', 'ACT', 'WAIT', 'END'].includes(type) || (before !== after && (tagged(before) || tagged(after)));
}

/** An entry takes its event and some more: number, time, punctuation. */
const entryBytes = { least: 0, most: 80 };

async function watch(given: CheckpointPolicy, steps: readonly Step[]): Promise<void> {
  await using lives = new Lives(memory(), { agents: { m: { machine, version: 1 } }, checkpoints: given });
  const written: Extract<RuntimeEvent, { type: 'checkpoint' }>[] = [];
  const listen = (): void => void lives.runtime.events$.subscribe((event) => void (event.type === 'checkpoint' && written.push(event)));
  await lives.start();
  listen();
  await lives.runtime.spawn('m', { id: 'a' });
  expect(written.map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal([1]);
  const plain = createActor(machine, { clock: lives.clock }).start();
  const rules = given === 'every-turn' ? { everyEvents: 1 } : given;
  const { everyEvents = 256, everyBytes = 262_144, everyMs = 30_000 } = rules;
  let tail = { events: 0, texts: 0, at: lives.clock.now(), checkpoint: written[0]?.bytes ?? 0 };
  for (const [index, { type, ballast, ms, restart }] of steps.entries()) {
    await lives.clock.advance(ms);
    if (restart !== undefined) {
      await lives.restart(restart);
      listen();
      await lives.clock.advance(0);
      tail = { ...tail, at: lives.clock.now() }; // it is brought back by the event that follows
    }
    const before = JSON.stringify(plain.getSnapshot().value);
    const event = { type, n: index, ballast: 'x'.repeat(ballast) };
    written.length = 0;
    const receipt = await lives.through(lives.runtime.agent<'m'>('a').send(event));
    await lives.clock.advance(0);
    plain.send(event);
    tail = { ...tail, events: tail.events + 1, texts: tail.texts + JSON.stringify(event).length };
    const boundary = isBoundary(type, before, JSON.stringify(plain.getSnapshot().value));
    const sure = boundary || tail.events >= everyEvents || lives.clock.now() - tail.at >= everyMs;
    const enough = Math.max(everyBytes, tail.checkpoint);
    const maybe = tail.texts + tail.events * entryBytes.most >= enough;
    const why = `${type} at ${String(receipt.sequenceNumber)}, ${JSON.stringify(tail)}`;
    if (sure || tail.texts + tail.events * entryBytes.least >= enough) expect(written, why).to.have.lengthOf(1);
    else if (!maybe) expect(written, why).to.deep.equal([]);
    const [checkpoint] = written;
    if (checkpoint !== undefined) {
      expect(checkpoint.sequenceNumber).to.equal(receipt.sequenceNumber);
      tail = { events: 0, texts: 0, at: lives.clock.now(), checkpoint: checkpoint.bytes };
    }
    const stored = await lives.runtime.store.inspect('a');
    expect(stored?.record.checkpointSequenceNumber).to.equal(receipt.sequenceNumber - tail.events);
    if (type === 'END') break;
  }
  await lives.restart('cut');
  const back = await lives.runtime.agent<'m'>('a').snapshot();
  const { value, context, status } = plain.getSnapshot();
  expect([back.value, back.context, back.status]).to.deep.equal([value, context, status]);
}

describe('a checkpoint of an agent', () => {
  it('is written at a semantic boundary and at a threshold, never else; with the journal it brings back what XState has', async () => {
    await fc.assert(
      fc.asyncProperty(policy, fc.array(step, { maxLength: 25 }), (given, steps) => watch(given, steps)),
      runs(80),
    );
  }).timeout(timeoutMs);
});

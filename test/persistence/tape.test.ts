import { expect } from 'chai';
import fc from 'fast-check';
import { packOutcomes, readTape, unpackOutcomes, writeTape } from '#src/persistence/sqlite/tape.js';
import type { AgentCommit, CommitOutcome } from '#src/persistence/store.js';

const text = fc.string({ unit: 'grapheme' });
const count = fc.nat();
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const list = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> => fc.array(value, { maxLength: 3 });

const commit = fc.record(
  {
    key: count,
    id: text,
    fence: count,
    expected: count,
    sequenceNumber: count,
    at: count,
    create: fc.record({ kind: text, version: count, input: maybe(text), supervisor: maybe(text), trace: maybe(text) }),
    status: fc.constantFrom('active', 'done', 'error', 'stopped', 'parked', 'suspended'),
    outcome: text,
    state: text,
    busy: fc.boolean(),
    suspect: text,
    segment: fc.record({ firstSequenceNumber: count, lastSequenceNumber: count, entries: text, checksum: count }),
    checkpoint: fc.record({ sequenceNumber: count, version: count, schema: text, data: text, checksum: count }),
    timers: list(
      fc.record({
        id: text,
        dueAt: count,
        delayMs: count,
        policy: fc.constantFrom('deadline', 'remaining', 'restart'),
        target: text,
        event: text,
      }),
    ),
    timersCleared: fc.oneof(fc.constant('all' as const), list(text)),
    taken: list(count),
    marks: list(fc.record({ messageId: text, sequenceNumber: count })),
    operations: list(
      fc.record({
        id: text,
        activity: text,
        path: text,
        status: fc.constantFrom('intended', 'started', 'held', 'succeeded', 'failed', 'unknown', 'compensated', 'cancelled'),
        attempts: count,
        userKey: maybe(text),
        input: maybe(text),
        outcome: maybe(text),
        nextRetryAt: maybe(count),
        intendedIn: count,
        settledIn: count,
        intendedAt: count,
        settledAt: maybe(count),
        parkedBy: maybe(text),
        saga: maybe(text),
        compensates: maybe(text),
        resolutions: maybe(text),
        artifact: maybe(text),
      }),
    ),
    effects: list(fc.record({ id: text, path: text, type: text, params: maybe(text), event: text, context: maybe(text) })),
    effectsSettled: list(text),
    messages: list(
      fc.record({
        to: text,
        messageId: maybe(text),
        event: text,
        from: maybe(text),
        replyTo: maybe(text),
        acceptedAt: count,
        trace: maybe(text),
      }),
    ),
    spawns: list(fc.record({ key: count, id: text, kind: text, version: count, input: maybe(text), trace: maybe(text) })),
    deadLetters: list(
      fc.record({ to: text, messageId: maybe(text), event: text, from: maybe(text), reason: text, details: maybe(text), at: count }),
    ),
  },
  { requiredKeys: ['key', 'id', 'fence', 'expected', 'sequenceNumber', 'at'], noNullPrototype: true },
) as fc.Arbitrary<AgentCommit>;

/** What a commit does not have it may have as undefined. */
const withoutAbsent = (read: AgentCommit): object => Object.fromEntries(Object.entries(read).filter(([, part]) => part !== undefined));

describe('the tape between the threads', () => {
  it('gives back the commits that were written on it, across a copy', () => {
    fc.assert(
      fc.property(list(commit), list(commit), (commits, others) => {
        const tape = writeTape(others);
        expect(readTape(structuredClone(writeTape(commits, tape))).map(withoutAbsent)).to.deep.equal(commits);
      }),
    );
  });

  it('gives back the outcomes, plain ones and others', () => {
    const outcomes: CommitOutcome[] = [
      { outcome: 'applied', messages: [], spawned: [] },
      { outcome: 'refused', fence: 2, sequenceNumber: 7 },
      { outcome: 'applied', messages: [{ outcome: 'accepted', position: 1, agent: 2 }], spawned: [] },
      { outcome: 'applied', messages: [], spawned: [] },
    ];
    const packed = packOutcomes(outcomes);
    expect(packed.filter((outcome) => outcome === 0)).to.have.lengthOf(2);
    expect(unpackOutcomes(structuredClone(packed))).to.deep.equal(outcomes);
  });
});

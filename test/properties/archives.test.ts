/**
 * Archives against what they are made of: whatever an agent holds, it is the same after it was packed and unpacked, archived and restored, removed and put in again; damage anywhere in an object is found.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { join } from 'node:path';
import { memory, type Store } from 'statewarden';
import { memoryArtifacts } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';
import { checksum } from '#src/core/checksum.js';
import type { JournalSegment, OpenedStore, WholeAgent } from '#src/persistence/store.js';
import { archiveAgent, readArchive, restoreAgent } from '#src/persistence/tiers/archiver.js';
import { pack, unpack } from '#src/persistence/tiers/packing.js';
import { inFolder } from '../bad-input/failing.js';
import { runs, timeoutMs } from './runs.js';

/** Whatever a text may hold that a store keeps: it has come out of JSON. */
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.json()).map((value) => value.replaceAll('\0', ''));
const name = fc.stringMatching(/^[a-z]{1,12}$/);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const time = fc.integer({ min: 1, max: 2 ** 44 });
const encoded = fc.json().filter((value) => value !== 'null');

const operation = (settledIn: fc.Arbitrary<number>) =>
  fc.record({
    activity: name,
    path: text,
    status: fc.constantFrom('succeeded' as const, 'failed' as const, 'compensated' as const, 'cancelled' as const),
    attempts: fc.nat(5),
    userKey: maybe(name),
    input: maybe(encoded),
    outcome: maybe(encoded),
    nextRetryAt: maybe(time),
    intendedIn: fc.nat(100),
    settledIn,
    intendedAt: time,
    settledAt: maybe(time),
    parkedBy: fc.constant(undefined),
    saga: maybe(name),
    compensates: maybe(name),
    resolutions: maybe(encoded),
    artifact: maybe(fc.stringMatching(/^[0-9a-f]{64}$/)),
  });

/** The journal of so many turns, in segments of these lengths. */
function journalOf(lengths: readonly number[], note: string): JournalSegment[] {
  let first = 1;
  return lengths.map((length) => {
    const entries = JSON.stringify(Array.from({ length }, (_, n) => ({ seq: first + n, note })));
    const segment = { firstSequenceNumber: first, lastSequenceNumber: first + length - 1, entries, checksum: checksum(entries) };
    first += length;
    return segment;
  });
}

/** An agent at rest. */
const agent: fc.Arbitrary<WholeAgent> = fc
  .record({
    lengths: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 }),
    note: text,
    checkpointed: fc.boolean(),
    data: text,
    status: fc.constantFrom('active' as const, 'done' as const, 'error' as const, 'stopped' as const),
    operations: fc.array(operation(fc.integer({ min: 1, max: 9 })), { maxLength: 6 }),
    marks: fc.uniqueArray(name, { maxLength: 8 }),
    outcome: maybe(encoded),
    state: maybe(encoded),
    suspect: maybe(encoded),
    supervisor: maybe(name),
    trace: maybe(name),
    fence: fc.integer({ min: 0, max: 50 }),
    createdAt: time,
  })
  .map(({ lengths, note, checkpointed, data, operations, marks, supervisor, status, ...rest }) => {
    const journal = journalOf(lengths, note);
    const sequenceNumber = journal.at(-1)?.lastSequenceNumber ?? 0;
    const checkpoint = { sequenceNumber, version: 1, schema: 'hash', data, checksum: checksum(data) };
    return {
      record: {
        ...{ ...rest, key: 2 ** 32 + 7, id: 'a', kind: 'counter', version: 3, status, sequenceNumber, owner: undefined },
        ...{ checkpointSequenceNumber: checkpointed ? sequenceNumber : 0, busy: false, archive: undefined, updatedAt: rest.createdAt },
        supervisor: status === 'active' ? undefined : supervisor,
      },
      input: undefined,
      checkpoint: checkpointed ? checkpoint : undefined,
      journal,
      timers: [],
      operations: operations.map((one, n) => ({ ...one, id: `o${String(n)}` })),
      effects: [],
      mailbox: [],
      marks: marks.map((messageId, n) => ({ messageId, sequenceNumber: (n % sequenceNumber) + 1 })),
      artifacts: [],
    };
  });

/** Sets have no order. */
function sorted(whole: WholeAgent | undefined): WholeAgent | undefined {
  const by =
    <T>(of: (one: T) => string) =>
    (one: T, other: T) =>
      of(one) < of(other) ? -1 : 1;
  return (
    whole && {
      ...whole,
      operations: [...whole.operations].sort(by(({ id }) => id)),
      marks: [...whole.marks].sort(by(({ messageId }) => messageId)),
    }
  );
}

async function throughStore(opened: OpenedStore, whole: WholeAgent): Promise<void> {
  const artifacts = await memoryArtifacts().open({ now: () => 5 });
  const { key } = whole.record;
  const read = async (): Promise<WholeAgent | undefined> => sorted((await opened.whole([key]))[0]);
  expect(await opened.install([whole])).to.deep.equal(['installed']);
  expect(await read()).to.deep.equal(sorted(whole));
  const archived = await archiveAgent({ store: opened, artifacts, now: () => 5 }, key);
  expect(archived.outcome).to.equal('archived');
  const [record] = await opened.lookup([key]);
  if (record === undefined) throw new Error('it is gone');
  const seen = await readArchive(artifacts, record);
  expect(sorted({ ...seen, record: whole.record })).to.deep.equal(sorted(whole));
  const named = whole.operations.flatMap(({ artifact }) => artifact ?? []);
  expect(await opened.hasArtifacts(named)).to.deep.equal(named.map(() => true));
  expect(await opened.check()).to.deep.equal([]);
  expect(await restoreAgent({ store: opened, artifacts }, record)).to.equal('restored');
  expect(await read()).to.deep.equal(sorted({ ...whole, record: { ...whole.record, fence: whole.record.fence + 1 } }));
  expect(await opened.check()).to.deep.equal([]);
  expect(
    await opened.remove([{ key, fence: whole.record.fence + 1, sequenceNumber: whole.record.sequenceNumber, lastMail: 0 }]),
  ).to.deep.equal(['removed']);
  const counts = await opened.counts();
  expect([counts.journalSegments, counts.checkpoints, counts.openOperations, counts.mailbox]).to.deep.equal([0, 0, 0, 0]);
}

describe('archives', function () {
  this.timeout(timeoutMs);

  it('unpack to what was packed, whatever an agent holds', () =>
    fc.assert(
      fc.asyncProperty(agent, async (whole) => {
        const { bytes } = await pack(whole);
        expect(await unpack(bytes, 'it')).to.deep.equal(whole);
      }),
      runs(200),
    ));

  it('say so when they are damaged, wherever that is', () =>
    fc.assert(
      fc.asyncProperty(agent, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (whole, place, flip, cut) => {
        const { bytes } = await pack(whole);
        const at = place % bytes.length;
        const damaged = cut ? bytes.subarray(0, at) : Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ flip : byte));
        const told = await unpack(damaged, 'it').then(
          (read) => read,
          (error: unknown) => (error as { code?: string }).code,
        );
        // Names in the first line are for people: what is in them twice is believed from within.
        if (typeof told === 'string') expect(told).to.be.oneOf(['CORRUPT_RECORD', 'STORE_SCHEMA']);
        else expect(told).to.deep.equal(whole);
      }),
      runs(200),
    ));

  const stores: readonly (readonly [string, (folder: string) => Store])[] = [
    ['memory()', () => memory()],
    ['sqlite()', (folder) => sqlite(join(folder, 'agents.db'))],
  ];
  for (const [title, make] of stores) {
    it(`bring agents back as they were, in ${title}`, () =>
      inFolder(async (folder) => {
        const opened = await make(folder).open({ lease: { name: 'n', ttlMs: 60_000 }, now: () => 1 });
        try {
          await fc.assert(
            fc.asyncProperty(agent, (whole) => throughStore(opened, whole)),
            runs(60),
          );
        } finally {
          await opened.close();
        }
      }));
  }
});

/** A value of 100 MB through activities, its bytes in an artifact store: it comes out as it went in, before and after a restart, and the records of its agent are no larger than those of one whose value is a word. */

import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { activity, createRuntime, type Runtime } from 'statewarden';
import { files, type ArtifactPointer, type ArtifactStore } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';
import { decode } from '#src/core/codec.js';
import { inFolder } from '../crash/lives.js';
import { describeGcs, GcsServer } from './gcs-server.js';

const million = 1_000_000;
const sizes = [10, 100 * million] as const;
/** All of a record that may grow with a value. */
const allowance = 1_024;

/** Text with no period below a megabyte, and none above it. */
function valueOf(bytes: number): string {
  const block = Array.from({ length: Math.min(bytes, million) }, (_, n) => String.fromCharCode(97 + ((n * 7 + (n >> 7) * 3) % 26))).join(
    '',
  );
  if (bytes <= million) return block;
  return Array.from({ length: bytes / million }, (_, n) => `${String(n).padStart(6, '0')}${block.slice(6)}`).join('');
}

const digestOf = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

interface Places {
  /** Given to the runtime. */
  readonly results: ArtifactStore;
  /** The activities' own. */
  readonly pages: ArtifactStore;
}

interface Told {
  readonly returned: string;
  readonly page: ArtifactPointer | undefined;
  readonly read: string;
}

/** Returns the value itself; then puts it itself, returns the pointer, and takes that as its input. */
function carrier({ pages }: Places) {
  const produce = activity({ name: 'produce', onUnknown: 'retry', run: (bytes: number) => Promise.resolve(valueOf(bytes)) });
  const keep = activity({ name: 'keep', onUnknown: 'retry', run: (bytes: number) => pages.put(valueOf(bytes)) });
  const read = activity({ name: 'read', onUnknown: 'retry', run: async (page: ArtifactPointer) => digestOf(await pages.get(page)) });
  return setup({
    actors: { produce, keep, read },
    types: { context: {} as Told & { bytes: number }, input: {} as number, events: {} as { type: 'NEXT' }, output: {} as Told },
  }).createMachine({
    context: ({ input }) => ({ bytes: input, returned: '', page: undefined, read: '' }),
    initial: 'producing',
    states: {
      producing: {
        invoke: {
          src: 'produce',
          input: ({ context }) => context.bytes,
          onDone: { target: 'produced', actions: assign({ returned: ({ event }) => digestOf(event.output) }) },
        },
      },
      produced: { on: { NEXT: 'keeping' } },
      keeping: {
        invoke: {
          src: 'keep',
          input: ({ context }) => context.bytes,
          onDone: { target: 'reading', actions: assign({ page: ({ event }) => event.output }) },
        },
      },
      reading: {
        invoke: {
          src: 'read',
          input: ({ context }) => context.page!,
          onDone: { target: 'read', actions: assign({ read: ({ event }) => event.output }) },
        },
      },
      read: { on: { NEXT: 'end' } },
      end: { type: 'final' },
    },
    output: ({ context: { returned, page, read } }) => ({ returned, page, read }),
  });
}

/** Bytes of each thing that the store has of an agent: its checkpoint, its journal, its operations. */
async function weights(runtime: Runtime, id: string): Promise<{ checkpoint: number; journal: number; ledger: number }> {
  const loaded = (await runtime.store.inspect(id))!;
  const operations = await runtime.store.operations(loaded.record.key);
  const lengthOf = (value: unknown): number => JSON.stringify(value).length;
  return { checkpoint: lengthOf(loaded.checkpoint ?? ''), journal: lengthOf(loaded.tail), ledger: lengthOf(operations) };
}

/** The result of the activity as the ledger points to it, read from the store of artifacts. */
async function keptResult(runtime: Runtime, places: Places, id: string): Promise<{ pointer: ArtifactPointer; digest: string }> {
  const loaded = (await runtime.store.inspect(id))!;
  const operations = await runtime.store.operations(loaded.record.key);
  const produced = operations.find(({ activity: name }) => name === 'produce')!;
  expect(produced.artifact).to.match(/^[0-9a-f]{64}$/);
  const pointer = decode(produced.outcome!) as ArtifactPointer;
  return { pointer, digest: digestOf(decode(Buffer.from(await places.results.get(pointer)).toString()) as string) };
}

function carries(places: (folder: string) => Promise<Places>): void {
  it('comes back whole, before and after a restart, and adds less than 1 KB to any record', () =>
    inFolder(async (folder) => {
      const opened = await places(folder);
      const open = async () =>
        createRuntime({
          store: sqlite(join(folder, 'agents.db')),
          results: { artifacts: opened.results, maximumBytes: 200 * million },
          agents: { carrier: { machine: carrier(opened), version: 1 } },
        });
      const expected = sizes.map((bytes) => digestOf(valueOf(bytes)));
      const idOf = (bytes: number): string => `carrier-${String(bytes)}`;
      const compare = async (runtime: Runtime, when: string): Promise<void> => {
        const [little, much] = [await weights(runtime, idOf(sizes[0])), await weights(runtime, idOf(sizes[1]))];
        for (const part of ['checkpoint', 'journal', 'ledger'] as const) {
          expect(much[part] - little[part], `${when}: ${part} (${JSON.stringify({ little, much })})`).to.be.below(allowance);
        }
      };
      {
        await using runtime = await open();
        for (const [n, bytes] of sizes.entries()) {
          const agent = await runtime.spawn('carrier', { id: idOf(bytes), input: bytes });
          const { context } = await agent.waitFor(({ value }) => value === 'produced', { timeoutMs: 120_000 });
          expect(context.returned).to.equal(expected[n]);
        }
        await compare(runtime as unknown as Runtime, 'with the value taken');
      }
      await using runtime = await open();
      const untyped = runtime as unknown as Runtime;
      const { pointer, digest } = await keptResult(untyped, opened, idOf(sizes[1]));
      expect(pointer.bytes).to.be.within(sizes[1], sizes[1] + 100);
      expect(digest).to.equal(expected[1]);
      for (const [n, bytes] of sizes.entries()) {
        const agent = runtime.agent<'carrier'>(idOf(bytes));
        expect((await agent.snapshot()).context.returned).to.equal(expected[n]);
        await agent.send({ type: 'NEXT' });
        const { context } = await agent.waitFor(({ value }) => value === 'read', { timeoutMs: 120_000 });
        expect(context.read).to.equal(expected[n]);
        expect(context.page?.bytes).to.equal(bytes);
      }
      await compare(untyped, 'after a restart');
      for (const bytes of sizes) {
        const agent = runtime.agent<'carrier'>(idOf(bytes));
        await agent.send({ type: 'NEXT' });
        await agent.result();
      }
      await compare(untyped, 'at the end');
      const size = ['', '-wal'].reduce(
        (sum, suffix) => sum + (statSync(join(folder, `agents.db${suffix}`), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
      expect(size, 'the whole database').to.be.below(million);
    }));
}

describe('100 MB through an activity, with artifacts in files', function () {
  this.timeout(300_000);
  carries(async (folder) => ({
    results: await files(join(folder, 'results')).open({ now: Date.now }),
    pages: await files(join(folder, 'pages')).open({ now: Date.now }),
  }));
});

describeGcs('100 MB through an activity, with artifacts in Cloud Storage', function () {
  this.timeout(300_000);
  let server: GcsServer;
  before(async () => (server = await GcsServer.start()));
  after(() => server?.stop());

  carries(async () => {
    const bucket = await server.bucket();
    return { results: await server.open(bucket, { prefix: 'results' }), pages: await server.open(bucket, { prefix: 'pages' }) };
  });
});

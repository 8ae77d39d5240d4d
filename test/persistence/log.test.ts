/** SQLite's log under our hands: it grows by pieces ahead of its frames, begins anew at its limit, and several nodes do so at once. */

import { expect } from 'chai';
import { copyFileSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { assign, setup } from 'xstate';
import { inFolder } from '../crash/lives.js';

const notes = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'NOTE'; text: string } },
}).createMachine({
  context: { count: 0 },
  on: { NOTE: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});
const agents = { notes: { machine: notes, version: 1 } };
const note = { type: 'NOTE', text: 'n'.repeat(10_000) } as const;
const piece = 256 * 1_024;
const limit = 16 * 2 ** 20;

const open = (path: string) => createRuntime({ store: sqlite(path), agents });
type Opened = Awaited<ReturnType<typeof open>>;

async function send(runtime: Opened, id: string, times: number): Promise<void> {
  const agent = await runtime.spawn('notes', { id });
  for (let sent = 0; sent < times; sent += 1) await agent.send(note);
}

/** What a crash at this moment would leave: the bytes of both files, without the memory that connections share. */
async function afterCrash(path: string, work: (copy: string) => Promise<void>): Promise<void> {
  const folder = `${path}-crashed`;
  mkdirSync(folder, { recursive: true });
  const copy = join(folder, 'agents.db');
  for (const part of ['', '-wal']) copyFileSync(`${path}${part}`, `${copy}${part}`);
  await work(copy);
}

/** Each agent has its first turn and so many more, and all records are sound. */
async function expectCounts(path: string, counts: Readonly<Record<string, number>>): Promise<void> {
  const store = await sqlite(path).open({ now: Date.now });
  expect(await store.check()).to.deep.equal([]);
  const records = await store.list({ limit: 10 });
  await store.close();
  const found = Object.fromEntries(records.map(({ id, sequenceNumber }) => [id, sequenceNumber - 1]));
  expect(found).to.deep.equal(counts);
}

describe('the log', function () {
  this.timeout(30_000);

  it('grows by whole pieces ahead of what is written, and a crash leaves all that was acknowledged', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await using runtime = await open(path);
      const endIsFree = (): boolean =>
        readFileSync(`${path}-wal`)
          .subarray(-4_096)
          .every((byte) => byte === 0);
      await send(runtime, 'a', 100);
      // That the last piece is full is noticed after some commits.
      let sent = 100;
      for (; !endIsFree() && sent < 150; sent += 1) await send(runtime, 'a', 1);
      expect(endIsFree()).to.equal(true);
      expect(statSync(`${path}-wal`).size).to.be.greaterThan(4 * piece);
      await afterCrash(path, (copy) => expectCounts(copy, { a: sent }));
    }));

  it('begins anew at its limit', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await using runtime = await open(path);
      await send(runtime, 'a', 1_500);
      expect(statSync(path).size, 'moved into the file').to.be.greaterThan(limit / 2);
      expect(statSync(`${path}-wal`).size).to.be.within(limit, limit + 2 * piece);
      await afterCrash(path, (copy) => expectCounts(copy, { a: 1_500 }));
    }));

  it('is made longer by several nodes at once, and nobody’s frames are lost', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const runtimes = await Promise.all([open(path), open(path), open(path)]);
      await Promise.all(runtimes.map((runtime, index) => send(runtime, `agent-${String(index)}`, 150)));
      const counts = { 'agent-0': 150, 'agent-1': 150, 'agent-2': 150 };
      await afterCrash(path, (copy) => expectCounts(copy, counts));
      for (const runtime of runtimes) await runtime.close();
      await expectCounts(path, counts);
    }));
});

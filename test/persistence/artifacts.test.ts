/** Artifacts beyond the conformance suite: against a model, the sweep beside a commit, and what files do in folders that are not as they should be. */

import { expect } from 'chai';
import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { files, memoryArtifacts, type ArtifactPointer, type ArtifactStore, type ArtifactStoreSource } from 'statewarden/artifacts';
import { crc32c } from '#src/core/crc32c.js';
import { armFailpoints } from '#src/core/failpoint.js';
import { sweepArtifacts, type SweepReport } from '#src/persistence/artifacts/sweep.js';
import { failing, inFolder } from '../bad-input/failing.js';
import { runs, timeoutMs } from '../properties/runs.js';

const now = (): number => Date.now();
const opened = (directory: string): Promise<ArtifactStore> => files(directory).open({ now });
const textOf = async (store: ArtifactStore, pointer: ArtifactPointer) => Buffer.from(await store.get(pointer)).toString();

describe('crc32c', () => {
  it('has the values of RFC 3720 and its check value', () => {
    const ascending = Uint8Array.from({ length: 32 }, (_, byte) => byte);
    expect(crc32c(new Uint8Array(32))).to.equal(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).to.equal(0x62a8ab43);
    expect(crc32c(ascending)).to.equal(0x46dd794e);
    expect(crc32c(ascending.toReversed())).to.equal(0x113fdb5c);
    expect(crc32c(Buffer.from('123456789'))).to.equal(0xe3069283);
    expect(crc32c(new Uint8Array(0))).to.equal(0);
  });

  it('is the same in whatever pieces the bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(64), (bytes, cut) => {
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).to.equal(crc32c(bytes));
      }),
      runs(200),
    );
  });
});

type Step =
  | { readonly do: 'put'; readonly content: number; readonly streamed: boolean; readonly by: number }
  | { readonly do: 'get'; readonly content: number; readonly by: number }
  | { readonly do: 'remove'; readonly contents: readonly number[]; readonly ago: number }
  | { readonly do: 'sweep'; readonly reachable: readonly number[]; readonly graceMs: number; readonly pageSize: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'reopen'; readonly by: number };

const content = fc.nat(5);
const by = fc.nat(1);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), content, streamed: fc.boolean(), by }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('get' as const), content, by }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('remove' as const), contents: fc.array(content, { maxLength: 4 }), ago: fc.nat(40) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('sweep' as const),
      reachable: fc.subarray([0, 1, 2, 3, 4, 5]),
      graceMs: fc.nat(40),
      pageSize: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const), by }) },
);

const textFor = (n: number): string => (n === 0 ? '' : `content ${String(n)} `.repeat(n * n));
const idFor = (n: number): string => createHash('sha256').update(textFor(n)).digest('hex');

async function* byHalves(text: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  yield bytes.subarray(0, bytes.length / 2);
  yield bytes.subarray(bytes.length / 2);
}

/** The model: number of a content → its time. */
async function follow(source: ArtifactStoreSource, walk: readonly Step[]): Promise<void> {
  let time = 1_700_000_000_000;
  const open = () => source.open({ now: () => time });
  const stores = [await open(), await open()];
  const model = new Map<number, number>();
  const forget = (n: number, notAfter: number): boolean => (model.get(n) ?? Infinity) <= notAfter && model.delete(n);
  for (const step of walk) {
    switch (step.do) {
      case 'put': {
        const text = textFor(step.content);
        const pointer = await stores[step.by]!.put(step.streamed ? byHalves(text) : text);
        expect(pointer).to.deep.equal({ id: idFor(step.content), bytes: text.length, checksum: crc32c(Buffer.from(text)) });
        model.set(step.content, time);
        break;
      }
      case 'get': {
        const text = textFor(step.content);
        const pointer = { id: idFor(step.content), bytes: text.length, checksum: crc32c(Buffer.from(text)) };
        if (model.has(step.content)) expect(await textOf(stores[step.by]!, pointer)).to.equal(text);
        else await failing('ARTIFACT_MISSING', () => stores[step.by]!.get(pointer));
        break;
      }
      case 'remove': {
        const notAfter = time - step.ago;
        const expected = step.contents.map((n) => forget(n, notAfter));
        expect(await stores[0]!.remove(step.contents.map(idFor), notAfter)).to.deep.equal(expected);
        break;
      }
      case 'sweep': {
        const { graceMs, pageSize } = step;
        const before = model.size;
        const doomed = [...model.keys()].filter((n) => !step.reachable.includes(n)).filter((n) => forget(n, time - graceMs));
        const needed = step.reachable.map(idFor);
        const reachable = async (ids: readonly string[]) => ids.map((id) => needed.includes(id));
        expect(await sweepArtifacts({ artifacts: stores[1]!, reachable, graceMs, pageSize, now: () => time })).to.deep.equal({
          kept: before - doomed.length,
          removed: doomed.length,
          bytes: doomed.reduce((sum, n) => sum + textFor(n).length, 0),
        });
        break;
      }
      case 'pass':
        time += step.ms;
        break;
      case 'reopen':
        await stores[step.by]!.close();
        stores[step.by] = await open();
        break;
    }
    const { artifacts } = await stores[0]!.list({ limit: 100 });
    const expected = [...model].map(([n, at]) => ({ id: idFor(n), bytes: textFor(n).length, at }));
    expect(artifacts).to.have.deep.members(expected);
  }
}

describe('artifacts against a model', function () {
  this.timeout(timeoutMs);
  const walks = fc.array(steps, { maxLength: 25 });

  it('hold what the model holds, in memory', () =>
    fc.assert(
      fc.asyncProperty(walks, (walk) => follow(memoryArtifacts(), walk)),
      runs(200),
    ));

  it('hold what the model holds, in files', () =>
    fc.assert(
      fc.asyncProperty(walks, (walk) => inFolder((folder) => follow(files(join(folder, 'artifacts')), walk))),
      runs(60),
    ));
});

describe('the sweep of artifacts', () => {
  const hourMs = 3_600_000;
  let time = 0;
  const open = () => memoryArtifacts().open({ now: () => time });

  beforeEach(() => (time = 1_700_000_000_000));

  it('keeps for an hour what nothing points to yet, and does not ask for it', async () => {
    const artifacts = await open();
    const pointer = await artifacts.put('on its way');
    const asked: string[] = [];
    const sweep = () =>
      sweepArtifacts({ artifacts, now: () => time, reachable: async (ids) => (asked.push(...ids), ids.map(() => false)) });
    time += hourMs - 1;
    expect(await sweep()).to.deep.equal({ kept: 1, removed: 0, bytes: 0 });
    expect(asked).to.deep.equal([]);
    time += 1;
    expect(await sweep()).to.deep.equal({ kept: 0, removed: 1, bytes: 10 });
    expect(asked).to.deep.equal([pointer.id]);
  });

  it('keeps what is put again, and pointed to, after it was asked for', async () => {
    const artifacts = await open();
    const pointer = await artifacts.put('content');
    time += 2 * hourMs;
    const records = new Set<string>();
    const report = await sweepArtifacts({
      artifacts,
      now: () => time,
      reachable: async (ids) => {
        const answer = ids.map((id) => records.has(id));
        records.add((await artifacts.put('content')).id);
        // However long the answer takes.
        time += 2 * hourMs;
        return answer;
      },
    });
    expect(report).to.deep.equal({ kept: 1, removed: 0, bytes: 0 });
    expect(await textOf(artifacts, pointer)).to.equal('content');
  });

  it('takes its moment before it asks: however long that takes, what was put meanwhile is too young', async () => {
    const artifacts = await open();
    await artifacts.put('first');
    time += 2 * hourMs;
    await artifacts.put('second');
    const reachable = async (ids: readonly string[]) => ((time += 5 * hourMs), ids.map(() => false));
    expect(await sweepArtifacts({ artifacts, now: () => time, reachable, pageSize: 1 })).to.include({ kept: 1, removed: 1 });
  });

  it('tells after each page what there was so far', async () => {
    const artifacts = await open();
    for (let n = 0; n < 5; n += 1) await artifacts.put(String(n));
    const told: SweepReport[] = [];
    const reachable = async (ids: readonly string[]) => ids.map(() => false);
    const report = await sweepArtifacts({
      artifacts,
      reachable,
      graceMs: 0,
      now: () => time,
      pageSize: 2,
      progress: (soFar) => told.push(soFar),
    });
    expect(told.map(({ removed }) => removed)).to.deep.equal([2, 4, 5]);
    expect(told.at(-1)).to.deep.equal(report);
  });

  it('removes nothing when an answer is missing or the grace is none', async () => {
    const artifacts = await open();
    await artifacts.put('content');
    await failing('BAD_INPUT', () => sweepArtifacts({ artifacts, reachable: async () => [], graceMs: 0, now: () => time }));
    for (const graceMs of [-1, NaN]) {
      await failing('BAD_INPUT', () => sweepArtifacts({ artifacts, reachable: async () => [false], graceMs, now: () => time }));
    }
    const answers = [undefined] as unknown as boolean[];
    expect(await sweepArtifacts({ artifacts, reachable: async () => answers, graceMs: 0, now: () => time })).to.include({ kept: 1 });
  });
});

describe('artifacts in files', () => {
  afterEach(() => armFailpoints(undefined));

  it('make no folder before the first put, and folders and files for their owner only', () =>
    inFolder(async (folder) => {
      const directory = join(folder, 'artifacts');
      const store = await opened(directory);
      expect((await store.list({ limit: 10 })).artifacts).to.deep.equal([]);
      expect(await store.remove(['f'.repeat(64)], Infinity)).to.deep.equal([false]);
      await failing('ARTIFACT_MISSING', () => store.get({ id: 'f'.repeat(64), bytes: 1, checksum: 0 }));
      expect(readdirSync(folder)).to.deep.equal([]);
      const { id } = await store.put('content');
      const path = join(directory, id.slice(0, 2), id);
      expect(readFileSync(path, 'utf8')).to.equal('content');
      if (process.platform === 'win32') return;
      for (const made of [directory, join(directory, 'staging'), join(directory, id.slice(0, 2))]) {
        expect(statSync(made).mode & 0o777, made).to.equal(0o700);
      }
      expect(statSync(path).mode & 0o777).to.equal(0o600);
    }));

  it('are refused where no folder of them can be', () =>
    inFolder(async (folder) => {
      writeFileSync(join(folder, 'file'), '');
      const file = await failing('STORE_OPEN', () => opened(join(folder, 'file')));
      expect(file.message).to.equal(`${join(folder, 'file')} is a file`);
      const inside = await failing('STORE_OPEN', () => opened(join(folder, 'file', 'artifacts')));
      expect(inside.hint).to.include('is a file');
      const deeper = await failing('STORE_OPEN', () => opened(join(folder, 'file', 'a', 'b')));
      expect(deeper.hint).to.include('is a file');
      const orphan = await failing('STORE_OPEN', () => opened(join(folder, 'missing', 'artifacts')));
      expect(orphan.hint).to.include('mkdir -p');
      expect(existsSync(join(folder, 'missing'))).to.equal(false);
      await failing('STORE_OPEN', () => opened(`${folder}/a\0b`));
      for (const directory of ['', undefined, 7] as string[]) await failing('BAD_INPUT', () => files(directory));
    }));

  it('go on when their folder is removed behind their back', () =>
    inFolder(async (folder) => {
      const directory = join(folder, 'artifacts');
      const store = await opened(directory);
      const pointer = await store.put('content');
      rmSync(directory, { recursive: true });
      await failing('ARTIFACT_MISSING', () => store.get(pointer));
      const error = await failing('STORE_UNAVAILABLE', () => store.put('content'));
      expect(error.disposition).to.equal('retry');
      await store.put('content');
      expect(await textOf(store, pointer)).to.equal('content');
    }));

  it('do not follow links', function () {
    if (process.platform === 'win32') this.skip();
    return inFolder(async (folder) => {
      const [directory, outside] = [join(folder, 'artifacts'), join(folder, 'outside')];
      mkdirSync(outside);
      const store = await opened(directory);
      const pointer = await store.put('content');
      const path = join(directory, pointer.id.slice(0, 2), pointer.id);
      // In place of a file: it is damage, and put again the file is there again.
      writeFileSync(join(outside, 'secret'), 'content');
      unlinkSync(path);
      symlinkSync(join(outside, 'secret'), path);
      await failing('CORRUPT_RECORD', () => store.get(pointer));
      expect((await store.list({ limit: 10 })).artifacts).to.deep.equal([]);
      expect(await store.remove([pointer.id], Infinity)).to.deep.equal([false]);
      const { mtimeMs } = statSync(join(outside, 'secret'));
      await store.put('content');
      expect(lstatSync(path).isFile()).to.equal(true);
      expect(statSync(join(outside, 'secret')).mtimeMs).to.equal(mtimeMs);
      // In place of a folder: nothing is read or written there.
      for (const name of [pointer.id.slice(0, 2), 'staging']) {
        rmSync(join(directory, name), { recursive: true });
        symlinkSync(outside, join(directory, name));
        const fresh = await opened(directory);
        const error = await failing('STORE_OPEN', () => fresh.put('content'));
        expect(error.message).to.include(join(directory, name));
        unlinkSync(join(directory, name));
      }
      expect(readdirSync(outside)).to.deep.equal(['secret']);
      // The directory itself may be one: that is its owner's choice.
      symlinkSync(outside, join(folder, 'elsewhere'));
      const elsewhere = await opened(join(folder, 'elsewhere'));
      expect(await textOf(elsewhere, await elsewhere.put('content'))).to.equal('content');
    });
  });

  it('let a file or a folder in the wrong place fail that artifact, with what to do', () =>
    inFolder(async (folder) => {
      const directory = join(folder, 'artifacts');
      const store = await opened(directory);
      const pointer = await store.put('content');
      const shelf = join(directory, pointer.id.slice(0, 2));
      unlinkSync(join(shelf, pointer.id));
      mkdirSync(join(shelf, pointer.id));
      const error = await failing('CORRUPT_RECORD', () => store.get(pointer));
      expect(error.message).to.include('not a file');
      await failing('STORE_UNAVAILABLE', () => store.put('content'));
      rmSync(shelf, { recursive: true });
      writeFileSync(shelf, '');
      for (const call of [() => store.get(pointer), () => store.put('content')]) {
        expect((await failing('STORE_OPEN', call)).hint).to.include('Move it away');
      }
      expect(readdirSync(join(directory, 'staging'))).to.deep.equal([]);
      const other = await store.put('other');
      expect(await textOf(store, other)).to.equal('other');
    }));

  it('keep nothing of a put that fails in the middle, and take it again', () =>
    inFolder(async (folder) => {
      const directory = join(folder, 'artifacts');
      const store = await opened(directory);
      armFailpoints('artifact:staged=throw');
      let thrown: unknown;
      await store.put('content').catch((error: unknown) => (thrown = error));
      expect(String(thrown)).to.include('failpoint artifact:staged');
      expect((await store.list({ limit: 10 })).artifacts).to.deep.equal([]);
      expect(readdirSync(join(directory, 'staging'))).to.deep.equal([]);
      // Renamed and not yet said to be there: that is for the next put to say.
      armFailpoints('artifact:renamed=throw');
      await store.put('content').catch((error: unknown) => (thrown = error));
      expect(String(thrown)).to.include('failpoint artifact:renamed');
      const pointer = await store.put('content');
      expect(await textOf(store, pointer)).to.equal('content');
    }));

  it('are known by their SHA-256 where length and checksum would not tell', () =>
    inFolder(async (folder) => {
      const store = await opened(join(folder, 'artifacts'));
      const bytes = Buffer.from('content that somebody has changed with care');
      const pointer = await store.put(bytes);
      // A multiple of its polynomial changes no crc.
      const polynomial = 1n | (0x82f63b78n << 1n);
      for (let at = 0; at < 5; at += 1) bytes[7 + at]! ^= Number((polynomial >> BigInt(8 * at)) & 0xffn);
      expect(crc32c(bytes)).to.equal(pointer.checksum);
      writeFileSync(join(folder, 'artifacts', pointer.id.slice(0, 2), pointer.id), bytes);
      const error = await failing('CORRUPT_RECORD', () => store.get(pointer));
      expect(error.message).to.include('SHA-256');
    }));

  it('have no more files open than a process may, however many are put at once', function () {
    if (process.platform === 'win32') this.skip();
    return inFolder(async (folder) => {
      const program = `
        import { files } from 'statewarden/artifacts';
        const store = await files(${JSON.stringify(join(folder, 'artifacts'))}).open({ now: Date.now });
        await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.put(String(n))));
      `;
      const node = [process.execPath, '--input-type=module', '--eval', program];
      const { status, stderr } = spawnSync('sh', ['-c', 'ulimit -n 100; exec "$@"', 'sh', ...node], { encoding: 'utf8' });
      expect(stderr).to.equal('');
      expect(status).to.equal(0);
    });
  });

  it('pass over what is not theirs in their folder', () =>
    inFolder(async (folder) => {
      const directory = join(folder, 'artifacts');
      const store = await opened(directory);
      const pointer = await store.put('content');
      const strangers = ['README', 'zz', join(pointer.id.slice(0, 2), 'notes.txt'), join(pointer.id.slice(0, 2), 'f'.repeat(64))];
      for (const name of strangers) writeFileSync(join(directory, name), 'mine');
      expect((await store.list({ limit: 10 })).artifacts.map(({ id }) => id)).to.deep.equal([pointer.id]);
      await sweepArtifacts({ artifacts: store, reachable: async (ids) => ids.map(() => false), graceMs: 0, now: () => now() + 1 });
      for (const name of strangers) expect(readFileSync(join(directory, name), 'utf8')).to.equal('mine');
      await failing('ARTIFACT_MISSING', () => store.get(pointer));
    }));

  it('keep the folder that was meant when the process goes to another one', () =>
    inFolder(async (folder) => {
      const before = process.cwd();
      try {
        process.chdir(folder);
        const store = await opened('./artifacts');
        expect(store.name).to.equal('files:./artifacts');
        process.chdir(before);
        const { id } = await store.put('content');
        expect(existsSync(join(folder, 'artifacts', id.slice(0, 2), id))).to.equal(true);
      } finally {
        process.chdir(before);
      }
    }));
});

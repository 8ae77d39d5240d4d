/**
 * Processes that keep artifacts in files and are killed, held up at the worst moment, or whose disk fails. Afterwards whatever was acknowledged is there and whole, and what is
 * listed is whole. SIGKILL keeps the operating system's cache: that a put waits for its syncs is tried by making them fail.
 */

import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import { files, type ArtifactEntry, type ArtifactPointer, type ArtifactStore } from 'statewarden/artifacts';
import { inFolder, lifeOf } from '../crash/lives.js';
import { failing } from '../bad-input/failing.js';
import { pending } from '../pending.js';
import { acknowledgedIn, artifactLifePath, contents, directoryIn, putAll } from './artifact-life.js';

const openIn = (folder: string): Promise<ArtifactStore> => files(directoryIn(folder)).open({ now: Date.now });
const live = (folder: string, deed: string, failpoints = '', argument = '') =>
  lifeOf(artifactLifePath, [folder, deed, argument], failpoints);

const stagingIn = (folder: string): string[] => {
  const path = join(directoryIn(folder), 'staging');
  return existsSync(path) ? readdirSync(path) : [];
};

/** Files that removals have set aside. */
const asideIn = (folder: string): string[] => {
  const names = existsSync(directoryIn(folder)) ? readdirSync(directoryIn(folder), { recursive: true, encoding: 'utf8' }) : [];
  return names.filter((name) => name.endsWith('.removing'));
};

const pointers = new Map<string, ArtifactPointer>();
/** Pointers to all contents, made elsewhere. */
async function known(): Promise<Map<string, ArtifactPointer>> {
  if (pointers.size === 0) {
    await inFolder(async (folder) => {
      const store = await openIn(folder);
      for (const content of contents) {
        const pointer = await store.put(content);
        pointers.set(pointer.id, pointer);
      }
    });
  }
  return pointers;
}

/** All that was acknowledged is there; all that is listed is whole. */
async function judge(folder: string, what: string): Promise<readonly ArtifactEntry[]> {
  const store = await openIn(folder);
  const { artifacts } = await store.list({ limit: 1_000 });
  for (const { id, bytes } of artifacts) {
    const pointer = (await known()).get(id);
    expect(pointer?.bytes, `${what}: ${id}`).to.equal(bytes);
    expect((await store.get(pointer!)).length).to.equal(bytes);
  }
  for (const pointer of acknowledgedIn(folder)) await store.get(pointer);
  return artifacts;
}

/** Kills a deed at the first passing of a place, then the second, and so on until it comes to its end before; resolves to the number of kills. */
async function killEach(deed: string, place: string, judged: (folder: string, what: string) => Promise<void>): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    const failpoints = `${place}=crash@${String(kills + 1)}`;
    const killed = await inFolder(async (folder) => {
      if (deed === 'remove') await putAll(folder);
      const end = await live(folder, deed, failpoints, 'Infinity');
      if (end.signal !== 'SIGKILL') expect(end, failpoints).to.deep.equal({ code: 0, signal: null, stderr: '' });
      await judged(folder, failpoints);
      return end.signal === 'SIGKILL';
    });
    if (!killed) return kills;
  }
}

const distinct = new Set(contents.map((content) => content.toString())).size;

describe('artifacts in files whose process is killed', function () {
  this.timeout(60_000);

  for (const place of ['artifact:staged', 'artifact:renamed']) {
    it(`are whole or not there, and lose nothing that was acknowledged, at each passing of ${place}`, async () => {
      const kills = await killEach('put', place, async (folder, what) => {
        await judge(folder, what);
        expect(stagingIn(folder).length, what).to.be.at.most(1);
        // The next life puts them all, whatever was left.
        await putAll(folder);
        expect(await judge(folder, what)).to.have.lengthOf(distinct);
      });
      expect(kills).to.be.at.least(distinct);
    });
  }

  it('leave staging files, which are swept by a list once they are an hour old, and not before', () =>
    inFolder(async (folder) => {
      expect((await live(folder, 'put', 'artifact:staged=crash@1')).signal).to.equal('SIGKILL');
      expect((await live(folder, 'put', 'artifact:staged=crash@2')).signal).to.equal('SIGKILL');
      const [old = '', young = ''] = stagingIn(folder);
      expect(young).to.not.equal('');
      const seconds = Date.now() / 1_000;
      utimesSync(join(directoryIn(folder), 'staging', old), seconds - 3_601, seconds - 3_601);
      utimesSync(join(directoryIn(folder), 'staging', young), seconds - 3_500, seconds - 3_500);
      await judge(folder, 'left over');
      expect(stagingIn(folder)).to.deep.equal([young]);
    }));

  for (const place of ['artifact:remove', 'artifact:set-aside']) {
    it(`are whole or gone after a removal that is killed at each passing of ${place}; the next one ends it`, async () => {
      const kills = await killEach('remove', place, async (folder, what) => {
        const store = await openIn(folder);
        const { artifacts } = await store.list({ limit: 1_000 });
        for (const { id } of artifacts) await store.get((await known()).get(id)!);
        const removed = await store.remove(
          artifacts.map(({ id }) => id),
          Infinity,
        );
        expect(removed, what).to.deep.equal(artifacts.map(() => true));
        expect((await store.list({ limit: 1 })).artifacts).to.deep.equal([]);
        expect(asideIn(folder), what).to.deep.equal([]);
      });
      expect(kills).to.equal(distinct);
    });
  }

  it('are found where a killed removal has set them aside, and put back when their time is new', () =>
    inFolder(async (folder) => {
      const store = await openIn(folder);
      const pointer = await store.put('content');
      expect((await live(folder, 'remove', 'artifact:set-aside=crash', 'Infinity')).signal).to.equal('SIGKILL');
      expect(asideIn(folder)).to.have.lengthOf(1);
      expect(Buffer.from(await store.get(pointer)).toString()).to.equal('content');
      const { artifacts } = await store.list({ limit: 10 });
      expect(artifacts.map(({ id }) => id)).to.deep.equal([pointer.id]);
      expect(await store.remove([pointer.id], artifacts[0]!.at - 1)).to.deep.equal([false]);
      expect(asideIn(folder)).to.deep.equal([]);
      expect(Buffer.from(await store.get(pointer)).toString()).to.equal('content');
    }));
});

describe('a removal that stands still', function () {
  this.timeout(60_000);
  const contentIn = async (folder: string, pointer: ArtifactPointer) => Buffer.from(await (await openIn(folder)).get(pointer)).toString();

  it('after it has seen an old time does not remove what is put again meanwhile', () =>
    inFolder(async (folder) => {
      const store = await openIn(folder);
      const pointer = await store.put('content');
      const { at } = (await store.list({ limit: 1 })).artifacts[0]!;
      const ending = live(folder, 'remove', 'artifact:remove=delay:700', String(at));
      while (!existsSync(join(folder, 'begun.log'))) await passing(5);
      await passing(200);
      await store.put('content');
      expect(existsSync(join(folder, 'removed.log')), 'it stands still').to.equal(false);
      expect(await ending).to.include({ code: 0, stderr: '' });
      expect(readFileSync(join(folder, 'removed.log'), 'utf8')).to.equal('0\n');
      expect(await contentIn(folder, pointer)).to.equal('content');
      expect(asideIn(folder)).to.deep.equal([]);
    }));

  it('after it has set a file aside hides it from no reader, and does not remove what is put anew', () =>
    inFolder(async (folder) => {
      const store = await openIn(folder);
      const pointer = await store.put('content');
      const { at } = (await store.list({ limit: 1 })).artifacts[0]!;
      const ending = live(folder, 'remove', 'artifact:set-aside=delay:700', String(at));
      while (asideIn(folder).length === 0) await passing(5);
      expect(await contentIn(folder, pointer)).to.equal('content');
      expect((await store.list({ limit: 10 })).artifacts.map(({ id }) => id)).to.deep.equal([pointer.id]);
      await store.put('content');
      expect(asideIn(folder), 'it stands still').to.have.lengthOf(1);
      expect(await ending).to.include({ code: 0, stderr: '' });
      expect(await contentIn(folder, pointer)).to.equal('content');
      expect(asideIn(folder)).to.deep.equal([]);
    }));
});

/** What a life under another program, or as nobody, says its error was. */
interface Told {
  readonly status: number | null;
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  /** What came of one more put after it. */
  readonly again?: string;
}

function liveUnder(under: readonly string[], folder: string, deed: string): Told {
  const [command, ...args] = [...under, process.execPath, '--no-warnings', artifactLifePath, folder, deed];
  // One thread for files: strace counts the calls of each by itself.
  const { status, stderr } = spawnSync(command as string, args, { encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' } });
  return { status, ...((stderr.startsWith('{') ? JSON.parse(stderr) : { message: stderr }) as Omit<Told, 'status'>) };
}

const canTrace = (): boolean => spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;
const refusing = (errno: string, nth: number): string[] => {
  const call = `inject=fsync:error=${errno}:when=${String(nth)}`;
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync', '-e', call];
};

describe('a disk that fails under artifacts', function () {
  this.timeout(60_000);

  it('to sync poisons the store: nothing more is acknowledged; the next life puts it all', function () {
    if (!canTrace()) pending(this, 'strace is not here, or not allowed to trace');
    return inFolder(async (folder) => {
      let acknowledged = 0;
      // Syncs of the folders that are made, of staging files, of their folders, and the last of all, for content that was there: each of them is waited for.
      for (const nth of [1, 2, 3, 4, 5, 6, 9, 13, 20]) {
        const inner = join(folder, String(nth));
        mkdirSync(inner);
        const told = liveUnder(refusing('EIO', nth), inner, 'put');
        expect(told.code, `${String(nth)}: ${String(told.message)}`).to.equal('STORE_POISONED');
        expect(told.hint).to.include('start again');
        expect(told.again, 'one more put').to.equal('STORE_POISONED');
        expect(stagingIn(inner)).to.deep.equal([]);
        acknowledged += acknowledgedIn(inner).length;
        expect(acknowledgedIn(inner).length).to.be.below(contents.length);
        await putAll(inner);
        expect(await judge(inner, String(nth))).to.have.lengthOf(distinct);
      }
      expect(acknowledged).to.be.greaterThan(0);
    });
  });

  it('because it is full, which the sync of a file says, keeps nothing of that put and can be tried again', function () {
    if (!canTrace()) pending(this, 'strace is not here, or not allowed to trace');
    return inFolder(async (folder) => {
      // 1: of the folder around, 2: of the root for `staging`, 3: of the file.
      const told = liveUnder(refusing('ENOSPC', 3), folder, 'put');
      expect(told.code, told.message).to.equal('STORE_UNAVAILABLE');
      expect(told.hint).to.include('Free space');
      expect(told.again, 'one more put').to.equal('kept');
      expect(acknowledgedIn(folder)).to.deep.equal([]);
      expect(await judge(folder, 'full')).to.have.lengthOf(1);
      expect(stagingIn(folder)).to.deep.equal([]);
    });
  });

  it('because it is full, for real, keeps what was acknowledged and leaves the room free that it took', function () {
    // A file system of its own, seen by that process only. A name left in `staging` would spoil what it says.
    const mounting = (folder: string): string[] => [
      'unshare',
      '-m',
      'sh',
      '-c',
      'mount -t tmpfs -o size=400k tmpfs "$0" && "$@"; status=$?; ls "$0/artifacts/staging" >&2; exit $status',
      folder,
    ];
    if (spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status !== 0) pending(this, 'only root may mount');
    return inFolder(async (folder) => {
      const told = liveUnder(mounting(folder), folder, 'put');
      expect(told.status).to.equal(0);
      expect(told.code, told.message).to.equal('STORE_UNAVAILABLE');
      expect(told.hint).to.include('Free space');
      expect(told.again, 'one more put').to.equal('kept');
    });
  });
});

describe('artifacts in a folder that may not be written', () => {
  const nobody = 65_534;
  /** As a user without privileges; undefined when that cannot run this Node, or read the code. */
  const liveAsNobody = (folder: string, deed: string): Told | undefined => {
    const root = process.getuid?.() === 0;
    const { status, stderr, error } = spawnSync(process.execPath, ['--no-warnings', artifactLifePath, folder, deed], {
      encoding: 'utf8',
      ...(root ? { uid: nobody, gid: nobody } : {}),
    });
    if (root && (error as NodeJS.ErrnoException | undefined)?.code === 'EACCES') return undefined;
    if (stderr.startsWith('{')) return { status, ...(JSON.parse(stderr) as Omit<Told, 'status'>) };
    if (root && /EACCES|permission denied|Cannot find module/.test(stderr)) return undefined;
    return { status, message: stderr };
  };
  const chmod = (mode: string, folder: string) => spawnSync('chmod', ['-R', mode, folder]);
  const give = (folder: string) => process.getuid?.() === 0 && spawnSync('chown', ['-R', `${String(nobody)}:${String(nobody)}`, folder]);

  before(function () {
    if (process.platform === 'win32') this.skip();
  });

  it('are refused when they are opened, whether the folder is there or is to be made', function () {
    return inFolder(async (folder) => {
      give(folder);
      chmod('0555', folder);
      const missing = liveAsNobody(folder, 'open');
      chmod('0755', folder);
      mkdirSync(directoryIn(folder));
      give(folder);
      chmod('0555', directoryIn(folder));
      const there = liveAsNobody(folder, 'open');
      chmod('0755', folder);
      if (missing === undefined || there === undefined) pending(this, 'nobody else may be run here');
      for (const told of [missing, there]) {
        expect(told.code, told.message).to.equal('STORE_OPEN');
        expect(told.message).to.include('EACCES');
        expect(told.hint).to.include('readable and writable');
      }
    });
  });

  it('are refused for the time being when it was made so later', function () {
    return inFolder(async (folder) => {
      give(folder);
      const told = liveAsNobody(folder, 'lock');
      if (told === undefined) pending(this, 'nobody else may be run here');
      expect(told.code, told.message).to.equal('STORE_UNAVAILABLE');
      expect(told.hint).to.include('chmod');
      await failing('ARTIFACT_MISSING', async () => (await openIn(folder)).get({ id: 'f'.repeat(64), bytes: 1, checksum: 0 }));
    });
  });
});

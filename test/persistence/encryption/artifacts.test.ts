/** Encrypted artifacts seen from outside: what stands in their files and names, who is refused, and a rotation. */

import { expect } from 'chai';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { memory } from 'statewarden';
import { files, memoryArtifacts, type ArtifactStoreSource } from 'statewarden/artifacts';
import { encrypted, encryptedArtifacts } from 'statewarden/encryption';
import { inFolder } from '../../crash/lives.js';
import { testKeys } from './keys.js';

const now = Date.now;

async function codeOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
    return 'nothing';
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

describe('encrypted artifacts', () => {
  it('say nothing in their files or names, and the same content twice is one file', () =>
    inFolder(async (folder) => {
      const store = encrypted(memory(), { keys: testKeys() });
      const artifacts = await encryptedArtifacts(files(join(folder, 'a')), { store }).open({ now });
      const content = 'plain-marker '.repeat(30_000);
      const pointer = await artifacts.put(content);
      await artifacts.put(content);
      expect(pointer.id).to.equal(createHash('sha256').update(content).digest('hex'));
      const found = filesUnder(folder);
      expect(found).to.have.length(1);
      expect(basename(found[0] ?? '')).to.not.equal(pointer.id);
      expect(readFileSync(found[0] ?? '').includes('plain-marker')).to.equal(false);
      // Another store's keys make another name of it.
      const other = await encryptedArtifacts(files(join(folder, 'b')), { store: encrypted(memory(), { keys: testKeys() }) }).open({ now });
      expect((await other.put(content)).id).to.equal(pointer.id);
      expect(new Set(filesUnder(folder).map((path) => basename(path))).size).to.equal(2);
      await artifacts.close();
      await other.close();
    }));

  it('do not open in the place of another', () =>
    inFolder(async (folder) => {
      const store = encrypted(memory(), { keys: testKeys() });
      const artifacts = await encryptedArtifacts(files(folder), { store }).open({ now });
      const [one, other] = [await artifacts.put(randomBytes(1_000)), await artifacts.put(randomBytes(1_000))];
      const [first = '', second = ''] = filesUnder(folder);
      renameSync(first, `${first}.x`);
      renameSync(second, first);
      renameSync(`${first}.x`, second);
      expect(await codeOf(() => artifacts.get(one))).to.equal('CORRUPT_RECORD');
      expect(await codeOf(() => artifacts.get(other))).to.equal('CORRUPT_RECORD');
      await artifacts.close();
    }));

  it('are read over a rotation, also by a process that was there before it', async () => {
    const keys = testKeys('secret', 'k1', 'k2');
    keys.current = 'k1';
    const store = encrypted(memory(), { keys });
    const place = encryptedArtifacts(memoryArtifacts(), { store });
    const before = await place.open({ now });
    const old = await before.put('old');
    keys.current = 'k2';
    const after = await place.open({ now });
    const young = await after.put('young');
    expect(Buffer.from(await before.get(young)).toString()).to.equal('young');
    expect(Buffer.from(await after.get(old)).toString()).to.equal('old');
    expect(await after.put('old')).to.deep.equal(old);
    expect((await after.list({ limit: 10 })).artifacts).to.have.length(2);
    await before.close();
    await after.close();
  });

  it('are refused where there are others, without keys, and over a store that cannot name them', async () => {
    const store = encrypted(memory(), { keys: testKeys() });
    const plain = memoryArtifacts();
    const opened = await plain.open({ now });
    await opened.put('plain');
    expect(await codeOf(() => encryptedArtifacts(plain, { store }).open({ now }))).to.equal('STORE_NOT_ENCRYPTED');
    expect((await opened.list({ limit: 10 })).artifacts).to.have.length(1);
    const keys = testKeys();
    const inner = memory();
    const place = memoryArtifacts();
    await (await encryptedArtifacts(place, { store: encrypted(inner, { keys }) }).open({ now })).put('x');
    const wrong = encrypted(inner, { keys: testKeys('other') });
    expect(await codeOf(() => encryptedArtifacts(place, { store: wrong }).open({ now }))).to.equal('DECRYPTION');
    const nameless: ArtifactStoreSource = {
      name: 'nameless:',
      capabilities: { durable: false },
      open: async (options) => {
        const whole = await memoryArtifacts().open(options);
        return {
          name: whole.name,
          put: (content) => whole.put(content),
          get: (pointer) => whole.get(pointer),
          read: (pointer) => whole.read(pointer),
          list: (page) => whole.list(page),
          remove: (ids, notAfter) => whole.remove(ids, notAfter),
          close: () => whole.close(),
        };
      },
    };
    expect(await codeOf(() => encryptedArtifacts(nameless, { store }).open({ now }))).to.equal('CAPABILITY_MISSING');
    expect(await codeOf(() => encryptedArtifacts(plain, {} as never))).to.equal('BAD_INPUT');
    expect(await codeOf(() => encryptedArtifacts(plain, { store: memory() as never }))).to.equal('BAD_INPUT');
  });
});

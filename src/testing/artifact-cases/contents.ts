/** Contents: what goes in comes out, as it was, in one piece or many; what is missing, damaged or meaningless is told. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ArtifactContent, ArtifactPointer } from '../../persistence/artifacts/artifact-store.js';
import { comesBack, failing, listed, noise, piecesOf, stream, type ArtifactCase } from './scene.js';

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
const nowhere: ArtifactPointer = { id: sha256('nowhere'), bytes: 7, checksum: 0 };

export const contentCases: readonly ArtifactCase[] = [
  {
    title: 'names content by its SHA-256, counts its bytes and gives its crc32c',
    run: async (scene) => {
      const store = await scene.open();
      assert.deepEqual(await store.put('123456789'), { id: sha256('123456789'), bytes: 9, checksum: 0xe3069283 });
      assert.deepEqual(await store.put(new Uint8Array(32)), { id: sha256(new Uint8Array(32)), bytes: 32, checksum: 0x8a9136aa });
      assert.deepEqual(await store.put(''), { id: sha256(''), bytes: 0, checksum: 0 });
    },
  },
  {
    title: 'gives back text, bytes and nothing at all',
    run: async (scene) => {
      const store = await scene.open();
      const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      for (const content of ['', 'a', 'zażółć \u0000 \u{1f600}\r\n', '{"a":1}', new Uint8Array(0), Uint8Array.of(0), every]) {
        await comesBack(store, await store.put(content), content);
      }
    },
  },
  {
    title: 'gives back 5 MB, and what is just as long as its pieces or a byte more or less',
    run: async (scene) => {
      const store = await scene.open();
      for (const bytes of [5_000_000, 65_535, 65_536, 262_143, 262_144, 262_145, 1_048_576, 1_048_577]) {
        const content = noise(bytes);
        await comesBack(store, await store.put(content), content);
      }
    },
  },
  {
    title: 'takes a stream, in whatever pieces it comes, for the same artifact as its content',
    run: async (scene) => {
      const store = await scene.open();
      const content = noise(700_001);
      const whole = await store.put(content);
      for (const pieceBytes of [999, 65_536, 700_001]) assert.deepEqual(await store.put(stream(content, pieceBytes)), whole);
      assert.deepEqual(await store.put(Readable.from(stream(content, 10_000))), whole);
      await comesBack(store, whole, content);
      const other = noise(700_001, 2);
      await comesBack(store, await store.put(stream(other, 4_099)), other);
      const empty = await store.put(stream(new Uint8Array(0), 1));
      assert.equal(empty.id, sha256(''));
      await comesBack(store, empty, '');
    },
  },
  {
    title: 'takes a stream that uses one buffer for all its pieces',
    run: async (scene) => {
      const store = await scene.open();
      const content = noise(50_000);
      const frugal = async function* (): AsyncGenerator<Uint8Array> {
        const buffer = Buffer.alloc(1_000);
        for (let at = 0; at < content.length; at += 1_000) {
          buffer.set(content.subarray(at, at + 1_000));
          yield buffer;
        }
      };
      await comesBack(store, await store.put(frugal()), content);
    },
  },
  {
    title: 'keeps nothing of a stream that fails, and throws its error as it is',
    run: async (scene) => {
      const store = await scene.open();
      const error = Object.assign(new Error('cut'), { code: 'ENOENT', syscall: 'read' });
      const failingStream = async function* () {
        yield noise(100_000);
        throw error;
      };
      await assert.rejects(store.put(failingStream()), (thrown) => thrown === error);
      assert.deepEqual(await listed(store), []);
    },
  },
  {
    title: 'refuses what is no content, and lets go of its stream',
    run: async (scene) => {
      const store = await scene.open();
      let ended = false;
      const words = async function* () {
        try {
          yield Uint8Array.of(1);
          yield 'word';
        } finally {
          ended = true;
        }
      };
      for (const content of [1, null, undefined, {}, ['a'], new ArrayBuffer(1), 'half \ud83d of a pair', words()]) {
        await failing('BAD_INPUT', () => store.put(content as ArtifactContent));
      }
      assert.ok(ended);
      assert.deepEqual(await listed(store), []);
    },
  },
  {
    title: 'shares no memory with who puts or who reads',
    run: async (scene) => {
      const store = await scene.open();
      const content = noise(1_000);
      const original = content.slice();
      const pointer = await store.put(content);
      content.fill(0);
      (await store.get(pointer)).fill(0);
      for (const piece of await piecesOf(store, pointer)) piece.fill(0);
      await comesBack(store, pointer, original);
    },
  },
  {
    title: 'lets a reader stop in the middle, and several read at once',
    run: async (scene) => {
      const store = await scene.open();
      const content = noise(2_000_000);
      const pointer = await store.put(content);
      for await (const piece of store.read(pointer)) {
        assert.ok(piece.length > 0);
        break;
      }
      await Promise.all(Array.from({ length: 8 }, () => comesBack(store, pointer, content)));
    },
  },
  {
    title: 'says that an artifact is missing',
    run: async (scene) => {
      const store = await scene.open();
      await store.put('somewhere');
      await failing('ARTIFACT_MISSING', () => store.get(nowhere));
      await failing('ARTIFACT_MISSING', () => piecesOf(store, nowhere));
    },
  },
  {
    title: 'gives nothing for a pointer that says something else of its artifact',
    run: async (scene) => {
      const store = await scene.open();
      const pointer = await store.put('content');
      for (const change of [{ bytes: 6 }, { bytes: 8 }, { bytes: 2 ** 52 }, { checksum: pointer.checksum ^ 1 }]) {
        await failing('CORRUPT_RECORD', () => store.get({ ...pointer, ...change }));
        await failing('CORRUPT_RECORD', () => piecesOf(store, { ...pointer, ...change }));
      }
    },
  },
  {
    title: 'refuses ids, pointers and pages that are none',
    run: async (scene) => {
      const store = await scene.open();
      const pointer = await store.put('content');
      for (const id of [
        '',
        '..',
        `../../${'a'.repeat(58)}`,
        pointer.id.toUpperCase(),
        `${pointer.id}\n`,
        `${pointer.id}0`,
        1,
        undefined,
      ] as string[]) {
        await failing('BAD_INPUT', () => store.get({ ...pointer, id }));
        await failing('BAD_INPUT', () => store.remove([pointer.id, id], Infinity));
      }
      for (const change of [{ bytes: -1 }, { bytes: 0.5 }, { bytes: NaN }, { checksum: NaN }]) {
        await failing('BAD_INPUT', () => piecesOf(store, { ...pointer, ...change }));
      }
      for (const limit of [0, -1, 0.5, NaN]) await failing('BAD_INPUT', () => store.list({ limit }));
      await comesBack(store, pointer, 'content');
    },
  },
  {
    title: 'finds damage, and never gives the last piece of what is damaged',
    needs: 'damage',
    run: async (scene) => {
      const store = await scene.open();
      for (const [index, bytes] of [1, 100, 262_144, 1_000_000].entries()) {
        for (const [nth, how] of (['change', 'shorten', 'lengthen'] as const).entries()) {
          const pointer = await store.put(noise(bytes, 10 * index + nth + 1));
          await scene.fixture.damage?.(pointer, how);
          await failing('CORRUPT_RECORD', () => store.get(pointer));
          let seen = 0;
          await failing('CORRUPT_RECORD', async () => {
            for await (const piece of store.read(pointer)) seen += piece.length;
          });
          assert.ok(seen < bytes, how);
        }
      }
    },
  },
  {
    title: 'makes an artifact whole again that has lost or gained bytes, when it is put again',
    needs: 'damage',
    run: async (scene) => {
      const store = await scene.open();
      for (const how of ['shorten', 'lengthen'] as const) {
        const pointer = await store.put('content');
        await scene.fixture.damage?.(pointer, how);
        assert.deepEqual(await store.put('content'), pointer);
        await comesBack(store, pointer, 'content');
      }
    },
  },
];

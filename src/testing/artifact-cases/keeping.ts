/** Keeping: one artifact for the same content, its time, lists in pages, removal by time, and all of that from several sides at once. */

import assert from 'node:assert/strict';
import type { ArtifactPointer } from '../../persistence/artifacts/artifact-store.js';
import { sweepArtifacts } from '../../persistence/artifacts/sweep.js';
import { comesBack, failing, listed, noise, piecesOf, putAll, stream, timeOf, type ArtifactCase } from './scene.js';

const words = (count: number): string[] => Array.from({ length: count }, (_, n) => `word ${String(n)}`);
const idsOf = (artifacts: readonly { readonly id: string }[]): string[] => artifacts.map(({ id }) => id).sort();

export const keepingCases: readonly ArtifactCase[] = [
  {
    title: 'keeps the same content once, whichever way it is put',
    run: async (scene) => {
      const store = await scene.open();
      const bytes = Buffer.from('content');
      const pointers = [await store.put('content'), await store.put(bytes), await store.put(stream(bytes, 3)), await store.put('content')];
      for (const pointer of pointers) assert.deepEqual(pointer, pointers[0]);
      assert.deepEqual(
        (await listed(store)).map(({ id, bytes: length }) => ({ id, length })),
        [{ id: pointers[0]?.id, length: 7 }],
      );
    },
  },
  {
    title: 'makes the time of an artifact new when it is put again, as content or as a stream',
    run: async (scene) => {
      const store = await scene.open();
      const other = await store.put('other');
      const pointer = await store.put('content');
      const otherAt = await timeOf(store, other);
      let before = await timeOf(store, pointer);
      for (const content of ['content', stream(Buffer.from('content'), 2), Buffer.from('content')]) {
        const time = await scene.later(store, before);
        await store.put(content);
        before = await timeOf(store, pointer);
        assert.ok(before >= time, 'its time is not before the call');
      }
      assert.equal(await timeOf(store, other), otherAt);
    },
  },
  {
    title: 'has what was put when it is opened again, and shows it to others that have it open',
    run: async (scene) => {
      const one = await scene.open();
      const other = await scene.open();
      const pointer = await one.put('content');
      await comesBack(other, pointer, 'content');
      await one.close();
      await other.close();
      const next = await scene.open();
      await comesBack(next, pointer, 'content');
      assert.deepEqual(idsOf(await listed(next)), [pointer.id]);
    },
  },
  {
    title: 'lists nothing when there is nothing',
    run: async (scene) => {
      const store = await scene.open();
      assert.deepEqual(await listed(store), []);
      assert.deepEqual(await store.remove([], Infinity), []);
      assert.deepEqual(await sweepArtifacts({ artifacts: store, reachable: async () => [], now: () => scene.now }), {
        kept: 0,
        removed: 0,
        bytes: 0,
      });
    },
  },
  {
    title: 'lists a thousand and more, in pages of any size',
    run: async (scene) => {
      const store = await scene.open();
      const pointers = await putAll(store, words(1_200));
      for (const limit of [1_000, 97, 10_000]) {
        const found = await listed(store, limit);
        assert.deepEqual(idsOf(found), idsOf(pointers));
        assert.equal(
          found.reduce((sum, { bytes }) => sum + bytes, 0),
          pointers.reduce((sum, { bytes }) => sum + bytes, 0),
        );
      }
    },
  },
  {
    title: 'lists what stays, whatever is put and removed between two pages',
    run: async (scene) => {
      const store = await scene.open();
      const staying = await putAll(store, words(60));
      const passing = await putAll(
        store,
        Array.from({ length: 60 }, (_, n) => `passing ${String(n)}`),
      );
      const found = new Set<string>();
      let after: string | undefined;
      for (let page = 0; ; page += 1) {
        const { artifacts, next } = await store.list({ after, limit: 7 });
        for (const { id } of artifacts) found.add(id);
        if (next === undefined) break;
        after = next;
        await store.put(`new ${String(page)}`);
        await store.remove(
          passing.splice(0, 5).map(({ id }) => id),
          Infinity,
        );
      }
      for (const { id } of staying) assert.ok(found.has(id), `${id} is listed`);
    },
  },
  {
    title: 'removes by time, and says what it has removed',
    run: async (scene) => {
      const store = await scene.open();
      const old = await store.put('old');
      const oldAt = await timeOf(store, old);
      await scene.later(store, oldAt);
      const young = await store.put('young');
      const nowhere = 'f'.repeat(64);
      assert.deepEqual(await store.remove([young.id, nowhere, old.id], oldAt - 1), [false, false, false]);
      assert.deepEqual(await store.remove([young.id, nowhere, old.id], oldAt), [false, false, true]);
      assert.deepEqual(await store.remove([old.id], Infinity), [false]);
      await failing('ARTIFACT_MISSING', () => store.get(old));
      await comesBack(store, young, 'young');
      assert.deepEqual(idsOf(await listed(store)), [young.id]);
    },
  },
  {
    title: 'does not remove what was put again after the time, and takes back what was removed',
    run: async (scene) => {
      const store = await scene.open();
      const pointer = await store.put('content');
      const at = await timeOf(store, pointer);
      await scene.later(store, at);
      await store.put('content');
      assert.deepEqual(await store.remove([pointer.id], at), [false]);
      await comesBack(store, pointer, 'content');
      assert.deepEqual(await store.remove([pointer.id], Infinity), [true]);
      assert.deepEqual(await store.put('content'), pointer);
      await comesBack(store, pointer, 'content');
    },
  },
  {
    title: 'keeps the same content once when many put it at the same time',
    run: async (scene) => {
      const stores = await Promise.all([scene.open(), scene.open(), scene.open()]);
      const content = noise(300_000);
      const puts = stores.flatMap((store) =>
        Array.from({ length: 8 }, (_, n) => store.put(n % 2 === 0 ? content : stream(content, 7_000))),
      );
      const pointers = await Promise.all(puts);
      for (const pointer of pointers) assert.deepEqual(pointer, pointers[0]);
      for (const store of stores) {
        await comesBack(store, pointers[0] as ArtifactPointer, content);
        assert.equal((await listed(store)).length, 1);
      }
    },
  },
  {
    title: 'gives a reader all or an error, whoever removes and puts meanwhile',
    run: async (scene) => {
      const [store, remover] = [await scene.open(), await scene.open()];
      const content = noise(1_500_000);
      const pointer = await store.put(content);
      for (let round = 0; round < 12; round += 1) {
        const reading = Promise.all(
          Array.from({ length: 4 }, async () => {
            try {
              assert.ok(Buffer.concat(await piecesOf(store, pointer)).equals(content));
            } catch (error) {
              assert.ok(['ARTIFACT_MISSING', 'STORE_UNAVAILABLE'].includes((error as { code: string }).code), String(error));
            }
          }),
        );
        await Promise.all([reading, remover.remove([pointer.id], Infinity)]);
        await store.put(content);
      }
      await comesBack(remover, pointer, content);
    },
  },
  {
    title: 'never loses what was put again to a removal that runs at the same moment',
    run: async (scene) => {
      const stores = await Promise.all([scene.open(), scene.open(), scene.open(), scene.open()]);
      const [store, other, remover, rival] = stores as [(typeof stores)[0], (typeof stores)[0], (typeof stores)[0], (typeof stores)[0]];
      for (let round = 0; round < 60; round += 1) {
        const pointer = await store.put('content');
        const at = await timeOf(store, pointer);
        await scene.later(store, at);
        await Promise.all([
          store.put('content'),
          round % 3 === 0 ? other.put(stream(Buffer.from('content'), 5)) : undefined,
          remover.remove([pointer.id], at),
          rival.remove([pointer.id], at),
        ]);
        await comesBack(other, pointer, 'content');
      }
    },
  },
  {
    title: 'is swept of what nothing points to and is older than the grace',
    run: async (scene) => {
      const store = await scene.open();
      const pointers = await putAll(store, words(40));
      const needed = new Set(pointers.filter((_, index) => index % 4 === 0).map(({ id }) => id));
      const at = Math.max(...(await listed(store)).map((entry) => entry.at));
      const later = await scene.later(store, at);
      const young = await store.put('young');
      const asked: string[] = [];
      const report = await sweepArtifacts({
        artifacts: store,
        reachable: async (ids) => {
          asked.push(...ids);
          return ids.map((id) => needed.has(id));
        },
        graceMs: 10_000,
        // The last moment at which the younger one is too young.
        now: () => later - 1 + 10_000,
        pageSize: 7,
      });
      const doomed = pointers.filter(({ id }) => !needed.has(id));
      assert.deepEqual(report, { kept: 11, removed: 30, bytes: doomed.reduce((sum, { bytes }) => sum + bytes, 0) });
      assert.deepEqual(asked.sort(), idsOf(pointers));
      assert.deepEqual(idsOf(await listed(store)), [...needed, young.id].sort());
    },
  },
  {
    title: 'takes no call when it is closed; others that have it open go on',
    run: async (scene) => {
      const [store, other] = [await scene.open(), await scene.open()];
      const pointer = await store.put('content');
      await store.close();
      await store.close();
      await failing('RUNTIME_CLOSED', () => store.put('content'));
      await failing('RUNTIME_CLOSED', () => store.get(pointer));
      await failing('RUNTIME_CLOSED', () => piecesOf(store, pointer));
      await failing('RUNTIME_CLOSED', () => store.list({ limit: 1 }));
      await failing('RUNTIME_CLOSED', () => store.remove([pointer.id], Infinity));
      await comesBack(other, pointer, 'content');
    },
  },
];

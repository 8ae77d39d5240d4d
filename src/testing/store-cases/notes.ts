/** Notes: whose counts, topics that start alike, taking away, and who may. */

import assert from 'node:assert/strict';
import type { NoteRecord, OpenedStore } from '../../persistence/store.js';
import type { StoreCase } from './scene.js';

function note(topic: string, author: string, more: Partial<NoteRecord> = {}): NoteRecord {
  return { topic, author, data: '{"open":true}', at: 1_700_000_000_000, ...more };
}

async function topicsOf(store: OpenedStore, prefix: string): Promise<string[]> {
  return (await store.notes(prefix)).map(({ topic }) => topic);
}

/** In order of code points; the order of UTF-16 units would have the last four otherwise. */
const awkward = [
  '',
  'A/b',
  'a',
  'a%',
  'a%b',
  "a'b",
  'a*',
  'a/',
  'a/b',
  'a/b/c',
  'a0',
  'a?',
  'aB',
  'a[b]',
  'a\\',
  'a_',
  'ab',
  'ab%',
  'a\u0301',
  'a\ud7ff',
  'a\ud7ffz',
  'a\ue000',
  'a\uffff',
  'a\u{1f600}',
  'a\u{1f600}b',
  'a\u{1f601}',
  'a\u{10ffff}',
  'a\u{10ffff}\u{10ffff}b',
  'b',
  '\u00e1',
  '\uffff',
  '\u{1f600}',
  '\u{10ffff}',
];

export const noteCases: readonly StoreCase[] = [
  {
    title: 'keeps what each author said last on each topic, in order of topic and author',
    run: async (scene) => {
      const store = await scene.open();
      await store.publish([note('b', 'n2', { data: '1' }), note('a', 'n1', { data: '2' }), note('b', 'n1', { data: '3' })]);
      await store.publish([note('b', 'n2', { data: '4', at: 7 })]);
      assert.deepEqual(await store.notes(''), [
        note('a', 'n1', { data: '2' }),
        note('b', 'n1', { data: '3' }),
        note('b', 'n2', { data: '4', at: 7 }),
      ]);
    },
  },
  {
    title: 'counts the last of two notes of one author that are published at once, and takes none at all',
    run: async (scene) => {
      const store = await scene.open();
      await store.publish([note('a', 'n', { data: '1', at: 9 }), note('a', 'n', { data: '2', at: 8 })]);
      await store.publish([]);
      await store.retract([]);
      assert.deepEqual(await store.notes('a'), [note('a', 'n', { data: '2', at: 8 })]);
    },
  },
  {
    title: 'finds the topics that start so and no others, whatever they are made of',
    run: async (scene) => {
      const store = await scene.open();
      await store.publish([...awkward].reverse().map((topic) => note(topic, 'n')));
      assert.deepEqual(await topicsOf(store, ''), awkward);
      for (const topic of awkward) {
        const characters = Array.from(topic);
        for (let length = 1; length <= characters.length; length += 1) {
          const prefix = characters.slice(0, length).join('');
          const expected = awkward.filter((other) => other.startsWith(prefix));
          assert.deepEqual(await topicsOf(store, prefix), expected, JSON.stringify(prefix));
        }
      }
      assert.deepEqual(await topicsOf(store, 'no such'), []);
    },
  },
  {
    title: 'orders authors by code points and keeps them apart from topics',
    run: async (scene) => {
      const store = await scene.open();
      const authors = ['', 'a', 'a"', 'b', '\uffff', '\u{1f600}'];
      await store.publish([...authors.map((author) => note('t', author)).reverse(), note('t","a', ''), note('ta', '')]);
      const found = (await store.notes('t')).map(({ topic, author }) => [topic, author]);
      assert.deepEqual(found, [...authors.map((author) => ['t', author]), ['t","a', ''], ['ta', '']]);
    },
  },
  {
    title: 'gives notes of a time and later',
    run: async (scene) => {
      const store = await scene.open();
      const notes = [note('a', 'n1', { at: 10 }), note('a', 'n2', { at: 20 }), note('b', 'n1', { at: 30 })];
      await store.publish(notes);
      assert.deepEqual(await store.notes('', 20), notes.slice(1));
      assert.deepEqual(await store.notes('a', 20), notes.slice(1, 2));
      assert.deepEqual(await store.notes('a', 21), []);
      assert.deepEqual(await store.notes('', 0), notes);
    },
  },
  {
    title: 'takes notes away, those that are not there too, and never one that is newer than the one that was meant',
    run: async (scene) => {
      const store = await scene.open();
      await store.publish([note('a', 'n1', { at: 1 }), note('a', 'n2', { at: 2 }), note('a', 'n3', { at: 3 }), note('b', 'n1', { at: 4 })]);
      await store.retract([
        { topic: 'a', author: 'n1' },
        { topic: 'a', author: 'n2', ifAt: 1 },
        { topic: 'a', author: 'n3', ifAt: 3 },
        { topic: 'b', author: 'n2' },
        { topic: 'c', author: 'n1', ifAt: 4 },
      ]);
      assert.deepEqual(await store.notes(''), [note('a', 'n2', { at: 2 }), note('b', 'n1', { at: 4 })]);
      await store.retract([{ topic: 'a', author: 'n1' }]);
      await store.publish([note('a', 'n1', { at: 5 })]);
      assert.equal((await store.notes('a')).length, 2);
    },
  },
  {
    title: 'lets nodes and observers leave notes for one another',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const other = await scene.open('other');
      const observer = await scene.observe();
      await one.publish([note('a', 'one')]);
      await observer.publish([note('a', 'person')]);
      await other.publish([note('a', 'one', { data: '"other says so"' })]);
      const expected = [note('a', 'one', { data: '"other says so"' }), note('a', 'person')];
      for (const store of [one, other, observer]) assert.deepEqual(await store.notes('a'), expected);
      await observer.retract([{ topic: 'a', author: 'one' }]);
      assert.deepEqual(await one.notes(''), [note('a', 'person')]);
    },
  },
  {
    title: 'keeps notes when their author is gone, also over a restart',
    needs: 'durable',
    run: async (scene) => {
      const store = await scene.open();
      await store.publish([note('a', 'node')]);
      await store.close();
      assert.deepEqual(await (await scene.open('later')).notes('a'), [note('a', 'node')]);
    },
  },
];

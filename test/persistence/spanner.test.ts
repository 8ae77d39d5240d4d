/** What the Spanner store is made of, without Spanner: keys, what comes over the wire in pieces, long texts, the order of calls. */

import { expect } from 'chai';
import fc from 'fast-check';
import type { WireType, WireValue } from '#src/persistence/spanner/api.js';
import { scatter, shardOf } from '#src/persistence/spanner/keys.js';
import { longTextsIn, withLongTexts } from '#src/persistence/spanner/long-texts.js';
import { Mutations } from '#src/persistence/spanner/mutations.js';
import { Order } from '#src/persistence/spanner/order.js';
import { RowReader, type Row } from '#src/persistence/spanner/wire.js';

describe('keys in Spanner', () => {
  it('are scattered, each to a place of its own that leads back', () => {
    const key = fc.maxSafeInteger().filter((value) => value >= 0);
    fc.assert(fc.property(key, (value) => scatter(scatter(value)) === value && Number.isSafeInteger(scatter(value))));
    expect(scatter(0)).to.equal(0);
    expect(scatter(1)).to.equal(2 ** 52);
  });

  it('go all over the space when they rise, and to every shard', () => {
    const keys = Array.from({ length: 256 }, (_, index) => 7 * 2 ** 32 + index);
    const sixteenths = new Set(keys.map((key) => Math.floor(scatter(key) / 2 ** 49)));
    expect(sixteenths.size).to.equal(16);
    expect(new Set(keys.map(shardOf)).size).to.equal(16);
  });
});

describe('rows of Spanner', () => {
  const text: WireType = { code: 'STRING' };
  const list: WireType = { code: 'ARRAY', arrayElementType: text };

  /** A row's values, cut in two at every place that the protocol allows. */
  function cuts(values: readonly WireValue[]): [readonly WireValue[], readonly WireValue[], boolean][] {
    const found: [readonly WireValue[], readonly WireValue[], boolean][] = [];
    for (let index = 0; index <= values.length; index += 1) {
      found.push([values.slice(0, index), values.slice(index), false]);
      const value = values[index];
      if (value?.stringValue !== undefined) {
        for (let at = 1; at < value.stringValue.length; at += 1) {
          const [head, tail] = [{ stringValue: value.stringValue.slice(0, at) }, { stringValue: value.stringValue.slice(at) }];
          found.push([[...values.slice(0, index), head], [tail, ...values.slice(index + 1)], true]);
        }
      } else if (value?.listValue !== undefined) {
        for (const [head, tail, isCut] of cuts(value.listValue.values)) {
          // A list that is cut between two texts would have them joined: the server cuts inside of one, or after a list's end.
          if (!isCut) continue;
          const [one, other] = [{ listValue: { values: [...head] } }, { listValue: { values: [...tail] } }];
          found.push([[...values.slice(0, index), one], [other, ...values.slice(index + 1)], true]);
        }
      }
    }
    return found;
  }

  it('are the same wherever they were cut on the wire', () => {
    const fields = [
      { name: 'id', type: text },
      { name: 'number', type: { code: 'INT64' } },
      { name: 'names', type: list },
      { name: 'nothing', type: text },
    ];
    const values: WireValue[] = [
      { stringValue: 'abc' },
      { stringValue: '42' },
      { listValue: { values: [{ stringValue: 'de' }, { stringValue: 'fgh' }] } },
      { nullValue: 'NULL_VALUE' },
    ];
    const expected = [{ id: 'abc', number: 42, names: ['de', 'fgh'], nothing: undefined }];
    const all = cuts(values);
    expect(all.length).to.be.above(10);
    for (const [head, tail, chunkedValue] of all) {
      const reader = new RowReader();
      reader.add({ metadata: { rowType: { fields } }, values: head, chunkedValue });
      reader.add({ values: tail });
      expect(reader.rows()).to.deep.equal(expected);
    }
  });

  it('have long texts again as they were written, whatever they are made of', () => {
    const character = fc.constantFrom('a', '\u{1f600}', 'ü');
    fc.assert(
      fc.property(character, character, fc.integer({ min: 0, max: 3 }), (one, other, more) => {
        const long = one + other.repeat(2_000_000) + one.repeat(more);
        const mutations = new Mutations();
        mutations.insert('mailbox', { agent: 5, position: 7, event: long });
        const written = mutations.list.flatMap(({ insert }) => (insert === undefined ? [] : [insert]));
        const rowsOf = (table: string): Row[] =>
          written
            .filter((write) => write.table === table)
            .flatMap(({ columns, values }) =>
              values.map((row) => Object.fromEntries(columns.map((column, index) => [column, plain(row.values[index] as WireValue)]))),
            );
        const [row] = rowsOf('mailbox');
        expect((row?.['event'] as string).length).to.be.below(100);
        expect(longTextsIn([row as Row])).to.have.length(1);
        const parts = rowsOf('texts');
        expect(parts.every(({ content }) => Buffer.from(content as string).toString() === content)).to.equal(true);
        const [back] = withLongTexts([{ list: [row as Row] }], parts);
        expect(((back?.['list'] as Row[])[0]?.['event'] as string) === long).to.equal(true);
      }),
      { numRuns: 4 },
    );
  });
});

const plain = (value: WireValue): string | number | undefined =>
  value.stringValue !== undefined && /^\d{1,9}$/.test(value.stringValue) ? Number(value.stringValue) : value.stringValue;

describe('the order of calls', () => {
  it('is that of the answers, whatever takes longer; commits that wait go together', async () => {
    const groups: string[][] = [];
    const releases: (() => void)[] = [];
    const order = new Order<string, string>(async (commits) => {
      groups.push([...commits]);
      await new Promise<void>((resolve) => releases.push(resolve));
      return commits.map((commit) => `${commit}!`);
    });
    const answers: string[] = [];
    const note = (answer: string | readonly string[]): void => void answers.push(String(answer));
    const slow = order.read(() => new Promise<string>((resolve) => releases.push(() => resolve('read')))).then(note);
    const first = order.commit(['a']).then(note);
    const second = order.commit(['b', 'c']).then(note);
    await new Promise((resolve) => setImmediate(resolve));
    const third = order.commit(['d']).then(note);
    const write = order.write(async () => 'write').then(note);
    const last = order.commit(['e']).then(note);
    for (let rounds = 0; rounds < 10; rounds += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      // The newest first: the read is answered last of all.
      releases.splice(1).forEach((release) => release());
      if (rounds === 8) releases.splice(0).forEach((release) => release());
    }
    await Promise.all([slow, first, second, third, write, last]);
    expect(answers).to.deep.equal(['read', 'a!', 'b!,c!', 'd!', 'write', 'e!']);
    expect(groups).to.deep.equal([['a', 'b', 'c'], ['d'], ['e']]);
  });

  it('goes on after a call that failed', async () => {
    const order = new Order<string, string>(() => Promise.reject(new Error('no')));
    const failed = order.commit(['a']).catch(String);
    const read = order.read(async () => 'read');
    expect(await Promise.all([failed, read])).to.deep.equal(['Error: no', 'read']);
  });
});

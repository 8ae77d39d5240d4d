/** The codec, case by case: how each kind of value is written, and what is refused with which words. The properties try all of them in all places. */

import { expect } from 'chai';
import { decode, encode, encodeThrown, errorOf } from '#src/core/codec.js';
import type { NotSerializableError } from '#src/core/errors.js';

const copy = (value: unknown): unknown => decode(encode(value, 'value'));

function refusal(value: unknown): NotSerializableError {
  try {
    encode(value, 'context');
  } catch (error) {
    return error as NotSerializableError;
  }
  return expect.fail('it was encoded');
}

describe('the codec', () => {
  it('writes what JSON would lose as tagged objects', () => {
    const written: readonly (readonly [unknown, string])[] = [
      [undefined, '{"$sw":"undefined"}'],
      [NaN, '{"$sw":"number","v":"NaN"}'],
      [-0, '{"$sw":"number","v":"-0"}'],
      [-Infinity, '{"$sw":"number","v":"-Infinity"}'],
      [12n, '{"$sw":"bigint","v":"12"}'],
      [new Date(5), '{"$sw":"date","v":5}'],
      [new Set([1]), '{"$sw":"set","v":[1]}'],
      [new Map([['a', 1]]), '{"$sw":"map","v":[["a",1]]}'],
      [/a/g, '{"$sw":"regexp","v":["a","g"]}'],
      [new URL('https://example.org'), '{"$sw":"url","v":"https://example.org/"}'],
      [new Uint8Array([1, 2]), '{"$sw":"bytes","v":"AQI="}'],
      [{ $sw: 1 }, '{"$sw":"object","v":[["$sw",1]]}'],
    ];
    for (const [value, text] of written) expect(encode(value, 'value')).to.equal(text);
  });

  it('keeps a date that is none, and a link', () => {
    expect((copy(new Date(NaN)) as Date).getTime()).to.be.NaN;
    expect((copy(new URL('https://example.org/a?b#c')) as URL).href).to.equal('https://example.org/a?b#c');
  });

  it('copies shared references, and gives bytes back as plain bytes', () => {
    const shared = { n: 1 };
    const both = copy([shared, shared]) as object[];
    expect(both[0]).to.deep.equal(both[1]);
    expect(both[0]).to.not.equal(both[1]);
    expect(copy(Buffer.from('ab'))).to.deep.equal(new Uint8Array([97, 98]));
  });

  it('keeps an error with name, message, stack, cause and its own members, and shows no more of it than it showed', () => {
    const cause = new RangeError('low');
    const error = Object.assign(new TypeError('high', { cause }), { code: 'E_HIGH', at: new Date(1), $sw: 'date' });
    const back = copy(error) as typeof error;
    expect(back).to.be.instanceOf(TypeError);
    expect([back.name, back.message, back.stack, back.code, back.at, back.$sw]).to.deep.equal([
      'TypeError',
      'high',
      error.stack,
      'E_HIGH',
      new Date(1),
      'date',
    ]);
    expect(back.cause).to.be.instanceOf(RangeError).with.property('message', 'low');
    expect(Object.keys(back)).to.deep.equal(Object.keys(error));
  });

  it('lets an error survive what hangs on it', () => {
    const error = Object.assign(new Error('refused', { cause: Symbol('why') }), { socket: () => undefined, code: 1 });
    const back = copy(error) as Error & { code: number };
    expect([back.message, back.code, back.cause]).to.deep.equal(['refused', 1, 'Symbol(why)']);
    expect(back).to.not.have.property('socket');
  });

  it('makes an error of whatever was thrown', () => {
    expect(errorOf('text').message).to.equal('text');
    expect(errorOf(7)).to.be.instanceOf(Error).with.property('message', 'thrown: 7');
    expect(decode(encodeThrown({ code: 1 }))).to.deep.equal({ code: 1 });
    expect(decode(encodeThrown(() => undefined)))
      .to.be.instanceOf(Error)
      .with.property('message')
      .that.contains('a function');
  });

  it('says what is at fault, where, and what to do', () => {
    const error = refusal({ tools: new Map([['search', [{ run: function search() {} }]]]) });
    expect(error.message).to.equal('context.tools.get(search)[0].run is a function (search), which cannot be saved');
    expect(error).to.include({ path: 'context.tools.get(search)[0].run', code: 'NOT_SERIALIZABLE' });
    expect(error.hint).to.contain('plain data');
    const ring: { self?: unknown } = {};
    ring.self = ring;
    expect(refusal(ring).message).to.equal('context.self refers back to one of the values around it');
  });

  it('refuses what is nested deeper than it could be read, plain or not; a checkpoint may be deeper than what is in it', () => {
    const nested = (levels: number, bottom: unknown): unknown => {
      let value = bottom;
      for (let level = 0; level < levels; level += 1) value = { in: value };
      return value;
    };
    for (const bottom of [1, undefined]) {
      expect(copy(nested(500, bottom))).to.deep.equal(nested(500, bottom));
      expect(refusal(nested(501, bottom)).message).to.match(/^context(\.in){500} is nested more than 500 levels deep$/);
      expect(decode(encode(nested(1_000, bottom), 'checkpoint', 1_000))).to.deep.equal(nested(1_000, bottom));
    }
  });

  it('does not read a tag that it does not know, nor text that is not JSON', () => {
    expect(() => decode('{"$sw":"later"}')).to.throw(SyntaxError, 'unknown tag "later"');
    expect(() => decode('{')).to.throw(SyntaxError);
  });
});

/** What goes to a page: no secrets by rule, no more than a page can draw. */

import { expect } from 'chai';
import { changesBetween } from '#src/console/changes.js';
import { Redactor, briefLimits } from '#src/console/shown.js';

const redactor = new Redactor();
const shown = (value: unknown): unknown => redactor.shown(value).value;

describe('what a console shows of a value', () => {
  it('leaves out what stands under the name of a secret, however deep', () => {
    for (const name of [
      'password',
      'userPassword',
      'secret',
      'clientSecret',
      'apiKey',
      'api_key',
      'Authorization',
      'set-cookie',
      'privateKey',
      'credentials',
      'pin',
    ]) {
      expect(shown({ a: [{ [name]: 'x', inner: 1 }] }), name).to.deep.equal({ a: [{ [name]: '…redacted', inner: 1 }] });
    }
    expect(shown({ credentials: { user: 'ada', level: 3 } })).to.deep.equal({ credentials: { user: '…redacted', level: '…redacted' } });
    expect(shown({ accessToken: 'abc', tokens: 12, tokenUsage: { input: 3 }, passport: 'A1', author: 'ada' })).to.deep.equal({
      accessToken: '…redacted',
      tokens: 12,
      tokenUsage: { input: 3 },
      passport: 'A1',
      author: 'ada',
    });
    expect(shown(new Map([['apiKey', 'x']]))).to.deep.equal({ apiKey: '…redacted' });
  });

  it('leaves out texts that look like one', () => {
    for (const text of [
      'Bearer abcdefgh',
      'sk-live-0123456789abcdef',
      'ghp_0123456789abcdefghij',
      'eyJhbGciOi.eyJzdWIiOi.c2ln',
      '-----BEGIN RSA PRIVATE KEY-----\nMII',
    ]) {
      expect(shown({ note: text }), text).to.deep.equal({ note: '…redacted' });
    }
    expect(shown('redis://ada:hunter2@cache:6379/0')).to.equal('redis://ada:…redacted@cache:6379/0');
    expect(shown(new URL('https://ada:hunter2@x.example/'))).to.equal('https://ada:…redacted@x.example/');
    expect(shown('a skeleton bears a token of love')).to.equal('a skeleton bears a token of love');
  });

  it("asks the user's own rule first", () => {
    const own = new Redactor((path, value) =>
      path.at(-1) === 'iban' ? true : path.at(-1) === 'secret' && value === 'none' ? false : undefined,
    );
    expect(own.shown({ iban: 'DE1', secret: 'none', password: 'x' }).value).to.deep.equal({
      iban: '…redacted',
      secret: 'none',
      password: '…redacted',
    });
  });

  it('writes what JSON lacks so that a person can read it', () => {
    const cause = new Error('deep');
    const error = Object.assign(new TypeError('no', { cause }), { code: 'E', token: 'abc' });
    const made = shown({
      at: new Date(0),
      big: 1n,
      nan: NaN,
      set: new Set([1]),
      bytes: new Uint8Array(3),
      re: /x/g,
      error,
      no: undefined,
    }) as Record<string, unknown>;
    expect(made).to.include({ at: '1970-01-01T00:00:00.000Z', big: '1', nan: 'NaN', bytes: '(3 bytes)', re: '/x/g', no: undefined });
    expect(made['set']).to.deep.equal([1]);
    expect(made['error']).to.deep.include({ name: 'TypeError', message: 'no', code: 'E', token: '…redacted' });
  });

  it('survives what refers back to itself', () => {
    const around: Record<string, unknown> = { name: 'a' };
    around['self'] = [around];
    expect(shown(around)).to.deep.equal({ name: 'a', self: ['(refers to what is around it)'] });
  });

  it('cuts what is large, says where, and takes no longer than what it shows', () => {
    const large = { text: 'x'.repeat(10_000_000), list: Array.from({ length: 1_000_000 }, (_, index) => index), 'a/b': 'y'.repeat(30_000) };
    const { value, cut } = redactor.shown(large);
    expect(JSON.stringify(value).length).to.be.below(250_000);
    expect(cut).to.include.members(['/text', '/list', '/a~1b']);
    let deep: unknown = 'end';
    for (let level = 0; level < 400; level += 1) deep = { deep };
    expect(redactor.shown(deep).cut).to.have.length(1);
    const wide = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${String(index)}`, 'z'.repeat(900)]));
    const brief = redactor.shown(wide, briefLimits);
    expect(JSON.stringify(brief.value).length).to.be.below(8_000);
    expect(brief.cut).to.include('');
  });

  it('keeps names that objects have of their own', () => {
    const value = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}') as unknown;
    expect(JSON.stringify(shown(value))).to.equal('{"__proto__":{"polluted":1},"constructor":2}');
  });
});

describe('what changed between two values', () => {
  it('is told by JSON pointers, secrets left out', () => {
    const before = { items: ['tea'], gone: 1, same: { deep: [1, 2] }, apiKey: 'old', n: 1 };
    const after = { items: ['tea', 'cup'], same: { deep: [1, 2] }, apiKey: 'new', n: { x: 1 }, 'a/b': true };
    expect(changesBetween(before, after, redactor)).to.deep.equal([
      { path: '/items/1', kind: 'added', after: 'cup' },
      { path: '/gone', kind: 'removed', before: 1 },
      { path: '/apiKey', kind: 'changed', before: '…redacted', after: '…redacted' },
      { path: '/n', kind: 'changed', before: 1, after: { x: 1 } },
      { path: '/a~1b', kind: 'added', after: true },
    ]);
    expect(changesBetween(before, before, redactor)).to.deep.equal([]);
  });

  it('ends with the first few hundred', () => {
    const many = Array.from({ length: 5_000 }, (_, index) => index);
    expect(changesBetween([], many, redactor)).to.have.length(300);
  });
});

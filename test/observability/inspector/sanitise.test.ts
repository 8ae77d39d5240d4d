/** What of a context is shown: no secrets, no cycles, no more than a limit, and JSON whatever it is. */

import { expect } from 'chai';
import fc from 'fast-check';
import { createActor, createMachine, setup } from 'xstate';
import { Sanitiser } from '#src/observability/inspector/sanitise.js';

const shown = (value: unknown): unknown => JSON.parse(JSON.stringify(new Sanitiser().context(value) ?? null));

describe('a sanitised context', () => {
  it('has no value whose key says that it is secret', () => {
    const secrets = {
      password: 'a',
      userPassword: 'a',
      passwd: 'a',
      token: 'a',
      refresh_token: 'a',
      accessToken: 'a',
      secret: { deep: 'a' },
      clientSecret: ['a'],
      apiKey: 'a',
      'X-Api-Key': 'a',
      authorization: 'Bearer a',
      Cookie: 'a',
      'set-cookie': ['a'],
      credentials: { user: 'a' },
      private_key: 'a',
      passphrase: 1234,
    };
    expect(new Set(Object.values(shown(secrets) as object))).to.deep.equal(new Set(['[hidden]']));
    expect(JSON.stringify(shown({ list: [new Map([['token', 'a-b-c']]), { headers: { Authorization: 'a-b-c' } }] }))).not.to.contain(
      'a-b-c',
    );
    const plain = { tokens: 17, maxTokens: 100, key: 'k', author: 'ada', passes: 3, token: null };
    expect(shown(plain)).to.deep.equal(plain);
  });

  it('says where it goes in circles, where it is too deep, and what JSON cannot hold', () => {
    const circle: Record<string, unknown> = { name: 'a' };
    circle['self'] = circle;
    circle['list'] = [circle, { circle }];
    expect(shown(circle)).to.deep.equal({ name: 'a', self: '[circular]', list: ['[circular]', { circle: '[circular]' }] });
    const twice = { a: 1 };
    expect(shown({ x: twice, y: twice })).to.deep.equal({ x: { a: 1 }, y: { a: 1 } });
    let deep: object = {};
    for (let n = 0; n < 10_000; n += 1) deep = { deep };
    expect(JSON.stringify(shown(deep)))
      .to.contain('[object]')
      .and.contain('[cut]');
    const broken = Object.defineProperty({ a: 1 }, 'b', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    const odd = {
      big: 12n,
      not: NaN,
      when: new Date(0),
      map: new Map([['k', 1]]),
      set: new Set([1]),
      bytes: new Uint8Array(3),
      broken,
      f: shown,
    };
    expect(shown(odd)).to.deep.equal({
      big: '12n',
      not: 'NaN',
      when: '1970-01-01T00:00:00.000Z',
      map: { k: 1 },
      set: [1],
      bytes: '[Uint8Array of 3 bytes]',
      broken: { a: 1, b: '[threw]' },
      f: '[function shown]',
    });
    const actor = createActor(createMachine({}), { id: 'kid' });
    expect(shown({ actor })).to.deep.equal({ actor: { xstate$$type: 1, id: 'kid' } });
    expect(shown(new TypeError('bad'))).to.deep.equal({ name: 'TypeError', message: 'bad' });
  });

  it('of 10 MB is cut with a note, and is not walked to its end', () => {
    let read = 0;
    const rows = Array.from({ length: 100_000 }, (_, n) =>
      Object.defineProperty({}, 'text', { enumerable: true, get: () => ((read += 1), `${String(n)} ${'x'.repeat(100)}`) }),
    );
    const text = JSON.stringify(shown({ rows, after: 1 }));
    expect(text.length).to.be.lessThan(600_000);
    expect(text).to.match(/"\[cut\]":"larger than 262144 characters/);
    expect(read).to.be.lessThan(5_000);
    const long = shown({ text: 'y'.repeat(10 * 1_048_576) }) as { text: string };
    expect(long.text).to.match(/^y{10000}… \[10485760 characters\]$/);
  });

  it('is what the user makes of it, under the same rules; and says so when that throws', () => {
    const own = new Sanitiser({ sanitize: (context) => ({ ...(context as object), name: 'x', token: 't' }) });
    expect(own.context({ name: 'ada', a: 1 })).to.deep.equal({ name: 'x', a: 1, token: '[hidden]' });
    const throwing = new Sanitiser({
      sanitize: () => {
        throw new Error('not so');
      },
    });
    expect(throwing.context({ password: 'a' })).to.equal('[sanitize threw: not so]');
    expect(new Sanitiser({ secrets: /^iban$/ }).context({ iban: 'DE', password: 'a' })).to.deep.equal({ iban: '[hidden]', password: 'a' });
  });

  it('is JSON for any value, and never larger than about its limit', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withSparseArray: true }), (value) => {
        const text = JSON.stringify(new Sanitiser({ maximumSize: 500 }).context(value)) ?? 'null';
        JSON.parse(text);
        expect(text.length).to.be.lessThan(20_000);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a definition', () => {
  const text = (config: object): Record<string, never> => JSON.parse(new Sanitiser().definition(config)) as never;

  it('has names of functions, and states by whatever name', () => {
    const inner = setup({}).createMachine({ id: 'inner' });
    const config = {
      id: 'm',
      context: { password: 'a', n: 1 },
      initial: 'token',
      states: {
        token: { invoke: { src: inner, input: { secret: 'a' } }, on: { password: { target: 'input', guard: function isRich() {} } } },
        input: { entry: [{ type: 'log', params: { apiKey: 'a' } }] },
      },
    };
    expect(text(config)).to.deep.equal({
      id: 'm',
      context: { password: '[hidden]', n: 1 },
      initial: 'token',
      states: {
        token: {
          invoke: { src: { type: 'inner' }, input: { secret: '[hidden]' } },
          on: { password: { target: 'input', guard: { type: 'isRich' } } },
        },
        input: { entry: [{ type: 'log', params: { apiKey: '[hidden]' } }] },
      },
    });
  });

  it('that is too large is not shown in part', () => {
    const states = Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`s${String(n)}`, { description: 'x'.repeat(100) }]));
    expect(text({ id: 'm', states })).to.deep.equal({ id: 'm', description: 'too large to be shown' });
  });
});

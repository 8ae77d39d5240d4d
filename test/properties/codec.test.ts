/** The codec: whatever it takes comes back as it was, and what it does not take it refuses with the exact place. */

import { expect } from 'chai';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { assertSavable, decode, encode, encodeThrown } from '#src/core/codec.js';
import { NotSerializableError } from '#src/core/errors.js';
import { runs } from './runs.js';

/** Among others those that look like the codec's own marks, and those that plain assignment would lose. */
const key = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('$sw', 'v', '__proto__', 'constructor', 'length', '0', 'then', 'own'));
const mark = fc.constantFrom('$sw', 'undefined', 'date', 'map', 'object', 'error', 'nonsense', '"$sw"', '{"$sw":"date"}');

const leaf = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  mark,
  fc.boolean(),
  fc.constantFrom(undefined, null, NaN, Infinity, -Infinity, 0, -0, 2 ** 53, Number.MIN_VALUE),
  fc.double(),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => new Uint8Array(bytes)),
  fc.webUrl().map((url) => new URL(url)),
  fc.constantFrom(/a/, /[/\]]\n"/gi, /\p{L}/u, new RegExp('')),
);

/** An object of any keys, `__proto__` included. */
function objectOf(entries: readonly (readonly [string, unknown])[], target: object = {}): object {
  for (const [name, value] of entries) Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
  return target;
}

interface ErrorParts {
  readonly name: string;
  readonly message: string;
  readonly cause: { readonly value: unknown } | undefined;
  readonly own: readonly (readonly [string, unknown])[];
}

function errorOfParts({ name, message, cause, own }: ErrorParts): Error {
  const constructors: Readonly<Record<string, ErrorConstructor>> = { TypeError, RangeError, SyntaxError };
  const error = new (constructors[name] ?? Error)(message, cause === undefined ? undefined : { cause: cause.value });
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  const kept = own.filter(([member]) => !['name', 'message', 'stack', 'cause'].includes(member));
  return objectOf(kept, error) as Error;
}

const { value } = fc.letrec<{ value: unknown }>((tie) => {
  const entries = fc.array(fc.tuple(key, tie('value')), { maxLength: 4 });
  const error = fc.record({
    name: fc.constantFrom('Error', 'TypeError', 'RangeError', 'TerminalError', ''),
    message: fc.oneof(fc.string(), mark),
    cause: fc.option(fc.record({ value: tie('value').filter((cause) => cause !== undefined) }), { nil: undefined }),
    own: entries,
  });
  return {
    value: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      entries.map((members) => objectOf(members)),
      fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((members) => new Map(members)),
      fc.array(tie('value'), { maxLength: 3 }).map((members) => new Set(members)),
      error.map(errorOfParts),
      // The same value in two places comes back as two equal ones.
      tie('value').map((shared) => ({ one: shared, other: [shared] })),
    ),
  };
});

describe('a value', () => {
  it('that is encoded and decoded is deeply equal to what it was', () => {
    fc.assert(
      fc.property(value, (original) => {
        const text = encode(original, 'value');
        const copy = decode(text);
        expect(isDeepStrictEqual(copy, original), text).to.equal(true);
        expect(encode(copy, 'value')).to.equal(text);
        assertSavable(original, 'value');
      }),
      runs(1_000),
    );
  });

  it('that JSON keeps is written as JSON writes it', () => {
    const json = fc.jsonValue().filter((candidate) => isDeepStrictEqual(JSON.parse(JSON.stringify(candidate)), candidate));
    fc.assert(
      fc.property(json, (plain) => {
        fc.pre(!JSON.stringify(plain).includes('$sw'));
        expect(encode(plain, 'value')).to.equal(JSON.stringify(plain));
      }),
      runs(300),
    );
  });

  it('that cannot be encoded is refused with the place of what is at fault', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), culprit, (steps, make) => {
        const chain: object[] = [];
        let inner = make(chain);
        let path = '';
        for (const wrap of [...steps].reverse()) {
          const around = wrap(inner);
          inner = around.value;
          path = around.path + path;
          chain.unshift(around.value);
        }
        for (const attempt of [() => encode(inner, 'context'), () => assertSavable(inner, 'context')]) {
          const error = thrownBy(attempt);
          expect(error).to.be.instanceOf(NotSerializableError);
          expect((error as NotSerializableError).path).to.equal(`context${path}`);
          expect((error as NotSerializableError).message).to.contain(`context${path}`);
        }
        expect(decode(encodeThrown(Object.assign(new Error('m'), { inner })))).to.include({ message: 'm' });
      }),
      runs(300),
    );
  });

  it('that refers back to itself is refused, wherever it does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), fc.array(step, { minLength: 1, maxLength: 4 }), (outside, inside) => {
        const ring: { again?: unknown } = {};
        const nested = wrapped(ring, inside);
        ring.again = nested.value;
        const whole = wrapped(ring, outside);
        const error = thrownBy(() => encode(whole.value, 'context'));
        expect(error).to.be.instanceOf(NotSerializableError);
        expect((error as NotSerializableError).path).to.equal(`context${whole.path}.again${nested.path}`);
        expect((error as Error).message).to.contain('refers back');
      }),
      runs(200),
    );
  });

  it('of any depth comes back or is refused, and nothing else happens', () => {
    const depth = fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 20_000 }));
    // Where a plain walk still succeeds and JSON does not.
    const examples: [number, 1, boolean][] = [
      [5_000, 1, false],
      [7_000, 1, true],
    ];
    fc.assert(
      fc.property(depth, fc.constantFrom(1, undefined, '$sw'), fc.boolean(), (levels, bottom, inArrays) => {
        let deep: unknown = bottom;
        for (let level = 0; level < levels; level += 1) deep = inArrays ? [deep] : { a: deep };
        let text: string;
        try {
          text = encode(deep, 'context');
        } catch (error) {
          expect(error).to.be.instanceOf(NotSerializableError);
          expect(levels).to.be.greaterThan(490);
          return;
        }
        let copy = decode(text);
        for (let level = 0; level < levels; level += 1) copy = inArrays ? (copy as unknown[])[0] : (copy as { a: unknown }).a;
        expect(copy).to.equal(bottom);
      }),
      { ...runs(150), examples },
    );
  });
});

type Step = (inner: unknown) => { readonly value: object; readonly path: string };

/** One level around a value, and how the codec names the way to it. */
const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,5}$/)
    .map((name): Step => (inner) => ({ value: { before: 1, [name]: inner, $after: new Date(0) }, path: `.${name}` })),
  fc
    .constantFrom('two words', '1', '', '"', 'a.b')
    .map((name): Step => (inner) => ({ value: { [name]: inner }, path: `[${JSON.stringify(name)}]` })),
  fc.nat(4).map((index): Step => (inner) => ({
    value: [...Array.from({ length: index }, () => 'before'), inner, -0],
    path: `[${String(index)}]`,
  })),
  fc.constantFrom('k', 7, true, null).map((name): Step => (inner) => ({
    value: new Map<unknown, unknown>([
      ['first', 1],
      [name, inner],
    ]),
    path: `.get(${String(name)})`,
  })),
  fc.constant<Step>((inner) => ({
    value: new Map([
      [{}, 1],
      [inner, 2],
    ]),
    path: '.keys()[1]',
  })),
  fc.constant<Step>((inner) => ({ value: new Set<unknown>(['first', inner]), path: '.values()[1]' })),
);

/** Something that cannot be saved. */
const culprit = fc.constantFrom<(() => unknown)[]>(
  () => () => undefined,
  () => function named() {},
  () => Symbol('s'),
  () =>
    new (class Socket {
      open = true;
    })(),
  () => new WeakMap(),
  () => Promise.resolve(),
  () => new Int32Array(1),
  () => new ArrayBuffer(1),
  () => Object(1n) as unknown,
  () => ({ toJSON: () => 1 }),
) as fc.Arbitrary<(chain: readonly object[]) => unknown>;

function wrapped(inner: unknown, steps: readonly Step[]): { readonly value: unknown; readonly path: string } {
  let value = inner;
  let path = '';
  for (const wrap of [...steps].reverse()) {
    const around = wrap(value);
    value = around.value;
    path = around.path + path;
  }
  return { value, path };
}

function thrownBy(attempt: () => unknown): unknown {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Sealing alone, with whatever texts, places and contents there may be. */

import { expect } from 'chai';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { plainLength, openContent, sealContent, sealedLength } from '#src/persistence/encryption/sealed-content.js';
import { DataKey, openText, Sealer, Unopened, type Place } from '#src/persistence/encryption/sealing.js';
import { Tokens } from '#src/persistence/encryption/tokens.js';

const newKey = (): DataKey => new DataKey(randomBytes(6).toString('base64url'), randomBytes(32));
const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.json());
const place: fc.Arbitrary<Place> = fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(undefined)), { maxLength: 4 });

describe('sealing', () => {
  it('gives back any text in its place, and in no other', () => {
    const key = newKey();
    const keys = new Map([[key.id, key]]);
    const sealer = new Sealer(key);
    fc.assert(
      fc.property(text, place, place, (plain, here, there) => {
        const sealed = sealer.seal(plain, here);
        expect(openText(sealed, here, keys)).to.equal(plain);
        if (JSON.stringify(here) !== JSON.stringify(there)) expect(() => openText(sealed, there, keys)).to.throw(Unopened);
        expect(sealer.seal(plain, here)).to.not.equal(sealed);
      }),
    );
  });

  it('opens nothing that was changed anywhere, or under another key', () => {
    const key = newKey();
    const keys = new Map([[key.id, key]]);
    const sealer = new Sealer(key);
    const other = new DataKey(key.id, randomBytes(32));
    fc.assert(
      fc.property(text, fc.nat(), fc.nat(62), (plain, where, by) => {
        const sealed = sealer.seal(plain, ['here']);
        const start = sealed.lastIndexOf('.') + 1;
        const bytes = Buffer.from(sealed.slice(start), 'base64url');
        bytes[where % bytes.length]! ^= by + 1;
        expect(() => openText(sealed.slice(0, start) + bytes.toString('base64url'), ['here'], keys)).to.throw(Unopened);
        expect(() => openText(sealed, ['here'], new Map([[key.id, other]]))).to.throw(Unopened);
        expect(() => openText(sealed.slice(0, start + 20), ['here'], keys)).to.throw(Unopened, 'cut short');
        expect(() => openText(sealed, ['here'], new Map())).to.throw(Unopened, 'is not in the store');
      }),
    );
    expect(() => openText('"plain"', ['here'], keys)).to.throw(Unopened, 'not encrypted');
  });

  it('never uses a nonce twice', () => {
    const sealer = new Sealer(newKey());
    const heads = new Set(
      Array.from({ length: 5_000 }, () =>
        Buffer.from(sealer.seal('x', []).split('.')[2] ?? '', 'base64url')
          .subarray(0, 22)
          .toString('hex'),
      ),
    );
    expect(heads.size).to.equal(5_000);
  });

  it('makes the same token of the same text and label, and reads it', () => {
    const key = newKey();
    const [one, other, stranger] = [new Tokens(key), new Tokens(key), new Tokens(newKey())];
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (first, second) => {
        const token = one.token('label', first);
        expect(other.token('label', first)).to.equal(token);
        expect(other.text('label', token)).to.equal(first);
        expect(one.token('label', second) === token).to.equal(first === second);
        expect(one.token('other', first)).to.not.equal(token);
        expect(stranger.token('label', first)).to.not.equal(token);
        expect(() => one.text('other', token)).to.throw(Unopened);
        expect(() => stranger.text('label', token)).to.throw(Unopened);
      }),
    );
    expect(() => one.text('label', 'plain')).to.throw(Unopened);
  });

  it('permutes names of artifacts, and back', () => {
    const tokens = new Tokens(newKey());
    const stranger = new Tokens(newKey());
    const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
    fc.assert(
      fc.property(id, id, (one, other) => {
        const name = tokens.nameOf(one);
        expect(name)
          .to.match(/^[0-9a-f]{64}$/)
          .and.not.equal(one);
        expect(tokens.idOf(name)).to.equal(one);
        expect(tokens.nameOf(tokens.idOf(other))).to.equal(other);
        expect(tokens.nameOf(other) === name).to.equal(one === other);
        expect(stranger.nameOf(one)).to.not.equal(name);
      }),
    );
  });

  it('gives back any content, in whatever pieces it comes, as long as was said', async () => {
    const key = newKey();
    const sizes = fc.oneof(fc.nat(50), fc.integer({ min: 262_120, max: 262_170 }), fc.integer({ min: 524_280, max: 524_300 }));
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.integer({ min: 1, max: 300_000 }),
        fc.integer({ min: 1, max: 300_000 }),
        async (bytes, inPieces, outPieces) => {
          const content = randomBytes(bytes);
          const sealed = await collected(sealContent(pieces(content, Math.max(inPieces, bytes / 50)), key));
          expect(sealed.length).to.equal(sealedLength(bytes));
          expect(plainLength(sealed.length)).to.equal(bytes);
          const opened = await collected(openContent(pieces(sealed, Math.max(outPieces, bytes / 50)), async () => key));
          expect(opened.equals(content)).to.equal(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('opens no content that lost, gained or moved a piece', async () => {
    const key = newKey();
    const piece = 262_144 + 16;
    const sealed = await collected(sealContent(pieces(randomBytes(3 * 262_144), 100_000), key));
    const [head, one, two, three] = [
      sealed.subarray(0, 26),
      sealed.subarray(26, 26 + piece),
      sealed.subarray(26 + piece, 26 + 2 * piece),
      sealed.subarray(26 + 2 * piece),
    ];
    for (const parts of [
      [head, one, two],
      [head, two, three],
      [head, two, one, three],
      [head, one, one, three],
      [head, one, two, three, three],
      [head],
      [one, two, three],
    ]) {
      let thrown: unknown;
      await collected(openContent(pieces(Buffer.concat(parts), 100_000), async () => key)).catch((error: unknown) => (thrown = error));
      expect(thrown).to.be.instanceOf(Unopened);
    }
  });
});

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const step = Math.ceil(size);
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

async function collected(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

/** Keys: files of them, services, hybrid ones; rotation and wrapping anew. */

import { expect } from 'chai';
import { createHash, createHmac } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { memory } from 'statewarden';
import { encrypted, hybrid, keyFile, kms, makeHybridKey, rewrapKeys, type KeySource } from 'statewarden/encryption';
import { createKeyFile, retireKey, rotateKeyFile } from '#src/persistence/encryption/key-file-changes.js';
import type { Store } from '#src/persistence/store.js';
import { decapsulate, encapsulate, publicKeyOf } from '#src/persistence/encryption/x-wing.js';
import { inFolder } from '../../crash/lives.js';
import { testKeys } from './keys.js';

const lease = { name: 'node', ttlMs: 5_000 };
const now = (): number => 1_700_000_000_000;

async function thrown(work: () => unknown): Promise<{ readonly code: string; readonly hint: string; readonly message: string }> {
  try {
    await work();
  } catch (error) {
    return error as { code: string; hint: string; message: string };
  }
  return { code: 'nothing was thrown', hint: '', message: '' };
}

/** Leaves a note of this name, or reads it. */
async function noted(store: Store, keys: KeySource, topic: string, data?: string): Promise<string | undefined> {
  const opened = await encrypted(store, { keys }).open({ lease, now });
  try {
    if (data !== undefined) await opened.publish([{ topic, author: 'a', data, at: 1 }]);
    return (await opened.notes(topic))[0]?.data;
  } finally {
    await opened.close();
  }
}

describe('a key file', () => {
  it('is made once, for its owner alone, and wraps and unwraps', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.keys');
      const made = await createKeyFile(path, { kind: 'aes-256', now });
      expect(statSync(path).mode & 0o777).to.equal(0o600);
      expect(made.current).to.match(/^k-2023-11-14-[0-9a-f]{6}$/);
      expect((await thrown(() => createKeyFile(path, { kind: 'aes-256', now }))).code).to.equal('KEY_FILE');
      const store = memory();
      await noted(store, keyFile(path), 't', '"word"');
      expect(await noted(store, keyFile(path), 't')).to.equal('"word"');
    }));

  it('is refused when others may read it, when it is missing or not what it should be, without a word of what is in it', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.keys');
      expect(await thrown(() => keyFile(path).currentKeyId())).to.include({ code: 'KEY_FILE' });
      const { keys } = await createKeyFile(path, { kind: 'aes-256', now });
      const key = Buffer.from(keys[0]?.key ?? []).toString('base64');
      const good = readFileSync(path, 'utf8');
      expect(good).to.include(key);
      for (const mode of [0o640, 0o604, 0o666]) {
        chmodSync(path, mode);
        const { code, hint } = await thrown(() => keyFile(path).currentKeyId());
        expect(code).to.equal('KEY_FILE');
        expect(hint).to.include('chmod 600');
      }
      chmodSync(path, 0o600);
      for (const bad of [
        '',
        '[]',
        'null',
        good.slice(0, -5),
        good.replace('"statewardenKeys": 1', '"statewardenKeys": 2'),
        good.replace('aes-256', 'des'),
        good.replace(key, key.slice(4)),
        good.replace(key, `!${key}`),
        good.replace(/"current": "[^"]*"/, '"current": "other"'),
        good.replace(/"id": "[^"]*"/, '"id": ""'),
        JSON.stringify({ statewardenKeys: 1, current: 'x', keys: [1] }),
      ]) {
        writeFileSync(path, bad);
        const error = await thrown(() => keyFile(path).currentKeyId());
        expect(error.code, bad).to.equal('KEY_FILE');
        expect(error.hint).to.include('statewarden keys create');
        expect(inspect(error)).to.not.include(key.slice(8, 30));
      }
    }));

  it('keeps older keys when it is rotated, and gives one up when it is told to', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.keys');
      const first = await createKeyFile(path, { id: 'first', kind: 'aes-256', now });
      const second = await rotateKeyFile(path, { id: 'second', kind: 'aes-256', now });
      expect(second.keys[0]).to.deep.equal(first.keys[0]);
      expect(second.current).to.equal('second');
      expect(statSync(path).mode & 0o777).to.equal(0o600);
      expect(readdirSync(folder)).to.deep.equal(['agents.keys']);
      expect((await thrown(() => rotateKeyFile(path, { id: 'first', kind: 'aes-256', now }))).code).to.equal('BAD_INPUT');
      expect((await thrown(() => rotateKeyFile(path, { id: 'a b', kind: 'aes-256', now }))).code).to.equal('BAD_INPUT');
      expect((await thrown(() => retireKey(path, 'second'))).code).to.equal('BAD_INPUT');
      expect((await thrown(() => retireKey(path, 'third'))).code).to.equal('BAD_INPUT');
      await retireKey(path, 'first');
      expect(await thrown(() => keyFile(path).unwrap('first', new Uint8Array(60), ''))).to.include({ code: 'KEY_MISSING' });
      expect((await thrown(() => createKeyFile(join(folder, 'no', 'such'), { kind: 'aes-256', now }))).code).to.equal('KEY_FILE');
      expect(existsSync(join(folder, 'no'))).to.equal(false);
    }));
});

describe('rotation', () => {
  it('wraps new data keys by the new key, and reads what was written under the old ones as long as it has them', async () => {
    const store = memory();
    const keys = testKeys('secret', 'k1', 'k2');
    keys.current = 'k1';
    await noted(store, keys, 'old', '"under k1"');
    keys.current = 'k2';
    await noted(store, keys, 'new', '"under k2"');
    expect(await noted(store, keys, 'old')).to.equal('"under k1"');
    keys.ids.delete('k1');
    expect(await thrown(() => noted(store, keys, 'new'))).to.include({ code: 'KEY_MISSING' });
    keys.ids.add('k1');
    expect(await noted(store, keys, 'new')).to.equal('"under k2"');
  });

  it('lets an old key go once its data keys are wrapped anew, in steps, again and again, with the store in use', async () => {
    const store = memory();
    const keys = testKeys('secret', 'k1', 'k2');
    keys.current = 'k1';
    const user = await encrypted(store, { keys }).open({ lease, now });
    await user.publish([{ topic: 'old', author: 'a', data: '"under k1"', at: 1 }]);
    keys.current = 'k2';
    await noted(store, keys, 'new', '"under k2"');
    const steps: string[] = [];
    const report = await rewrapKeys(store, { keys, now, progress: (done, total) => steps.push(`${String(done)}/${String(total)}`) });
    expect(report).to.deep.equal({ currentKeyId: 'k2', rewrapped: 2, kept: 1, released: ['k1'] });
    expect(steps).to.deep.equal(['1/3', '2/3', '3/3']);
    expect(await rewrapKeys(store, { keys, now })).to.deep.equal({ currentKeyId: 'k2', rewrapped: 0, kept: 3, released: [] });
    keys.ids.delete('k1');
    await user.publish([{ topic: 'later', author: 'a', data: '"still at it"', at: 1 }]);
    await user.close();
    expect(await noted(store, keys, 'old')).to.equal('"under k1"');
    expect(await noted(store, keys, 'new')).to.equal('"under k2"');
    expect(await noted(store, keys, 'later')).to.equal('"still at it"');
  });

  it('wraps nothing anew when one key cannot be unwrapped, or there are none', async () => {
    const store = memory();
    const keys = testKeys('secret', 'k1', 'k2');
    expect(await thrown(() => rewrapKeys(store, { keys, now }))).to.include({ code: 'KEY_MISSING' });
    keys.current = 'k1';
    await noted(store, keys, 't', '1');
    const before = await (await store.open({ now })).notes('');
    keys.current = 'k2';
    const wrong = testKeys('other', 'k1', 'k2');
    expect(await thrown(() => rewrapKeys(store, { keys: wrong, now }))).to.include({ code: 'DECRYPTION' });
    expect(await (await store.open({ now })).notes('')).to.deep.equal(before);
  });

  it('is noticed by a node that is at work, when another one writes under a new key', async () => {
    const store = memory();
    const keys = testKeys('secret', 'k1', 'k2');
    keys.current = 'k1';
    const older = await encrypted(store, { keys }).open({ lease, now });
    keys.current = 'k2';
    await noted(store, keys, 'new', '"under k2"');
    expect((await older.notes('new'))[0]?.data).to.equal('"under k2"');
    await older.close();
  });
});

describe('a key service', () => {
  it('is given context and key id, and asked a few times however much is written', async () => {
    const asked: string[] = [];
    const inner = testKeys('secret', 'k1');
    const keys = kms({
      currentKeyId: () => 'k1',
      wrap: ({ keyId, dataKey, context }) => (asked.push(`wrap ${keyId} ${context.slice(0, 29)}`), inner.wrap(keyId, dataKey, context)),
      unwrap: ({ keyId, wrapped, context }) => (asked.push(`unwrap ${keyId}`), inner.unwrap(keyId, wrapped, context)),
    });
    const store = await encrypted(memory(), { keys }).open({ lease, now });
    for (let n = 0; n < 100; n += 1) await store.publish([{ topic: String(n), author: 'a', data: '1', at: 1 }]);
    await store.notes('');
    await store.close();
    expect(asked).to.have.length(4);
    expect(asked[0]).to.equal('wrap k1 statewarden data key 1 search');
  });

  it('is told of as away when it fails, and as wrong when it gives back something else', async () => {
    const store = memory();
    await noted(store, testKeys(), 't', '1');
    const answers: readonly (readonly [() => Uint8Array, string])[] = [
      [() => new Uint8Array(32), 'DECRYPTION'],
      [() => new Uint8Array(31), 'DECRYPTION'],
      [() => 'key' as never, 'DECRYPTION'],
      [
        () => {
          throw new Error('503');
        },
        'STORE_UNAVAILABLE',
      ],
    ];
    for (const [unwrap, code] of answers) {
      const keys = kms({ currentKeyId: 'k1', wrap: ({ dataKey }) => dataKey, unwrap });
      expect((await thrown(() => noted(store, keys, 't'))).code).to.equal(code);
    }
    expect((await thrown(() => kms({ currentKeyId: '', wrap: () => new Uint8Array(), unwrap: () => new Uint8Array() }))).code).to.equal(
      'BAD_INPUT',
    );
    const nameless = kms({ currentKeyId: () => '', wrap: ({ dataKey }) => dataKey, unwrap: ({ wrapped }) => wrapped });
    expect((await thrown(() => noted(memory(), nameless, 't', '1'))).code).to.equal('BAD_INPUT');
  });
});

/** draft-connolly-cfrg-xwing-kem-08, appendix C; the long ones by their SHA-256. */
const vectors = [
  {
    seed: '7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26',
    eseed:
      '3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e235b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2',
    publicKey: '2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb',
    cipherText: '17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33',
    shared: 'd2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384',
  },
  {
    seed: 'badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea',
    eseed:
      '17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdefaee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d',
    publicKey: 'c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916',
    cipherText: '1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154',
    shared: 'f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150',
  },
  {
    seed: 'ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9',
    eseed:
      '22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b',
    publicKey: '6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95',
    cipherText: 'd3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6',
    shared: '953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f',
  },
] as const;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('a hybrid key', () => {
  for (const [index, { seed, eseed, publicKey, cipherText, shared }] of vectors.entries()) {
    it(`does what X-Wing does: test vector ${String(index + 1)}`, async () => {
      const pk = await publicKeyOf(Buffer.from(seed, 'hex'));
      expect(sha256(pk)).to.equal(publicKey);
      const made = await encapsulate(pk, Buffer.from(eseed, 'hex'));
      expect(sha256(made.cipherText)).to.equal(cipherText);
      expect(made.shared.toString('hex')).to.equal(shared);
      expect((await decapsulate(Buffer.from(seed, 'hex'), made.cipherText)).toString('hex')).to.equal(shared);
    });
  }

  it('wraps and unwraps, and opens nothing that was changed or is of another key or context', async () => {
    const [one, other] = [await makeHybridKey(), await makeHybridKey()];
    const keys = hybrid({
      currentKeyId: 'h1',
      keys: [
        { id: 'h1', ...one },
        { id: 'h2', seed: other.seed },
      ],
    });
    const dataKey = Buffer.alloc(32, 7);
    const wrapped = Buffer.from(await keys.wrap('h1', dataKey, 'context'));
    expect(wrapped).to.have.length(1_120 + 60);
    expect(Buffer.from(await keys.unwrap('h1', wrapped, 'context')).equals(dataKey)).to.equal(true);
    expect((await thrown(() => keys.unwrap('h2', wrapped, 'context'))).code).to.equal('DECRYPTION');
    expect((await thrown(() => keys.unwrap('h1', wrapped, 'other'))).code).to.equal('DECRYPTION');
    for (const at of [0, 500, 1_087, 1_088, 1_119, 1_120, 1_140, 1_179]) {
      const changed = Buffer.from(wrapped);
      changed[at]! ^= 1;
      expect((await thrown(() => keys.unwrap('h1', changed, 'context'))).code, String(at)).to.equal('DECRYPTION');
    }
    expect((await thrown(() => keys.unwrap('h1', wrapped.subarray(0, 1_000), 'context'))).code).to.equal('DECRYPTION');
  });

  it('is wrapped to by its public half alone, and keeps a store', async () => {
    const key = await makeHybridKey();
    const store = memory();
    const whole = hybrid({ currentKeyId: 'h', keys: [{ id: 'h', seed: key.seed }] });
    const half = hybrid({ currentKeyId: 'h', keys: [{ id: 'h', publicKey: key.publicKey }] });
    await noted(store, whole, 't', '"word"');
    expect(await noted(store, whole, 't')).to.equal('"word"');
    const wrapped = await half.wrap('h', Buffer.alloc(32, 1), 'c');
    expect(Buffer.from(await whole.unwrap('h', wrapped, 'c')).equals(Buffer.alloc(32, 1))).to.equal(true);
    expect((await thrown(() => noted(store, half, 't'))).code).to.equal('KEY_MISSING');
  });

  it('lets nobody who knows its public half put in a data key of his own', async () => {
    const key = await makeHybridKey();
    const store = memory();
    const whole = hybrid({ currentKeyId: 'h', keys: [{ id: 'h', seed: key.seed }] });
    const half = hybrid({ currentKeyId: 'h', keys: [{ id: 'h', publicKey: key.publicKey }] });
    await noted(store, whole, 't', '"word"');
    for (const use of ['records', 'search']) {
      const secret = Buffer.alloc(32, 7);
      const context = `statewarden data key 1 ${use} ++++++++`;
      const check = createHmac('sha256', secret).update(`check of ${context}`).update(secret).digest().subarray(0, 16).toString('base64');
      const wrapped = Buffer.from(await half.wrap('h', secret, context)).toString('base64');
      const outside = await store.open({ now });
      const data = JSON.stringify({ v: 1, use, kek: 'h', wrapped, check, chosen: true });
      await outside.publish([{ topic: 'encryption/key', author: '++++++++', data, at: now() + 1 }]);
      expect((await thrown(() => noted(store, whole, 't'))).code, use).to.equal('CORRUPT_RECORD');
      await outside.retract([{ topic: 'encryption/key', author: '++++++++' }]);
      expect(await noted(store, whole, 't')).to.equal('"word"');
      await outside.close();
    }
  });

  it('stands in a key file beside others', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.keys');
      const store = memory();
      await createKeyFile(path, { kind: 'aes-256', now });
      await noted(store, keyFile(path), 'old', '1');
      await rotateKeyFile(path, { kind: 'x25519-mlkem768', now });
      await noted(store, keyFile(path), 'new', '2');
      expect(await noted(store, keyFile(path), 'old')).to.equal('1');
      expect((await rewrapKeys(store, { keys: keyFile(path), now })).rewrapped).to.equal(2);
      expect(await noted(store, keyFile(path), 'old')).to.equal('1');
    }));

  it('is refused when it is none', async () => {
    const { seed, publicKey } = await makeHybridKey();
    for (const options of [
      { currentKeyId: 'h', keys: [] },
      { currentKeyId: 'h', keys: [{ id: 'h', seed: seed.subarray(1) }] },
      { currentKeyId: 'h', keys: [{ id: 'h', publicKey: publicKey.subarray(1) }] },
      {
        currentKeyId: 'h',
        keys: [
          { id: 'h', seed },
          { id: 'h', publicKey },
        ],
      },
      { currentKeyId: 'other', keys: [{ id: 'h', seed }] },
    ]) {
      expect((await thrown(() => hybrid(options))).code).to.equal('BAD_INPUT');
    }
  });
});

/** What both stores of keys do, case by case: who gets a key, who may change it, and what is left when its holder is gone. */

import { expect } from 'chai';
import { memoryKeys, redisKeys, type Claim, type KeyStore } from 'statewarden/gateway';
import { SimulatedClock } from 'statewarden/testing';
import { describeRedis, RedisServer } from './redis-server.js';

const day = 86_400_000;
const claim = (token: string, more: Partial<Claim> = {}): Claim => ({
  token,
  fingerprint: 'f',
  leaseMs: 300,
  ttlMs: day,
  retake: false,
  ...more,
});
const bytes = Buffer.from([0, 1, 254, 255]);

function cases(open: () => Promise<{ store: KeyStore; pass: (ms: number) => Promise<void>; close: () => Promise<void> }>): void {
  let store: KeyStore;
  let pass: (ms: number) => Promise<void>;
  let close: () => Promise<void>;
  beforeEach(async () => {
    ({ store, pass, close } = await open());
  });
  afterEach(() => close());

  it('gives a key to one token, and says so again to that one', async () => {
    const standings = await Promise.all(['a', 'b', 'a', 'c'].map((token) => store.claim('k', claim(token))));
    expect(standings.map(({ state }) => state)).to.deep.equal(['yours', 'under-way', 'yours', 'under-way']);
    expect(standings[1]).to.deep.equal({ state: 'under-way', fingerprint: 'f' });
  });

  it('gives a key away whose holder was gone before it was sent, and lets the holder know', async () => {
    await store.claim('k', claim('a'));
    await pass(400);
    expect(await store.claim('k', claim('b', { fingerprint: 'other' }))).to.deep.equal({ state: 'yours' });
    expect(await store.markSent('k', 'a', 300, day)).to.equal(false);
    expect(await store.markSent('k', 'b', 300, day)).to.equal(true);
  });

  it('lets a holder mark it late as long as nobody else has it', async () => {
    await store.claim('k', claim('a'));
    await pass(400);
    expect(await store.markSent('k', 'a', 300, day)).to.equal(true);
    expect(await store.claim('k', claim('b'))).to.include({ state: 'under-way' });
  });

  it('says that the outcome is unknown when its holder was gone after it was sent', async () => {
    await store.claim('k', claim('a'));
    await store.markSent('k', 'a', 300, day);
    expect(await store.claim('k', claim('b'))).to.include({ state: 'under-way' });
    await pass(400);
    expect(await store.claim('k', claim('b'))).to.deep.equal({ state: 'unknown', fingerprint: 'f', reason: 'crashed' });
    expect(await store.settle('k', 'a', { state: 'done', reason: 'kept', answer: bytes }, day)).to.equal(true);
    expect(await store.claim('k', claim('b'))).to.include({ state: 'done' });
  });

  it('holds a lease that is renewed', async () => {
    await store.claim('k', claim('a'));
    await store.markSent('k', 'a', 300, day);
    for (let time = 0; time < 4; time += 1) {
      await pass(150);
      expect(await store.renew('k', 'a', 300)).to.equal(true);
    }
    expect(await store.claim('k', claim('b'))).to.include({ state: 'under-way' });
    expect(await store.renew('k', 'b', 300)).to.equal(false);
  });

  it('keeps an answer byte by byte, and others as words', async () => {
    const endings = [
      { state: 'done', reason: 'kept', answer: bytes },
      { state: 'done', reason: 'too-large', answer: undefined },
      { state: 'done', reason: 'no-store', answer: undefined },
      { state: 'unknown', reason: 'reset' },
    ] as const;
    for (const [index, ending] of endings.entries()) {
      const key = `k${index}`;
      await store.claim(key, claim('a'));
      await store.markSent(key, 'a', 300, day);
      expect(await store.settle(key, 'a', ending, day)).to.equal(true);
      const found = await store.claim(key, claim('b'));
      expect({ ...found, answer: undefined }).to.deep.equal({ fingerprint: 'f', ...ending, answer: undefined });
      if (found.state === 'done') expect(found.answer?.toString()).to.equal(ending.reason === 'kept' ? bytes.toString() : undefined);
    }
  });

  it('settles only what was sent, once, and by its holder', async () => {
    await store.claim('k', claim('a'));
    const ending = { state: 'unknown', reason: 'reset' } as const;
    expect(await store.settle('k', 'a', ending, day)).to.equal(false);
    await store.markSent('k', 'a', 300, day);
    expect(await store.settle('k', 'b', ending, day)).to.equal(false);
    expect(await store.settle('k', 'a', ending, day)).to.equal(true);
    expect(await store.settle('k', 'a', { state: 'done', reason: 'kept', answer: bytes }, day)).to.equal(false);
    expect(await store.release('k', 'a')).to.equal(false);
    expect(await store.claim('k', claim('c'))).to.include({ state: 'unknown' });
  });

  it('frees a key that is released, and by its holder only', async () => {
    await store.claim('k', claim('a'));
    expect(await store.release('k', 'b')).to.equal(false);
    expect(await store.release('k', 'a')).to.equal(true);
    expect(await store.claim('k', claim('b'))).to.include({ state: 'yours' });
  });

  it('gives what is unknown away only to those who ask for it, with the same fingerprint', async () => {
    await store.claim('k', claim('a'));
    await store.markSent('k', 'a', 300, day);
    expect(await store.claim('k', claim('b', { retake: true }))).to.include({ state: 'under-way' });
    await pass(400);
    expect(await store.claim('k', claim('b', { retake: true, fingerprint: 'other' }))).to.include({ state: 'unknown', fingerprint: 'f' });
    expect(await store.claim('k', claim('b', { retake: true }))).to.include({ state: 'yours' });
    expect(await store.settle('k', 'a', { state: 'done', reason: 'kept', answer: bytes }, day)).to.equal(false);
  });

  it('forgets a key after its time', async () => {
    await store.claim('k', claim('a'));
    await store.markSent('k', 'a', 100, 200);
    await pass(300);
    expect(await store.claim('k', claim('b'))).to.include({ state: 'yours' });
  });
}

describe('keys in memory', () => {
  cases(async () => {
    const clock = new SimulatedClock();
    return { store: memoryKeys({ clock }), pass: (ms) => clock.advance(ms), close: async () => undefined };
  });
});

describeRedis('keys in Redis', () => {
  let server: RedisServer;
  let suites = 0;
  before(async () => {
    server = await RedisServer.start();
  });
  after(() => server.remove());
  cases(async () => {
    suites += 1;
    const store = redisKeys(server.url, { prefix: `t${suites}:` });
    await store.open();
    // Leases are in Redis' own time.
    return { store, pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)), close: () => store.close() };
  });
});

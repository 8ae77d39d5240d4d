/** What gcs() takes for a place and what not, without a server; and what it says where its package is missing. What a server does is tried in test/cloud-stores. */

import { expect } from 'chai';
import { gcs, planLifecycle, type GcsOptions } from 'statewarden/gcs';
import { connectStorage } from '#src/persistence/gcs/sdk.js';
import { persistently } from '#src/persistence/gcs/patience.js';
import { failing } from '../bad-input/failing.js';

describe('a place in Cloud Storage', () => {
  it('is a bucket and a prefix, or says both as gs://', () => {
    for (const [given, name] of [
      [{ bucket: 'my-artifacts' }, 'gs://my-artifacts'],
      [{ bucket: 'my.artifacts_7', prefix: '' }, 'gs://my.artifacts_7'],
      [{ bucket: 'my-artifacts', prefix: 'agents/results/' }, 'gs://my-artifacts/agents/results'],
      ['gs://my-artifacts', 'gs://my-artifacts'],
      ['gs://my-artifacts/', 'gs://my-artifacts'],
      ['gs://my-artifacts/agents/zażółć', 'gs://my-artifacts/agents/zażółć'],
    ] as const) {
      expect(gcs(given).name).to.equal(name);
      expect(gcs(given).capabilities.durable).to.equal(true);
    }
  });

  it('is refused when it can be none, before anything is asked of anybody', async () => {
    const wrong: unknown[] = [
      undefined,
      null,
      7,
      '',
      'my-artifacts',
      's3://my-artifacts',
      'gs://',
      'gs:///agents',
      'gs://My-Artifacts',
      {},
      { bucket: '' },
      { bucket: 'ab' },
      { bucket: 'a/b' },
      { bucket: 7 },
      { bucket: 'gs://my-artifacts' },
      ...[
        '/',
        '/a',
        'a//b',
        '..',
        'a/../b',
        './a',
        'a#b',
        'a[b',
        'a*',
        'statewarden-staging',
        'a/statewarden-staging/b',
        'a\nb',
        'half \ud83d',
        'x'.repeat(901),
        7,
      ].map((prefix) => ({
        bucket: 'my-artifacts',
        prefix,
      })),
      ...[0, -1, 1.5, NaN, '8'].flatMap((number) => [
        { bucket: 'my-artifacts', resumableBytes: number },
        { bucket: 'my-artifacts', timeoutMs: number },
      ]),
    ];
    for (const place of wrong) {
      await failing('BAD_INPUT', () => gcs(place as GcsOptions));
      await failing('BAD_INPUT', () => planLifecycle(place as GcsOptions));
    }
  });

  it('needs a package, and says which', async () => {
    const missing = () => Promise.reject(Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' }));
    const error = await failing('CAPABILITY_MISSING', () => connectStorage('my-artifacts', {}, missing));
    expect(error.hint).to.include('npm install @google-cloud/storage');
    expect(error.cause).to.be.instanceOf(Error);
  });
});

describe('a call to Cloud Storage', () => {
  const called = async (thrown: unknown): Promise<number> => {
    let calls = 0;
    await persistently(1_000, () => {
      calls += 1;
      return calls === 1 ? Promise.reject(thrown) : Promise.resolve();
    }).catch(() => undefined);
    return calls;
  };
  const answer = (code: number | string, reason?: string) =>
    Object.assign(new Error('no'), { code, errors: reason === undefined ? [] : [{ reason }] });

  it('is made again for what may go in a moment, and only for that', async () => {
    const passing = [
      answer(408),
      answer(429),
      answer('503'),
      answer(500),
      answer(504),
      answer(403, 'rateLimitExceeded'),
      answer('ECONNRESET'),
      answer('EAI_AGAIN'),
      Object.assign(new Error('socket hang up'), { status: 502 }),
    ];
    for (const error of passing) expect(await called(error), JSON.stringify(error)).to.equal(2);
    for (const error of [
      answer(400),
      answer(401),
      answer(403),
      answer(404),
      answer(412),
      answer(416),
      new Error('Could not load the default credentials'),
    ]) {
      expect(await called(error), JSON.stringify(error)).to.equal(1);
    }
  });
});

/** Bad weather over Cloud Storage: refusals, cuts before and after the server has done what it was asked, silence, latency, bytes that change on their way, objects that are changed or removed behind the store's back. */

import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { crc32c } from '#src/core/crc32c.js';
import { gcs } from 'statewarden/gcs';
import { sweepArtifacts, type ArtifactPointer, type ArtifactStore } from 'statewarden/artifacts';
import { failing } from '../bad-input/failing.js';
import type { Call, Kind, Weather } from './gcs-front.js';
import { describeGcs, GcsServer } from './gcs-server.js';

const small = Buffer.from('content');
/** Three parts of 256 KiB and a bit. */
const inParts = { resumableBytes: 262_144 };
const large = Buffer.from(Array.from({ length: 800_000 }, (_, n) => (n * 7 + (n >> 9)) & 0xff));
const pointerTo = (content: Buffer): ArtifactPointer => ({
  id: createHash('sha256').update(content).digest('hex'),
  bytes: content.length,
  checksum: crc32c(content),
});
const contentName = (content: Buffer): string => `content/${pointerTo(content).id}`;

async function* stream(content: Buffer, pieceBytes = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
}

/** The weather for the first calls of a kind, clear after them. */
const first =
  (kind: Kind, weather: Weather, times = 1) =>
  (call: Call): Weather | undefined =>
    call.kind === kind && call.nth <= times ? weather : undefined;

describeGcs('bad weather over Cloud Storage', function () {
  this.timeout(60_000);
  let server: GcsServer;
  let bucket: string;
  let store: ArtifactStore;
  before(async () => (server = await GcsServer.start()));
  after(() => server?.stop());
  beforeEach(async () => {
    bucket = await server.bucket();
    store = await server.open(bucket);
    server.front.calm();
  });
  afterEach(() => server.front.calm());

  const isThere = async (content: Buffer, opened = store): Promise<void> => {
    expect(content.equals(await opened.get(pointerTo(content)))).to.equal(true);
    expect(await server.names(bucket)).to.deep.equal([contentName(content)]);
  };

  describe('a put', () => {
    const kinds = ['stat', 'upload', 'copy', 'delete'] as const;
    const passing: readonly (readonly [string, Weather])[] = [
      ['503', { status: 503, reason: 'backendError' }],
      ['429', { status: 429, reason: 'rateLimitExceeded' }],
      ['500', { status: 500 }],
      ['a quota that is used up for the moment', { status: 403, reason: 'rateLimitExceeded' }],
      ['a cut before the server is reached', { cut: 'before' }],
      ['a cut after the server has done it', { cut: 'after' }],
    ];
    for (const kind of kinds) {
      for (const [what, weather] of passing) {
        it(`goes on when its ${kind} meets ${what}, twice`, async () => {
          server.front.weather = first(kind, weather, 2);
          expect(await store.put(small)).to.deep.equal(pointerTo(small));
          expect(server.front.count(kind)).to.be.at.least(3);
          server.front.calm();
          await isThere(small);
        });
      }
    }

    it('finds by looking that its copy was carried out when the answer was lost, and does not copy again', async () => {
      server.front.weather = first('copy', { cut: 'after' });
      await store.put(small);
      expect(server.front.seen.map(({ kind }) => kind)).to.deep.equal(['stat', 'upload', 'copy', 'copy', 'stat', 'delete']);
      server.front.calm();
      await isThere(small);
    });

    it('of what is there makes its time new once, although the answer is lost', async () => {
      await store.put(small);
      const [before] = (await store.list({ limit: 1 })).artifacts;
      server.front.calm();
      server.front.weather = first('copy', { cut: 'after' });
      await store.put(small);
      expect(server.front.seen.map(({ kind }) => kind)).to.deep.equal(['stat', 'copy', 'copy', 'stat']);
      const [after] = (await store.list({ limit: 1 })).artifacts;
      expect(after!.at).to.be.greaterThan(before!.at);
    });

    for (const kind of ['session', 'part'] as const) {
      for (const [what, weather] of passing.filter(([, weather]) => !('status' in weather) || weather.status >= 429)) {
        it(`in parts goes on when its ${kind} meets ${what}`, async () => {
          const opened = await server.open(bucket, inParts);
          server.front.calm();
          server.front.weather = (call) => (call.kind === kind && call.nth === (kind === 'part' ? 2 : 1) ? weather : undefined);
          expect(await opened.put(stream(large))).to.deep.equal(pointerTo(large));
          const sent = server.front.count('part');
          expect(sent).to.be.within(4, 6);
          server.front.calm();
          await isThere(large, opened);
        });
      }
    }

    it('in parts finds by looking that the last part was taken when its answer was lost', async () => {
      const opened = await server.open(bucket, inParts);
      server.front.calm();
      server.front.weather = (call) => (call.kind === 'part' && (call.range ?? '').includes('-799999/') ? { cut: 'after' } : undefined);
      expect(await opened.put(stream(large))).to.deep.equal(pointerTo(large));
      server.front.calm();
      await isThere(large, opened);
    });

    it('uploads in one request up to a size, in parts above it', async () => {
      const opened = await server.open(bucket, inParts);
      server.front.calm();
      await opened.put(large.subarray(0, 262_144));
      await opened.put(stream(large.subarray(0, 262_144)));
      expect(server.front.count('part') + server.front.count('session')).to.equal(0);
      await opened.put(large.subarray(0, 262_145));
      expect([server.front.count('upload'), server.front.count('session'), server.front.count('part')]).to.deep.equal([1, 1, 2]);
    });

    for (const [what, weather, hint] of [
      ['503 for good', { status: 503 }, 'busy or down'],
      ['429 for good', { status: 429, reason: 'rateLimitExceeded' }, 'fewer calls'],
      ['403', { status: 403, reason: 'forbidden', message: 'x does not have storage.objects.create access' }, 'roles/storage.objectUser'],
      ['401', { status: 401, reason: 'required', message: 'Invalid Credentials' }, 'gcloud auth'],
      ['a bucket that is gone', { status: 404, message: 'The specified bucket does not exist.' }, 'buckets create'],
      ['an account without billing', { status: 403, reason: 'accountDisabled' }, 'billing'],
      ['400', { status: 400, reason: 'invalid' }, 'wrong one'],
      ['a cut each time', { cut: 'before' }, 'cannot be reached'],
    ] as const) {
      it(`says what to do about ${what}, and can be tried again`, async () => {
        server.front.weather = ({ kind }) => (kind === 'upload' ? weather : undefined);
        const error = await failing('STORE_UNAVAILABLE', () => store.put(small));
        expect(error.disposition).to.equal('retry');
        expect(error.message).to.include(`gs://${bucket} cannot be written`);
        expect(error.hint).to.include(hint);
        expect(error.cause).to.not.equal(undefined);
        server.front.calm();
        await store.put(small);
        await isThere(small);
      });
    }

    it('gives back the error of its stream as it is, whatever it looks like, and keeps nothing', async () => {
      const opened = await server.open(bucket, inParts);
      const error = Object.assign(new Error('the disk of somebody else'), { code: 503 });
      const cut = async function* () {
        yield large;
        throw error;
      };
      let thrown: unknown;
      await opened.put(cut()).catch((caught: unknown) => (thrown = caught));
      expect(thrown).to.equal(error);
      expect(await server.names(bucket)).to.deep.equal([]);
    });

    it('lets go of its stream when it fails', async () => {
      const opened = await server.open(bucket, inParts);
      let ended = false;
      const endless = async function* () {
        try {
          for (;;) yield large;
        } finally {
          ended = true;
        }
      };
      server.front.weather = ({ kind }) => (kind === 'session' ? { status: 403 } : undefined);
      await failing('STORE_UNAVAILABLE', () => opened.put(endless()));
      expect(ended).to.equal(true);
    });

    it('keeps nothing of what was changed on its way', async () => {
      const opened = await server.open(bucket, inParts);
      server.front.calm();
      server.front.weather = ({ kind, nth }) => (kind === 'part' && nth === 2 ? { changeByte: true } : undefined);
      const error = await failing('STORE_UNAVAILABLE', () => opened.put(stream(large)));
      expect(error.message).to.include('checksum');
      server.front.calm();
      expect(await server.names(bucket)).to.deep.equal([]);
      await opened.put(stream(large));
      await isThere(large, opened);
    });

    it('puts what is there and damaged anew', async () => {
      await store.put(small);
      await server.overwrite(bucket, contentName(small), Buffer.from('CONTENT'));
      await store.put(small);
      await isThere(small);
    });

    it('gives up a call that shows no sign of life, and makes it again', async () => {
      const opened = await server.open(bucket, { timeoutMs: 300 });
      server.front.calm();
      for (const kind of ['stat', 'upload', 'copy'] as const) {
        server.front.calm();
        server.front.weather = first(kind, { silent: true });
        await opened.put(`silence at ${kind}`);
        expect(server.front.count(kind), kind).to.be.at.least(2);
      }
    });

    it('in parts ends in an error when the server is silent for good', async () => {
      const opened = await server.open(bucket, { ...inParts, timeoutMs: 300 });
      server.front.weather = ({ kind }) => (kind === 'part' ? { silent: true } : undefined);
      const error = await failing('STORE_UNAVAILABLE', () => opened.put(stream(large)));
      expect(error.message).to.include('no answer within 300 ms');
    });

    it('waits for a stream that is slow, and for answers that take seconds', async () => {
      const opened = await server.open(bucket, { ...inParts, timeoutMs: 3_000 });
      server.front.weather = ({ kind }) => (kind === 'part' || kind === 'copy' ? { delayMs: 1_000 } : undefined);
      const slow = async function* () {
        yield large.subarray(0, 300_000);
        await new Promise((resolve) => setTimeout(resolve, 4_000));
        yield large.subarray(300_000);
      };
      expect(await opened.put(slow())).to.deep.equal(pointerTo(large));
      server.front.calm();
      await isThere(large, opened);
    });
  });

  describe('a get', () => {
    beforeEach(async () => {
      // The client does not tell of a cut in the middle: it is found by the silence after it.
      store = await server.open(bucket, { timeoutMs: 500 });
      await store.put(large);
      server.front.calm();
    });

    it('goes on where the download was cut, however often', async () => {
      server.front.weather = ({ kind, nth }) => (kind === 'download' && nth < 5 ? { cutAfterBytes: 180_000 } : undefined);
      expect(large.equals(await store.get(pointerTo(large)))).to.equal(true);
      expect(server.front.count('download')).to.be.at.least(5);
    });

    for (const [what, weather] of [
      ['503', { status: 503 }],
      ['429', { status: 429 }],
      ['a cut before its first byte', { cut: 'before' }],
      ['a cut after the head', { cutAfterBytes: 0 }],
    ] as const) {
      it(`goes on after ${what}`, async () => {
        server.front.weather = first('download', weather, 2);
        expect(large.equals(await store.get(pointerTo(large)))).to.equal(true);
        expect(server.front.count('download')).to.be.at.least(3);
      });
    }

    it('gives up a silent download, and makes it again', async () => {
      const opened = await server.open(bucket, { timeoutMs: 300 });
      server.front.weather = first('download', { silent: true });
      expect(large.equals(await opened.get(pointerTo(large)))).to.equal(true);
    });

    it('says what to do when it is not allowed', async () => {
      server.front.weather = ({ kind }) => (kind === 'download' ? { status: 403, reason: 'forbidden' } : undefined);
      const error = await failing('STORE_UNAVAILABLE', () => store.get(pointerTo(large)));
      expect(error.message).to.include('cannot be read');
      expect(error.hint).to.include('roles/storage.objectUser');
    });

    it('finds an object that was deleted behind its back', async () => {
      await server.erase(bucket, contentName(large));
      const error = await failing('ARTIFACT_MISSING', () => store.get(pointerTo(large)));
      expect(error.disposition).to.equal('terminal');
      expect(error.hint).to.include('backup');
    });

    it('finds an object that was deleted in the middle of its download', async () => {
      server.front.weather = first('download', { cutAfterBytes: 100_000 });
      const pieces = store.read(pointerTo(large))[Symbol.asyncIterator]();
      await pieces.next();
      await server.erase(bucket, contentName(large));
      await failing('ARTIFACT_MISSING', async () => {
        while ((await pieces.next()).done !== true);
      });
    });

    it('finds an object that was changed behind its back before it is downloaded', async () => {
      const changed = Buffer.from(large);
      changed[400_000]! ^= 1;
      await server.overwrite(bucket, contentName(large), changed);
      const error = await failing('CORRUPT_RECORD', () => store.get(pointerTo(large)));
      expect(error.message).to.include('the checksum is wrong');
      expect(error.hint).to.include('put the same content again');
      await store.put(large);
      expect(large.equals(await store.get(pointerTo(large)))).to.equal(true);
    });

    it('finds bytes that were changed on their way', async () => {
      server.front.weather = ({ kind }) => (kind === 'download' ? { changeByte: true } : undefined);
      expect((await failing('CORRUPT_RECORD', () => store.get(pointerTo(large)))).message).to.include('the checksum is wrong');
    });

    it('reads on through an object that is put again in the middle', async () => {
      server.front.weather = first('download', { cutAfterBytes: 100_000 });
      let read = 0;
      for await (const piece of store.read(pointerTo(large))) {
        if (read === 0) await store.put(large);
        read += piece.length;
      }
      expect(read).to.equal(large.length);
    });
  });

  describe('a removal', () => {
    it('says that it has removed what it has, although the answer is lost', async () => {
      const pointer = await store.put(small);
      server.front.weather = (call) =>
        call.kind === 'delete' && call.object.startsWith('content/') && call.nth < 3 ? { cut: 'after' } : undefined;
      server.front.forget();
      expect(await store.remove([pointer.id], Infinity)).to.deep.equal([true]);
      expect(await server.names(bucket)).to.deep.equal([]);
    });

    it('leaves what is put again between its look and its deletion', async () => {
      const pointer = await store.put(small);
      const { at } = (await store.list({ limit: 1 })).artifacts[0]!;
      let release = (): void => undefined;
      const until = new Promise<void>((resolve) => (release = resolve));
      server.front.forget();
      server.front.weather = ({ kind, object }) => (kind === 'delete' && object.startsWith('content/') ? { until } : undefined);
      const removing = store.remove([pointer.id], at);
      while (server.front.count('delete') === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await store.put(small);
      release();
      expect(await removing).to.deep.equal([false]);
      server.front.calm();
      await isThere(small);
    });

    it('says what to do when it is not allowed', async () => {
      const pointer = await store.put(small);
      server.front.weather = ({ kind }) => (kind === 'delete' ? { status: 403, reason: 'forbidden' } : undefined);
      expect((await failing('STORE_UNAVAILABLE', () => store.remove([pointer.id], Infinity))).hint).to.include('roles/storage');
    });
  });

  describe('what is left over', () => {
    it('is swept by a listing when it is an hour old, and not before; what others put there stays for it', async () => {
      server.front.weather = ({ kind }) => (kind === 'copy' || kind === 'delete' ? { status: 403 } : undefined);
      await failing('STORE_UNAVAILABLE', () => store.put(small));
      server.front.calm();
      expect(await server.names(bucket, 'statewarden-staging/')).to.have.lengthOf(1);
      await store.list({ limit: 1 });
      expect(await server.names(bucket, 'statewarden-staging/')).to.have.lengthOf(1);
      const late = await server.open(bucket, {}, () => Date.now() + 3_500_000);
      await late.list({ limit: 1 });
      expect(await server.names(bucket, 'statewarden-staging/')).to.have.lengthOf(1);
      await server.overwrite(bucket, 'statewarden-staging/README', small);
      const later = await server.open(bucket, {}, () => Date.now() + 3_601_000);
      await later.list({ limit: 1 });
      expect(await server.names(bucket)).to.deep.equal(['statewarden-staging/README']);
    });

    it('does not keep a listing from its answer when it cannot be swept', async () => {
      const pointer = await store.put(small);
      server.front.weather = ({ kind, query }) =>
        kind === 'list' && query.get('prefix') === 'statewarden-staging/' ? { status: 403 } : undefined;
      expect((await store.list({ limit: 10 })).artifacts.map(({ id }) => id)).to.deep.equal([pointer.id]);
    });
  });

  it('strangers in its folder are passed over by listings and sweeps', async () => {
    const opened = await server.open(bucket, { prefix: 'a' });
    const strangers = ['a/content/README', 'a/content/zz', `a/content/${'f'.repeat(64)}.txt`, 'a/other', `content/${'f'.repeat(64)}`];
    for (const name of strangers) await server.overwrite(bucket, name, small);
    expect((await opened.list({ limit: 2 })).artifacts).to.deep.equal([]);
    const pointer = await opened.put(small);
    const found: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await opened.list({ after, limit: 1 });
      found.push(...page.artifacts.map(({ id }) => id));
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(found).to.deep.equal([pointer.id]);
    await sweepArtifacts({
      artifacts: opened,
      reachable: async (ids) => ids.map(() => false),
      graceMs: 0,
      now: () => Date.now() + 1_000,
    });
    expect((await server.names(bucket)).sort()).to.deep.equal(strangers.sort());
  });

  describe('opening', () => {
    it('says that there is no such bucket', async () => {
      const error = await failing('STORE_OPEN', () => server.open('nowhere-at-all'));
      expect(error.message).to.include('gs://nowhere-at-all cannot be opened');
      expect(error.hint).to.include('gcloud storage buckets create gs://nowhere-at-all');
    });

    it('says that there is no leave', async () => {
      server.front.weather = () => ({ status: 403, reason: 'forbidden', message: 'x does not have storage.objects.list access' });
      const error = await failing('STORE_OPEN', () => server.open(bucket));
      expect(error.message).to.include('storage.objects.list');
      expect(error.hint).to.include('roles/storage.objectUser');
    });

    it('can be tried again when Cloud Storage is down or cannot be reached', async () => {
      server.front.weather = () => ({ status: 503 });
      expect((await failing('STORE_UNAVAILABLE', () => server.open(bucket))).disposition).to.equal('retry');
      const error = await failing('STORE_UNAVAILABLE', () => gcs({ bucket, apiEndpoint: 'http://127.0.0.1:9' }).open({ now: Date.now }));
      expect(error.hint).to.include('apiEndpoint');
    });

    describe('without credentials', () => {
      const { HOME, CLOUDSDK_CONFIG, GOOGLE_APPLICATION_CREDENTIALS } = process.env;
      const set = (variables: Record<string, string | undefined>): void => {
        for (const [name, value] of Object.entries(variables)) {
          if (value === undefined) Reflect.deleteProperty(process.env, name);
          else process.env[name] = value;
        }
      };
      beforeEach(() => set({ HOME: '/nonexistent', CLOUDSDK_CONFIG: '/nonexistent', GOOGLE_APPLICATION_CREDENTIALS: undefined }));
      afterEach(() => set({ HOME, CLOUDSDK_CONFIG, GOOGLE_APPLICATION_CREDENTIALS }));
      const open = () => server.open(bucket, { clientOptions: { useAuthWithCustomEndpoint: true } });

      it('says how to get some', async () => {
        server.front.weather = () => ({
          status: 401,
          reason: 'required',
          message: 'Anonymous caller does not have storage.objects.list access',
        });
        const error = await failing('STORE_OPEN', open);
        expect(error.message).to.include('Could not load the default credentials');
        expect(error.hint).to.include('gcloud auth application-default login');
      });

      it('says so of a key file that is not there', async () => {
        set({ GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent/key.json' });
        const error = await failing('STORE_OPEN', open);
        expect(error.message).to.include('/nonexistent/key.json');
        expect(error.hint).to.include('GOOGLE_APPLICATION_CREDENTIALS');
      });
    });

    it('waits out an outage of a second', async () => {
      server.front.weather = first('list', { status: 503 }, 3);
      expect((await (await server.open(bucket)).list({ limit: 1 })).artifacts).to.deep.equal([]);
    });
  });
});

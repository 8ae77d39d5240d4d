/** Processes that keep artifacts in Cloud Storage and are killed at each step of a put and of a removal. Afterwards whatever was acknowledged is there and whole, what is listed is whole, and what is left over is swept. */

import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArtifactEntry, ArtifactPointer } from 'statewarden/artifacts';
import { armFailpoints } from '#src/core/failpoint.js';
import { inFolder, lifeOf } from '../crash/lives.js';
import { acknowledgedIn, contents } from '../persistence/artifact-life.js';
import { gcsLifePath, openAs, putAll } from './gcs-life.js';
import { describeGcs, GcsServer } from './gcs-server.js';

const distinct = new Set(contents.map((content) => content.toString())).size;

describeGcs('artifacts in Cloud Storage whose process is killed', function () {
  this.timeout(180_000);
  let server: GcsServer;
  const known = new Map<string, ArtifactPointer>();

  before(async () => {
    server = await GcsServer.start();
    const store = await server.open(await server.bucket());
    for (const content of contents) {
      const pointer = await store.put(content);
      known.set(pointer.id, pointer);
    }
  });
  after(() => server?.stop());
  afterEach(() => armFailpoints(undefined));

  const live = (folder: string, bucket: string, deed: string, failpoints = '') =>
    lifeOf(gcsLifePath, [folder, server.front.url, bucket, deed, 'Infinity'], failpoints);

  /** All that was acknowledged is there; all that is listed is whole. */
  const judge = async (folder: string, bucket: string, what: string): Promise<readonly ArtifactEntry[]> => {
    const store = await openAs(server.front.url, bucket);
    const { artifacts } = await store.list({ limit: 1_000 });
    for (const { id, bytes } of artifacts) {
      expect(known.get(id)?.bytes, `${what}: ${id}`).to.equal(bytes);
      expect((await store.get(known.get(id)!)).length).to.equal(bytes);
    }
    for (const pointer of acknowledgedIn(folder)) await store.get(pointer);
    return artifacts;
  };

  /** Kills a deed at the first passing of a place, then the second, and so on until it comes to its end before; resolves to the number of kills. */
  const killEach = async (deed: string, place: string, judged: (folder: string, bucket: string, what: string) => Promise<void>) => {
    for (let kills = 0; ; kills += 1) {
      const failpoints = `${place}=crash@${String(kills + 1)}`;
      const killed = await inFolder(async (folder) => {
        const bucket = await server.bucket();
        if (deed === 'remove') await putAll(await openAs(server.front.url, bucket), folder);
        const end = await live(folder, bucket, deed, failpoints);
        if (end.signal !== 'SIGKILL') expect(end, failpoints).to.deep.equal({ code: 0, signal: null, stderr: '' });
        await judged(folder, bucket, failpoints);
        return end.signal === 'SIGKILL';
      });
      if (!killed) return kills;
    }
  };

  for (const place of ['gcs:staged', 'gcs:swapped']) {
    it(`are whole or not there, and lose nothing that was acknowledged, at each passing of ${place}`, async () => {
      const kills = await killEach('put', place, async (folder, bucket, what) => {
        await judge(folder, bucket, what);
        expect((await server.names(bucket, 'statewarden-staging/')).length, what).to.be.at.most(1);
        // The next life puts them all, whatever was left.
        await putAll(await openAs(server.front.url, bucket), folder);
        expect(await judge(folder, bucket, what)).to.have.lengthOf(distinct);
        // And an hour later nothing of it is left over.
        const later = await server.open(bucket, {}, () => Date.now() + 3_610_000);
        await later.list({ limit: 1 });
        expect(await server.names(bucket)).to.have.lengthOf(distinct);
      });
      expect(kills).to.be.at.least(distinct);
    });
  }

  it('are whole or gone after a removal that is killed at each passing of gcs:remove; the next one ends it', async () => {
    const kills = await killEach('remove', 'gcs:remove', async (_, bucket, what) => {
      const store = await openAs(server.front.url, bucket);
      const { artifacts } = await store.list({ limit: 1_000 });
      for (const { id } of artifacts) await store.get(known.get(id)!);
      const removed = await store.remove(
        artifacts.map(({ id }) => id),
        Infinity,
      );
      expect(removed, what).to.deep.equal(artifacts.map(() => true));
      expect(await server.names(bucket)).to.deep.equal([]);
    });
    expect(kills).to.equal(distinct);
  });

  it('are kept by a put that fails between its steps as by one that is killed there', async () => {
    const bucket = await server.bucket();
    const store = await server.open(bucket);
    for (const place of ['gcs:staged', 'gcs:swapped']) {
      armFailpoints(`${place}=throw`);
      let thrown: unknown;
      await store.put('content').catch((error: unknown) => (thrown = error));
      expect(String(thrown)).to.include(`failpoint ${place}`);
      // It was alive, and has taken away what it had staged.
      expect(await server.names(bucket, 'statewarden-staging/')).to.deep.equal([]);
    }
    armFailpoints(undefined);
    const pointer = await store.put('content');
    expect(Buffer.from(await store.get(pointer)).toString()).to.equal('content');
  });

  it('do not leave half of an upload in parts: what is cut off in the middle is no object', () =>
    inFolder(async (folder) => {
      const bucket = await server.bucket();
      // The second part of the first content that has several is never answered, and the process is ended then.
      server.front.weather = ({ kind, nth }) => (kind === 'part' && nth === 2 ? { silent: true } : undefined);
      server.front.forget();
      const ending = live(folder, bucket, 'put');
      while (server.front.count('part') < 2) await new Promise((resolve) => setTimeout(resolve, 10));
      process.kill(Number(readFileSync(join(folder, 'pid.log'), 'utf8')), 'SIGKILL');
      expect((await ending).signal).to.equal('SIGKILL');
      server.front.calm();
      expect(await server.names(bucket, 'statewarden-staging/')).to.deep.equal([]);
      await judge(folder, bucket, 'cut off');
    }));
});

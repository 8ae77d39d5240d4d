/** The contract of artifact stores on Cloud Storage, after the server and its front have shown that they keep the conditions that it is built on. */

import { expect } from 'chai';
import type { ArtifactsFixture } from 'statewarden/testing';
import { describeArtifacts } from 'statewarden/testing';
import { gcs, type GcsOptions } from 'statewarden/gcs';
import { describeGcs, GcsServer } from './gcs-server.js';

describeGcs('Cloud Storage', function () {
  // The server looks through all of a bucket at each call: thousands of objects take it a while.
  this.timeout(600_000);
  let server: GcsServer;
  before(async () => (server = await GcsServer.start()));
  after(() => server?.stop());

  describe('as its server keeps it', () => {
    const upload = (base: string, bucket: string, condition: string) =>
      fetch(`${base}/upload/storage/v1/b/${bucket}/o?uploadType=media&name=a&${condition}`, { method: 'POST', body: 'content' });
    const generationOf = async (bucket: string, name: string) => {
      const answer = await fetch(`${server.direct}/storage/v1/b/${bucket}/o/${name}`);
      return ((await answer.json()) as { generation: string }).generation;
    };

    it('refuses an upload over what is there with 412, by itself', async () => {
      const bucket = await server.bucket();
      expect((await upload(server.direct, bucket, 'ifGenerationMatch=0')).status).to.equal(200);
      expect((await upload(server.direct, bucket, 'ifGenerationMatch=0')).status).to.equal(412);
      expect((await upload(server.direct, bucket, `ifGenerationMatch=${await generationOf(bucket, 'a')}`)).status).to.equal(200);
    });

    it('deletes the generation that is asked for and no other, by itself', async () => {
      const bucket = await server.bucket();
      await upload(server.direct, bucket, '');
      const old = await generationOf(bucket, 'a');
      await upload(server.direct, bucket, '');
      const url = `${server.direct}/storage/v1/b/${bucket}/o/a?generation=`;
      expect((await fetch(`${url}${old}`, { method: 'DELETE' })).status).to.equal(404);
      expect((await fetch(`${url}${await generationOf(bucket, 'a')}`, { method: 'DELETE' })).status).to.equal(200);
    });

    it('refuses copies and deletions under a condition that does not hold with 412, by the front', async () => {
      const bucket = await server.bucket();
      await upload(server.direct, bucket, '');
      const generation = await generationOf(bucket, 'a');
      const copy = (condition: string) =>
        fetch(`${server.front.url}/storage/v1/b/${bucket}/o/a/rewriteTo/b/${bucket}/o/b?${condition}`, { method: 'POST' });
      expect((await copy('ifGenerationMatch=7')).status).to.equal(412);
      expect((await copy('ifGenerationMatch=0')).status).to.equal(200);
      expect((await copy('ifGenerationMatch=0')).status).to.equal(412);
      expect((await copy(`ifGenerationMatch=${await generationOf(bucket, 'b')}`)).status).to.equal(200);
      const removal = (condition: string) => fetch(`${server.front.url}/storage/v1/b/${bucket}/o/a?${condition}`, { method: 'DELETE' });
      expect((await removal('ifGenerationMatch=7')).status).to.equal(412);
      expect((await removal(`ifGenerationMatch=${generation}`)).status).to.equal(200);
    });

    it('lets one of many copies at once through', async () => {
      const bucket = await server.bucket();
      await upload(server.direct, bucket, '');
      const url = `${server.front.url}/storage/v1/b/${bucket}/o/a/rewriteTo/b/${bucket}/o/b?ifGenerationMatch=0`;
      const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(url, { method: 'POST' })));
      expect(answers.filter(({ status }) => status === 200)).to.have.lengthOf(1);
      expect(answers.filter(({ status }) => status === 412)).to.have.lengthOf(19);
    });
  });

  const fixture = (more: Partial<GcsOptions>): ArtifactsFixture => {
    let bucket: string | undefined;
    return {
      artifacts: {
        name: 'gcs()',
        capabilities: { durable: true },
        open: async (options) => {
          bucket ??= server.newName();
          await server.bucket(bucket);
          return gcs(server.options(bucket, more)).open(options);
        },
      },
      damage: async ({ id, bytes }, how) => {
        const name = `${more.prefix === undefined ? '' : `${more.prefix}/`}content/${id}`;
        const content = await server.content(bucket!, name);
        expect(content).to.have.lengthOf(bytes);
        if (how === 'change') content[Math.floor(bytes / 2)]! ^= 1;
        const changed =
          how === 'shorten' ? content.subarray(0, -1) : how === 'lengthen' ? Buffer.concat([content, Buffer.from('x')]) : content;
        await server.overwrite(bucket!, name, changed);
      },
      dispose: async () => {
        if (bucket === undefined) return;
        expect(
          await server.names(bucket, `${more.prefix === undefined ? '' : `${more.prefix}/`}statewarden-staging/`),
          'nothing is left over',
        ).to.deep.equal([]);
      },
    };
  };

  describeArtifacts('gcs()', () => fixture({}));
  // The thousands have no parts; the server is slow with them, and has been there above.
  const runner = {
    describe,
    it: Object.assign((title: string, test: () => Promise<void>) => void (title.includes('thousands') || it(title, test)), {
      skip: it.skip,
    }),
  };
  describeArtifacts('gcs() with a prefix, in parts', () => fixture({ prefix: 'agents/results', resumableBytes: 262_144 }), runner);
});

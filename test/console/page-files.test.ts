/** How the built page is served: what each file is, how long a browser may keep it, and nothing that is not in its folder. */

import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory, type Runtime } from 'statewarden';
import { PageFiles, pageFolder } from '#src/console/page-files.js';
import { ask } from './asking.js';
import { openFleet } from './fleet.js';
import { ownServer, type OwnServer } from './own-server.js';

const forever = 'public, max-age=31536000, immutable';

describe('the built page', () => {
  let around: string;
  let folder: string;
  let runtime: Runtime;
  let served: OwnServer;
  const file = (name: string, text = name): void => writeFileSync(join(folder, name), text);
  beforeEach(async () => {
    around = mkdtempSync(join(tmpdir(), 'statewarden-page-'));
    folder = join(around, 'page');
    mkdirSync(join(folder, 'assets'), { recursive: true });
    writeFileSync(join(around, 'secret.txt'), 'nobody is to see this');
    runtime = await openFleet(memory());
    served = await ownServer(runtime, { folder });
  });
  afterEach(async () => {
    await served.close();
    await runtime.close();
    rmSync(around, { recursive: true, force: true });
  });
  const build = (): void => {
    file('index.html', '<!doctype html>');
    file('assets/main-JQDCCWCP.js');
    file('assets/elk-dca3a19d9e.cjs');
    file('assets/page-FYAYPBYN.css');
    file('assets/icon-5534e3231c.svg', '<svg/>');
    file('assets/main-JQDCCWCP.js.map', '{}');
    file('plain-filename.js');
    file('notes.secret', 'no type of a page');
  };

  it('is what it is, for as long as its name says', async () => {
    build();
    for (const [path, type, cache] of [
      ['/', 'text/html; charset=utf-8', 'no-cache'],
      ['/index.html', 'text/html; charset=utf-8', 'no-cache'],
      ['/assets/main-JQDCCWCP.js', 'text/javascript; charset=utf-8', forever],
      ['/assets/elk-dca3a19d9e.cjs', 'text/javascript; charset=utf-8', forever],
      ['/assets/page-FYAYPBYN.css', 'text/css; charset=utf-8', forever],
      ['/assets/icon-5534e3231c.svg', 'image/svg+xml', forever],
      ['/assets/main-JQDCCWCP.js.map', 'application/json', forever],
      ['/plain-filename.js', 'text/javascript; charset=utf-8', 'no-cache'],
    ] as const) {
      const { status, headers, text } = await ask(served, path);
      expect([path, status, headers['content-type'], headers['cache-control']]).to.deep.equal([path, 200, type, cache]);
      expect(headers['x-content-type-options']).to.equal('nosniff');
      const head = await ask(served, path, { method: 'HEAD' });
      expect([head.status, head.headers['content-type'], head.headers['cache-control'], head.text]).to.deep.equal([200, type, cache, '']);
      expect(text).to.have.length.greaterThan(0);
    }
  });

  it('has nothing by other names: a file that is not there is none, another address leads to the page', async () => {
    build();
    for (const path of ['/assets/main-AAAAAAAA.js', '/favicon.ico', '/notes.secret', '/assets/index.html']) {
      const { status, headers, text } = await ask(served, path);
      expect([path, status, text, headers['cache-control']]).to.deep.equal([path, 404, 'not found\n', 'no-store']);
    }
    for (const path of ['/agents', '/agents/orders/o-1', '/assets', '//', '/%00', '/%E0%A4%A']) {
      const { status, headers } = await ask(served, path);
      expect([path, status, headers['location']]).to.deep.equal([path, 302, '/']);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'TRACE']) expect((await ask(served, '/', { method })).status, method).to.equal(404);
  });

  it('leads to no file outside of its folder', async () => {
    build();
    symlinkSync(join(around, 'secret.txt'), join(folder, 'link.txt'));
    symlinkSync(around, join(folder, 'up'), 'dir');
    for (const path of [
      '/../secret.txt',
      '/assets/../../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/..%5csecret.txt',
      '/..\\secret.txt',
      '/assets/%2e%2e%2f%2e%2e%2fsecret.txt',
      '/..%252fsecret.txt',
      '/....//secret.txt',
      `/${join(around, 'secret.txt')}`,
      `/%2f${join(around, 'secret.txt')}`,
      '/secret.txt%00.js',
      '/link.txt',
      '/up/secret.txt',
    ]) {
      const { status, text } = await ask(served, path);
      expect(status, path).to.be.oneOf([400, 404]);
      expect(text, path).not.to.contain('nobody');
    }
  });

  it('says that it has not been built, and is there when it has; built anew it is the new one', async () => {
    const none = await ask(served, '/');
    expect([none.status, none.headers['cache-control']]).to.deep.equal([503, 'no-store']);
    expect(none.text).to.contain('has not been built').and.contain('npm run build');
    build();
    expect((await ask(served, '/')).text).to.equal('<!doctype html>');
    rmSync(join(folder, 'assets/page-FYAYPBYN.css'));
    file('assets/main-BBBBBBBB.js', 'new');
    file('index.html', '<!doctype html><script src="assets/main-BBBBBBBB.js">');
    expect((await ask(served, '/')).text).to.contain('BBBBBBBB');
    expect(await ask(served, '/assets/main-BBBBBBBB.js')).to.include({ status: 200, text: 'new' });
    expect((await ask(served, '/assets/page-FYAYPBYN.css')).status).to.equal(404);
  });

  it('opens no stream for who asks only whether there is one', async () => {
    const { status, headers } = await ask(served, '/api/stream?topics=counts', { method: 'HEAD' });
    expect([status, headers['content-type'], headers['cache-control']]).to.deep.equal([200, 'text/event-stream', 'no-store']);
    expect([served.clients.length, served.hub.size]).to.deep.equal([0, 0]);
  });

  it('in this build has names that say what is in them, but for index.html', function () {
    const page = new PageFiles(pageFolder);
    if (!page.isBuilt) this.skip();
    const html = Buffer.from(page.get('index.html')?.body ?? []).toString();
    expect(page.get('index.html')?.immutable).to.equal(false);
    const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name = '']) => name);
    expect(named).to.have.length(3);
    for (const name of named) expect(page.get(name), name).to.include({ immutable: true });
  });
});

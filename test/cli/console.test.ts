/** `statewarden console`: a store in the browser, read-only, without the code of its agents. */

import { expect } from 'chai';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type * as api from '#src/console/api.js';
import { ask, get } from '../console/asking.js';
import { parsed, statewarden } from './command-line.js';
import { runCommand } from './running-command.js';
import { emptyFolder, sampleStore, type SampleStore } from './sample-store.js';

describe('statewarden console', () => {
  let place: SampleStore;
  before(async () => (place = await sampleStore()));
  after(() => place.remove());

  it('shows a store until it is stopped', async () => {
    const running = runCommand(['console', 'agents.db', '--port', '0'], { cwd: place.folder });
    try {
      const [, port] = await running.says(/console {2}http:\/\/127\.0\.0\.1:(\d+)\/ {2}sqlite:agents\.db, read-only/);
      const at = { port: Number(port) };
      expect(await get<api.About>(at, '/api/about')).to.include({ store: 'sqlite:agents.db', live: false, acts: false });
      const { agents } = await get<api.AgentList>(at, '/api/agents');
      expect(agents.map(({ id, status }) => [id, status])).to.deep.equal([
        ['clerk', 'active'],
        ['orders/o-1', 'active'],
        ['orders/o-2', 'done'],
        ['orders/o-30', 'active'],
      ]);
      expect((await get<api.MachinePage>(at, '/api/machines/order')).chart?.root.states).to.have.length(3);
      const page = await ask(at, '/');
      expect([200, 503]).to.include(page.status);
      running.signal('SIGINT');
      expect(await running.ended).to.equal(0);
    } finally {
      await running.kill();
    }
  });

  it('says its address as JSON', async () => {
    const running = runCommand(['console', '--port', '0', '--json', '--store', place.path], { cwd: place.folder });
    try {
      await running.says(/\n}\n/);
      const said = parsed(running.stdout());
      expect(said).to.include({ acts: false, store: `sqlite:${place.path}` });
      expect(said['url']).to.equal(`http://127.0.0.1:${String(said['port'])}/`);
      running.signal('SIGTERM');
      expect(await running.ended).to.equal(0);
    } finally {
      await running.kill();
    }
  });

  it('says which port is in use, and that there is no store', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ran = await statewarden(['console', place.path, '--port', String(port)]);
    server.close();
    expect(ran.code).to.equal(1);
    expect(ran.stderr)
      .to.contain(`PORT_IN_USE: port ${String(port)} of 127.0.0.1 is in use`)
      .and.contain(`--port ${String(port + 1)}`);
    const empty = emptyFolder();
    try {
      const none = await statewarden(['console', join(empty.folder, 'none.db'), '--port', '0']);
      expect(none.code).to.equal(1);
      expect(none.stderr).to.contain('STORE_OPEN');
    } finally {
      empty.remove();
    }
    expect((await statewarden(['console', place.path, '--port', 'x'])).code).to.equal(2);
  });
});

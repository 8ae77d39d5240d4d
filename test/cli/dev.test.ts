/** `statewarden dev`: an app and its console, begun again when its files change, its agents going on; whatever ends it, nothing is left. */

import { expect } from 'chai';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findProgram } from '#src/cli/dev-program.js';
import type * as api from '#src/console/api.js';
import { ask, get } from '../console/asking.js';
import { until } from '../console/fleet.js';
import { statewarden } from './command-line.js';
import { freePort, isAlive, runCommand, type Running } from './running-command.js';
import { emptyFolder, type SampleStore } from './sample-store.js';

/** An app that counts how often it was begun. It knows nothing of the console, and listens to no signal. */
const app = (label: string): string => `
import { assign, setup } from 'xstate';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
const machine = setup({}).createMachine({
  id: 'counter',
  context: { begun: 0 },
  on: { BEGUN: { actions: assign({ begun: ({ context }) => context.begun + 1 }) } },
});
const runtime = await createRuntime({ store: sqlite('./agents.db'), agents: { counter: { machine, version: 1 } } });
const agent = await runtime.spawn('counter', { id: 'c-1' });
await agent.send({ type: 'BEGUN' });
const { context } = await agent.snapshot();
console.log('${label} ' + process.pid + ' begun ' + context.begun + ' ' + (process.env.STATEWARDEN_CONSOLE ?? 'unset') + ' ' + process.argv.slice(2).join(','));
setInterval(() => undefined, 1_000);
`;

describe('statewarden dev', () => {
  let place: SampleStore;
  let running: Running | undefined;
  const file = (name: string, text: string): string => {
    const path = join(place.folder, name);
    writeFileSync(path, text);
    return path;
  };
  beforeEach(() => {
    place = emptyFolder();
    file('package.json', '{ "type": "module" }');
    mkdirSync(join(place.folder, 'node_modules'));
    symlinkSync(process.cwd(), join(place.folder, 'node_modules', 'statewarden'), 'dir');
    symlinkSync(join(process.cwd(), 'node_modules', 'xstate'), join(place.folder, 'node_modules', 'xstate'), 'dir');
  });
  afterEach(async () => {
    await running?.kill();
    running = undefined;
    place.remove();
  });
  const begin = (...args: string[]): Running =>
    (running = runCommand(['dev', ...args], { cwd: place.folder, env: { TMPDIR: place.folder } }));

  it('begins an app again on a change; its agents go on, at the same address with the same token', async () => {
    file('app.js', app('first'));
    const dev = begin('app.js', '--port', '0', '--', '--verbose', 'x');
    const [, port = '', token = ''] = await dev.says(/console {2}http:\/\/127\.0\.0\.1:(\d+)\/#token=([\w-]+)/);
    const [, first = ''] = await dev.says(/first (\d+) begun 1 unset --verbose,x/);
    const at = { port: Number(port) };
    expect(await get<api.About>(at, '/api/about')).to.include({ live: true, acts: true });
    file('app.js', app('second'));
    await dev.says(/app\.js has changed/);
    await dev.says(/second \d+ begun 2 /);
    expect(isAlive(Number(first))).to.equal(false);
    await until('it is served again', async () => (await ask(at, '/api/about').catch(() => undefined))?.status === 200);
    const sent = await ask<api.Done>(at, '/api/agents/c-1/send', {
      method: 'POST',
      headers: {
        host: `127.0.0.1:${port}`,
        origin: `http://127.0.0.1:${port}`,
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
      },
      body: '{"event":{"type":"BEGUN"}}',
    });
    expect(sent.body).to.deep.include({ done: true });
    expect((await get<api.AgentDetail>(at, '/api/agents/c-1')).context?.value).to.deep.equal({ begun: 3 });
    expect(dev.stdout().match(/#token=/g)).to.have.length(1);
    expect(dev.stderr()).not.to.contain(token);
  });

  it('shows a crash, keeps the store on view meanwhile, and waits for the next change', async () => {
    file('app.js', app('first'));
    const dev = begin('app.js', '--port', '0');
    const [, port] = await dev.says(/console {2}http:\/\/127\.0\.0\.1:(\d+)/);
    const at = { port: Number(port) };
    await dev.says(/begun 1 /);
    file('app.js', "throw new Error('no such luck');");
    await dev.says(/no such luck/);
    await dev.says(/the app ended with code 1; a change begins it again/);
    await until('its store is on view', async () => {
      const answer = await ask<api.About>(at, '/api/about').catch(() => undefined);
      return answer?.body?.live === false;
    });
    expect((await get<api.AgentDetail>(at, '/api/agents/c-1')).context?.value).to.deep.equal({ begun: 1 });
    file('app.js', app('mended'));
    await dev.says(/mended \d+ begun 2 /);
    await until('it is live', async () => (await ask<api.About>(at, '/api/about').catch(() => undefined))?.body?.live === true);
  });

  it('begins it again when it is killed, its agents going on', async () => {
    file('app.js', app('first'));
    const dev = begin('app.js', '--port', '0');
    const [, first = ''] = await dev.says(/first (\d+) begun 1 /);
    process.kill(Number(first), 'SIGKILL');
    await dev.says(/the app was killed \(SIGKILL\); it is begun again in 0\.5 s/);
    await dev.says(/first \d+ begun 2 /);
  });

  it('ends in order on Ctrl-C, and leaves no process and no file', async () => {
    file('app.js', app('first'));
    const dev = (running = runCommand(['dev', 'app.js', '--port', '0'], { cwd: place.folder, env: { TMPDIR: place.folder } }));
    const [, child = ''] = await dev.says(/first (\d+) begun 1 /);
    const left = (): string[] => readdirSync(place.folder).filter((name) => name.startsWith('statewarden-dev-'));
    expect(left()).to.have.length(1);
    dev.signal('SIGINT');
    expect(await dev.ended).to.equal(0);
    expect(isAlive(Number(child))).to.equal(false);
    expect(left()).to.deep.equal([]);
    // Closed in good order: nobody holds the agent any more.
    const { stdout } = await statewarden(['show', 'c-1', place.path, '--json']);
    expect((JSON.parse(stdout) as { node: unknown }).node).to.equal(null);
  });

  it('takes its app with it when it is killed itself', async () => {
    file('app.js', app('first'));
    const dev = begin('app.js', '--port', '0');
    const [, child = ''] = await dev.says(/first (\d+) begun 1 /);
    await dev.kill();
    await until('the app is gone', () => !isAlive(Number(child)));
  });

  it('kills an app that does not end', async () => {
    file('app.js', `process.on('SIGTERM', () => undefined);\n${app('stubborn')}`);
    const dev = begin('app.js', '--port', '0');
    const [, child = ''] = await dev.says(/stubborn (\d+) begun 1 /);
    dev.signal('SIGTERM');
    expect(await dev.ended).to.equal(0);
    expect(isAlive(Number(child))).to.equal(false);
  });

  it('says which port is in use before anything is begun', async () => {
    file('app.js', app('first'));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ran = await statewarden(['dev', 'app.js', '--port', String(port)], { cwd: place.folder });
    server.close();
    expect([ran.code, ran.stdout]).to.deep.equal([1, '']);
    expect(ran.stderr)
      .to.contain(`port ${String(port)} of 127.0.0.1 is in use`)
      .and.contain('--port');
    expect(existsSync(place.path)).to.equal(false);
  });

  it('runs without a console, and tells its address as JSON with one', async () => {
    file('app.js', app('first'));
    const port = await freePort();
    const silent = begin('app.js', '--no-console', '--port', String(port));
    await silent.says(/first \d+ begun 1 /);
    expect(await ask({ port }, '/api/about').catch(() => 'none')).to.equal('none');
    await silent.kill();
    const dev = begin('app.js', '--port', '0', '--json');
    await dev.says(/begun 2 /);
    await dev.says(/\n}\n/);
    const said = JSON.parse(dev.stdout()) as Record<string, unknown>;
    expect(said['link']).to.equal(`${String(said['url'])}#token=${String(said['token'])}`);
  });

  it('refuses what it cannot run', async () => {
    for (const [word, text] of [
      ['nothing.js', 'there is no "nothing.js"'],
      ['package.json', 'is no program for Node'],
      ['.', 'nothing says what to run'],
    ] as const) {
      const { code, stderr } = await statewarden(['dev', word], { cwd: place.folder });
      expect([word, code]).to.deep.equal([word, 2]);
      expect(stderr).to.contain(text).and.contain('hint: ');
    }
  });

  describe('finds the program', () => {
    const found = (word: string, strips = false): string => findProgram(word, place.folder, strips).file.slice(place.folder.length + 1);

    it('of a folder by its package.json, or by its name', () => {
      mkdirSync(join(place.folder, 'src'));
      file('src/index.js', '');
      expect(found('.')).to.equal('src/index.js');
      file('main.mjs', '');
      expect(found('.')).to.equal('main.mjs');
      file('other.js', '');
      file('package.json', '{ "main": "./other.js" }');
      expect(found('.')).to.equal('other.js');
      file('package.json', '{ "main": "./other.js", "statewarden": { "dev": "./src/index.js" } }');
      expect(found('.')).to.equal('src/index.js');
      file('package.json', '{ "main": "./dist/app.js" }');
      expect(() => found('.')).to.throw(/which its package.json names, is not there/);
    });

    it('that the compiler has made, by the nearest tsconfig.json', () => {
      file('tsconfig.json', '{ // a comment\n "extends": "./base.json", "compilerOptions": { "outDir": "out", }, }');
      file('base.json', '{ "compilerOptions": { "rootDir": "src" } }');
      mkdirSync(join(place.folder, 'src/deep'), { recursive: true });
      file('src/deep/main.ts', '');
      expect(() => found('src/deep')).to.throw(/is TypeScript, which Node .* does not run, and it has not been compiled/);
      expect(found('src/deep', true)).to.equal('src/deep/main.ts');
      mkdirSync(join(place.folder, 'out/deep'), { recursive: true });
      file('out/deep/main.js', '');
      expect(found('src/deep', true)).to.equal('out/deep/main.js');
      expect(findProgram('src/deep', place.folder, false)).to.deep.include({
        folder: join(place.folder, 'out/deep'),
        compiledFrom: join(place.folder, 'src/deep/main.ts'),
      });
    });

    it('and runs TypeScript by tsx where the program has it', () => {
      mkdirSync(join(place.folder, 'node_modules/tsx'));
      file('node_modules/tsx/package.json', '{ "name": "tsx", "main": "./loader.cjs" }');
      const loader = file('node_modules/tsx/loader.cjs', '');
      file('app.ts', '');
      const { nodeArgs } = findProgram('app.ts', place.folder, false);
      expect(nodeArgs).to.deep.equal(['--import', pathToFileURL(loader).href]);
    });

    it('of the research team, from the repository', () => {
      const team = findProgram('examples/research-team', process.cwd(), false);
      expect(team.file).to.equal(join(process.cwd(), '.build/examples/research-team/main.js'));
    });
  });
});

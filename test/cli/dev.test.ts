/** `statewarden dev`: an app and its console, begun again when its files change, its agents going on; whatever ends it, nothing is left. */

import { expect } from 'chai';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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

  it('says where a syntax error is, and its agents wait', async () => {
    file('part.js', "export const label = 'whole';");
    file('app.js', `import { label } from './part.js';\n${app('first').replace("'first ", "label + ' ")}`);
    const dev = begin('app.js', '--port', '0');
    const [, port] = await dev.says(/console {2}http:\/\/127\.0\.0\.1:(\d+)/);
    await dev.says(/whole \d+ begun 1 /);
    file('part.js', "\nexport const label = 'half;\n");
    await dev.says(/part\.js:2\n.*'half;[^]*SyntaxError/);
    await dev.says(/the app ended with code 1; a change begins it again/);
    const at = { port: Number(port) };
    await until('its store is on view', async () => (await ask<api.About>(at, '/api/about').catch(() => undefined))?.body?.live === false);
    expect((await get<api.AgentDetail>(at, '/api/agents/c-1')).context?.value).to.deep.equal({ begun: 1 });
    file('part.js', "export const label = 'mended';");
    await dev.says(/mended \d+ begun 2 /);
  });

  it('keeps an encrypted store on view with its key, and says why it cannot show others', async () => {
    await statewarden(['keys', 'create', 'k.keys'], { cwd: place.folder });
    const ending = (store: string, imports: string): string =>
      `${imports}\n${app('first').replace("sqlite('./agents.db')", store)}\nprocess.exit(3);\n`;
    const sealing = "import { encrypted, keyFile } from 'statewarden/encryption';";
    file('sealed.js', ending("encrypted(sqlite('./agents.db'), { keys: keyFile('./k.keys') })", sealing));
    const opened = begin('sealed.js', '--port', '0', '--keys', 'k.keys');
    const [, port] = await opened.says(/console {2}http:\/\/127\.0\.0\.1:(\d+)/);
    const at = { port: Number(port) };
    await until('it is on view', async () => (await ask<api.About>(at, '/api/about').catch(() => undefined))?.body?.live === false);
    expect((await get<api.AgentDetail>(at, '/api/agents/c-1')).context?.value).to.deep.equal({ begun: 1 });
    await opened.kill();
    const locked = begin('sealed.js', '--port', '0');
    await locked.says(/no console meanwhile: sqlite:.* is encrypted, and no keys were given/);
    await locked.kill();
    file('gone.js', ending('memory()', "import { memory } from 'statewarden';"));
    await begin('gone.js', '--port', '0').says(/no console meanwhile: a store in memory is gone with its app/);
  });

  it('opens a browser when it is asked to, and says when there is none', async function () {
    if (process.platform === 'win32') this.skip();
    file('app.js', app('first'));
    mkdirSync(join(place.folder, 'bin'));
    const opener = (text: string): void => {
      for (const name of ['xdg-open', 'open']) writeFileSync(join(place.folder, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    };
    const opening = (command: string, ...args: string[]): Running =>
      (running = runCommand([command, ...args, '--port', '0', '--open'], { cwd: place.folder, env: { PATH: join(place.folder, 'bin') } }));
    opener('echo "$1" > opened');
    const dev = opening('dev', 'app.js');
    const [, link = ''] = await dev.says(/console {2}(\S+)/);
    await until(
      'it is opened',
      () => existsSync(join(place.folder, 'opened')) && readFileSync(join(place.folder, 'opened'), 'utf8') !== '',
    );
    expect(readFileSync(join(place.folder, 'opened'), 'utf8')).to.equal(`${link}\n`);
    await dev.kill();
    opener('exit 3');
    const failed = opening('console', place.path);
    await failed.says(/no browser could be opened \(\S+: it ended with code 3\); open the address yourself/);
    expect(await ask({ port: Number(new URL((await failed.says(/console {2}(\S+)/))[1] ?? '').port) }, '/api/about')).to.include({
      status: 200,
    });
    await failed.kill();
    rmSync(join(place.folder, 'bin'), { recursive: true });
    const none = opening('console', place.path);
    await none.says(/no browser could be opened \(\S+: there is none\)/);
    none.signal('SIGTERM');
    expect(await none.ended).to.equal(0);
  });

  it('runs TypeScript as it is where Node strips types', async function () {
    if (!('typescript' in process.features) || process.features.typescript === false) this.skip();
    file('label.ts', "export const label: string = 'typed';");
    file('app.ts', `import { label } from './label.ts';\n${app('first').replace("'first ", "label as string + ' ")}`);
    const dev = begin('app.ts', '--port', '0');
    await dev.says(/typed \d+ begun 1 /);
    file('label.ts', "export const label: string = 'half;");
    await dev.says(/label\.ts:1\n[^]*SyntaxError/);
    file('label.ts', "export const label: string = 'mended';");
    await dev.says(/mended \d+ begun 2 /);
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
      file('package.json', '{ "main": "index.js" }'); // as npm init writes it
      expect(found('.')).to.equal('main.mjs');
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

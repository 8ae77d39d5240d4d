#!/usr/bin/env node
/**
 * Checks what users get, not what lies here: packs the tarball, runs publint and attw on it, installs it beside `xstate` in a project of its
 * own, and there imports every entry, type-checks a small consumer, runs the command line, and looks for install scripts in everything
 * that came with it. Needs `npm run build` first, and the npm registry.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', '.bin', name);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'statewarden-package-'));
const run = (command, args, cwd = work) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const step = (what, work) => {
  const result = work();
  console.log(`ok  ${what}`);
  return result;
};

const consumer = `
import { activity, createRuntime, memory, type RuntimeEvent, type WakeTask } from 'statewarden';
import { files } from 'statewarden/artifacts';
import { adaptiveBreaker } from 'statewarden/breakers';
import { serveConsole, type ServedConsole } from 'statewarden/console';
import { cloudTasks } from 'statewarden/cloud-tasks';
import { gcs } from 'statewarden/gcs';
import { encrypted, hybrid, keyFile, makeHybridKey, type KeySource } from 'statewarden/encryption';
import { createGateway, memoryKeys, redisKeys, type KeyStore } from 'statewarden/gateway';
import { cloudLogging } from 'statewarden/logging';
import { openTelemetry } from 'statewarden/opentelemetry';
import { spanner } from 'statewarden/spanner';
import { sqlite } from 'statewarden/sqlite';
import { faultyStore } from 'statewarden/testing';
import { assign, setup } from 'xstate';

const double = activity({ name: 'double', run: async (input: { n: number }) => input.n * 2, breaker: adaptiveBreaker({ name: 'maths' }) });
const machine = setup({
  types: { input: {} as { n: number }, context: {} as { n: number }, events: {} as { type: 'GO' }, output: {} as number },
  actors: { double },
}).createMachine({
  context: ({ input }) => ({ n: input.n }),
  initial: 'waiting',
  states: {
    waiting: { on: { GO: 'doubling' } },
    doubling: {
      invoke: {
        src: 'double',
        input: ({ context }) => ({ n: context.n }),
        onDone: { target: 'end', actions: assign({ n: ({ event }) => event.output }) },
      },
    },
    end: { type: 'final' },
  },
  output: ({ context }) => context.n,
});
const artifacts = await files('./consumer-artifacts').open({ now: Date.now });
const report = new TextDecoder().decode(await artifacts.get(await artifacts.put('report')));
if (report !== 'report') throw new Error(report);
for (const store of [faultyStore(memory()), sqlite('./consumer.db')]) {
  await using runtime = await createRuntime({ store, agents: { doubler: { machine, version: 1 } } });
  runtime.events$.subscribe((event: RuntimeEvent) => event.type);
  const agent = await runtime.spawn('doubler', { id: 'd-1', input: { n: 21 } });
  await agent.send({ type: 'GO' });
  const served: ServedConsole = await serveConsole(runtime, { port: 0 });
  const about = (await (await fetch(served.url + 'api/about')).json()) as { live: boolean };
  if (!about.live) throw new Error('the console does not know its runtime');
  const output: number = await agent.result();
  if (output !== 42 || runtime.breakers.get('maths').state !== 'closed') throw new Error(String(output));
  // @ts-expect-error: not an event of this machine
  (): unknown => agent.send({ type: 'NO' });
}
const keys: KeyStore = redisKeys('redis://localhost');
const hint = await keys.open().catch((error: { hint: string }) => error.hint);
if (!String(hint).includes('npm install redis')) throw new Error(String(hint));
const quantum = await makeHybridKey().catch((error: { hint: string }) => error.hint);
if (!String(quantum).includes('npm install @noble/post-quantum')) throw new Error(String(quantum));
const source: KeySource = keyFile('./none.keys');
const locked = await encrypted(memory(), { keys: source }).open({ now: Date.now, lease: { name: 'n', ttlMs: 1_000 } }).catch((error: { code: string }) => error.code);
if (locked !== 'KEY_FILE' || typeof hybrid !== 'function') throw new Error(String(locked));
try {
  cloudLogging();
  throw new Error('pino is there');
} catch (error) {
  if (!String((error as { hint?: string }).hint).includes('npm install pino')) throw error;
}
const followed = await openTelemetry().open(() => undefined).catch((error: { hint: string }) => error.hint);
if (!String(followed).includes('npm install @opentelemetry/api')) throw new Error(String(followed));
const tasks = cloudTasks({ project: 'p', location: 'here', url: 'https://agents.example/wake' });
const call: WakeTask = { name: 'a-1', agentId: 'a', operationId: 'a:b:1', attempt: 2, at: 1, queue: 'q' };
const missing = await tasks.dispatch(call).catch((error: { hint: string }) => error.hint);
if (!String(missing).includes('npm install @google-cloud/tasks')) throw new Error(String(missing));
await tasks.close();
const remote = await gcs('gs://my-artifacts').open({ now: Date.now }).catch((error: { hint: string }) => error.hint);
if (!String(remote).includes('npm install @google-cloud/storage')) throw new Error(String(remote));
const far = spanner({ project: 'my-project', instance: 'main', database: 'agents' });
const lacking = await far.open({ now: Date.now }).catch((error: { hint: string }) => error.hint);
if (!String(lacking).includes('npm install @google-cloud/spanner')) throw new Error(String(lacking));
const gateway = createGateway({ upstream: 'http://127.0.0.1:9', store: memoryKeys() });
const { status } = await gateway.fetch(new Request('http://x/', { method: 'POST', headers: { 'idempotency-key': 'k' } }));
if (status !== 502) throw new Error(String(status));
await gateway.close();
`;

try {
  const [{ filename, files, unpackedSize }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], root),
  );
  const tarball = join(work, filename);
  console.log(`${filename}: ${files.length} files, ${Math.round(unpackedSize / 1024)} KiB unpacked`);
  step('the tarball has what it should and no more', () => {
    const stray = files
      .map(({ path }) => path)
      .filter(
        (path) =>
          !/^(dist\/|docs\/|docker\/|package\.json$|firestore\.indexes\.json$|README|LICENSE|CHANGELOG)|^$/.test(path) ||
          path.endsWith('.tsbuildinfo'),
      );
    if (stray.length > 0) throw new Error(`stray files: ${stray.join(', ')}`);
    const page = files.filter(({ path }) => path.startsWith('dist/console/page/')).map(({ path }) => path);
    if (!page.includes('dist/console/page/index.html') || page.length < 6)
      throw new Error(`of the console's page there is ${page.join(', ')}`);
  });
  step('publint', () => run(bin('publint'), [tarball, '--strict']));
  step('attw', () => run(bin('attw'), [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color']));

  const project = join(work, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const versions = manifest.devDependencies;
  step('npm install', () =>
    run(
      'npm',
      [
        'install',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        tarball,
        `xstate@${versions.xstate}`,
        `@types/node@${versions['@types/node']}`,
      ],
      project,
    ),
  );
  step('nothing that came with it has an install script', () => {
    const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'));
    const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript === true);
    if (scripted.length > 0) throw new Error(`install scripts in ${scripted.map(([path]) => path).join(', ')}`);
    const installed = JSON.parse(readFileSync(join(project, 'node_modules', manifest.name, 'package.json'), 'utf8'));
    const own = Object.keys(installed.scripts ?? {}).filter((name) => /^(pre|post)?(install|prepare)$/.test(name));
    if (own.length > 0) throw new Error(`the package itself has ${own.join(', ')}`);
  });
  const entries = Object.keys(manifest.exports).map((path) => manifest.name + path.slice(1));
  step(`imports: ${entries.join(', ')}`, () => {
    const lines = entries.map(
      (entry) => `await import(${JSON.stringify(entry)}${entry.endsWith('.json') ? ", { with: { type: 'json' } }" : ''});`,
    );
    writeFileSync(join(project, 'imports.mjs'), lines.join('\n'));
    run(process.execPath, ['--no-warnings', 'imports.mjs'], project);
  });
  step('a consumer compiles', () => {
    writeFileSync(join(project, 'consumer.ts'), consumer);
    // Declarations are checked too, so not with `exactOptionalPropertyTypes`, under which XState's own do not compile.
    const compilerOptions = { strict: true, target: 'ES2022', module: 'NodeNext', lib: ['ES2023', 'ESNext.Disposable'], types: ['node'] };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], project);
  });
  step('and runs, on both stores', () => run(process.execPath, ['consumer.js'], project));
  step('the command line reads what it wrote', () => {
    const { agents } = JSON.parse(
      run(join(project, 'node_modules', '.bin', 'statewarden'), ['ls', '--store', 'consumer.db', '--json'], project),
    );
    if (agents.length !== 1 || agents[0].status !== 'done') throw new Error(JSON.stringify(agents));
  });
} catch (error) {
  if (typeof error.stdout === 'string') process.stdout.write(error.stdout);
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

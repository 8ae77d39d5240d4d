/** What an import loads, looked at in a process of its own: the root entry loads no client of a cloud, and neither does a subpath before it is used. */

import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Says which modules were loaded: those of ECMAScript by a hook, those of CommonJS from its cache. */
const hooks = `
  import { appendFileSync } from 'node:fs';
  export async function load(url, context, next) {
    appendFileSync(process.env.LOADED, url + '\\n');
    return next(url, context);
  }
`;
const dataUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

/** `args`: what the process is called with. */
function loadedBy(entry: string, ...args: readonly string[]): string[] {
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`;
  const program = `
    import { createRequire } from 'node:module';
    import { appendFileSync } from 'node:fs';
    await import(${JSON.stringify(entry)});
    for (const path of Object.keys(createRequire(import.meta.url).cache)) appendFileSync(process.env.LOADED, path + '\\n');
  `;
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-entry-'));
  try {
    const list = join(folder, 'loaded');
    const { stderr, status } = spawnSync(
      process.execPath,
      ['--no-warnings', '--import', dataUrl(register), '--input-type=module', '--eval', program, '--', entry, ...args],
      { encoding: 'utf8', env: { ...process.env, LOADED: list } },
    );
    expect(status, stderr).to.equal(0);
    return readFileSync(list, 'utf8').split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const clients =
  /node_modules\/(@google-cloud|@google|@grpc|@firebase|google-auth-library|google-gax|gaxios|googleapis|firebase[^/]*|redis|@redis|ws|@opentelemetry|pino)\//;
const clientsLoadedBy = (entry: string): string[] => loadedBy(entry).filter((path) => clients.test(path));

describe('an import', function () {
  this.timeout(60_000);

  it('of the root entry loads no client of a cloud, and no relay for inspectors', () => {
    const loaded = loadedBy('statewarden');
    expect(loaded.filter((path) => path.endsWith('/dist/index.js'))).to.not.deep.equal([]);
    expect(loaded.filter((path) => path.includes('node_modules/xstate/'))).to.not.deep.equal([]);
    expect(loaded.filter((path) => clients.test(path))).to.deep.equal([]);
  });

  it('of the root entry loads no layout engine, which its picture would load', () => {
    const isEngine = (path: string): boolean => path.includes('node_modules/elkjs/');
    expect(loadedBy('statewarden').filter(isEngine)).to.deep.equal([]);
    expect(loadedBy('elkjs/lib/elk.bundled.js').filter(isEngine)).to.not.deep.equal([]);
  });

  it('of a subpath loads none before it is used', () => {
    for (const entry of [
      'statewarden/gcs',
      'statewarden/firestore',
      'statewarden/spanner',
      'statewarden/cloud-tasks',
      'statewarden/gateway',
      'statewarden/urls',
      'statewarden/opentelemetry',
      'statewarden/logging',
    ]) {
      expect(loadedBy(entry).join('\n')).to.include('/dist/');
      expect(clientsLoadedBy(entry), entry).to.deep.equal([]);
    }
  });

  it('of the command line loads what the command needs, and nothing of the others', () => {
    const main = join(process.cwd(), 'dist', 'cli', 'main.js');
    const others =
      /node_modules\/(hono|@hono|xstate|rxjs|elkjs)\/|\/dist\/(gateway|charts|supervisor|breakers)\/|\/dist\/console\/(?!port\.js)|\/cli\/commands\/(?![a-z-]+-words\.js)/;
    const loaded = loadedBy(main, '--help');
    expect(loaded.filter((path) => path.endsWith('/dist/cli/help.js'))).to.not.deep.equal([]);
    expect(loaded.filter((path) => others.test(path))).to.deep.equal([]);
    expect(loadedBy(main, 'gateway', '--help').filter((path) => others.test(path))).to.deep.equal([]);
  });

  it('of a client is seen here', () => {
    for (const entry of ['@google-cloud/storage', '@google-cloud/tasks', '@opentelemetry/api', 'pino'])
      expect(clientsLoadedBy(entry), entry).to.not.deep.equal([]);
  });
});

#!/usr/bin/env node
/**
 * Bundles the console's page into `dist/console/page/`, or the folder that is given: `index.html`, and beside it files named after their content.
 * ELK's layout, which is larger than all the rest, is a file of its own that a worker loads when the first chart is drawn.
 */
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src/console/page');
const target = resolve(process.argv[2] ?? join(root, 'dist/console/page'));

rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, 'assets'), { recursive: true });

/** Where it lies, from the page. */
function asset(name, extension, content) {
  const path = `assets/${name}-${createHash('sha256').update(content).digest('hex').slice(0, 10)}.${extension}`;
  writeFileSync(join(target, path), content);
  return path;
}

const elk = asset('elk', 'cjs', readFileSync(join(root, 'node_modules/elkjs/lib/elk-worker.min.js')));
const icon = asset('icon', 'svg', readFileSync(join(source, 'icon.svg')));

const { metafile } = await build({
  entryPoints: [join(source, 'main.tsx'), join(source, 'page.css')],
  outdir: join(target, 'assets'),
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  tsconfig: join(source, 'tsconfig.json'),
  define: { ELK_WORKER: JSON.stringify(elk) },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
});

const built = (entry) => {
  const [path] = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint?.endsWith(entry));
  return `assets/${basename(path)}`;
};
const html = readFileSync(join(source, 'index.html'), 'utf8')
  .replace('%SCRIPT%', built('main.tsx'))
  .replace('%STYLE%', built('page.css'))
  .replace('%ICON%', icon);
writeFileSync(join(target, 'index.html'), html);

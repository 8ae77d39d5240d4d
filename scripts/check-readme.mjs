#!/usr/bin/env node
/**
 * Type-checks the examples of the README and of the pages for users against the built package: each ```ts block is a module of its own, and a
 * block that opens with ```ts continued goes on where the one before ended. Needs `npm run build` first.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.build', 'readme');
const pages = [
  'README.md',
  'docs/supervision.md',
  'docs/fleets.md',
  'docs/budgets.md',
  'docs/breakers.md',
  'docs/retries.md',
  'docs/sagas.md',
  'docs/people.md',
  'docs/firestore.md',
  'docs/nodes.md',
  'docs/artifacts.md',
  'docs/gcs.md',
  'docs/tiers.md',
  'docs/moving.md',
  'docs/encryption.md',
  'docs/spanner.md',
  'docs/gateway.md',
  'docs/inspector.md',
  'docs/console.md',
  'docs/observability.md',
];

const blocks = [];
for (const page of pages) {
  const text = readFileSync(join(root, page), 'utf8');
  const found = [];
  for (const match of text.matchAll(/^```ts( continued)?\n([\s\S]*?)^```$/gm)) {
    const line = text.slice(0, match.index).split('\n').length;
    if (match[1] !== undefined && found.length > 0) found.at(-1).text += match[2];
    else found.push({ name: `${basename(page, '.md')}-line-${line}.ts`, text: match[2] });
  }
  if (found.length === 0) {
    console.error(`${page} has no \`\`\`ts block`);
    process.exit(1);
  }
  blocks.push(...found);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const { name, text } of blocks) writeFileSync(join(folder, name), `${text}\nexport {};\n`);
// Inside the package's own folder, `statewarden` means the package itself, through its `exports`.
writeFileSync(
  join(folder, 'tsconfig.json'),
  JSON.stringify({
    extends: '../../tsconfig.base.json',
    compilerOptions: { noEmit: true, composite: false, declaration: false, noUnusedLocals: false, types: ['node'] },
    include: ['*.ts'],
  }),
);
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', folder], { stdio: 'inherit' });
console.log(
  `${pages.join(', ')}: ${blocks.length} example${blocks.length === 1 ? '' : 's'} ${status === 0 ? 'compile' : 'do not compile (the number in a file name is its line)'}`,
);
process.exitCode = status ?? 1;

#!/usr/bin/env node
/**
 * Type-checks the README's examples against the built package: each ```ts block is a module of its own, and a block that opens with
 * ```ts continued goes on where the one before ended. Needs `npm run build` first.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.build', 'readme');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

const blocks = [];
for (const match of readme.matchAll(/^```ts( continued)?\n([\s\S]*?)^```$/gm)) {
  const line = readme.slice(0, match.index).split('\n').length;
  if (match[1] !== undefined && blocks.length > 0) blocks.at(-1).text += match[2];
  else blocks.push({ line, text: match[2] });
}
if (blocks.length === 0) {
  console.error('README.md has no ```ts block');
  process.exit(1);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const { line, text } of blocks) writeFileSync(join(folder, `line-${line}.ts`), `${text}\nexport {};\n`);
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
  `README.md: ${blocks.length} example${blocks.length === 1 ? '' : 's'} ${status === 0 ? 'compile' : 'do not compile (the number in a file name is its line)'}`,
);
process.exitCode = status ?? 1;

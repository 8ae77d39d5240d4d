#!/usr/bin/env node
/**
 * Lists the failpoints of the library: name, where it is passed, and which tests name it. Fails when a name is not a literal, is used
 * twice, or no test mentions it: a failpoint that nothing arms proves nothing.
 *
 *     node scripts/failpoints.mjs [--json]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function sources(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ path: join(folder, name), text: readFileSync(join(root, folder, name), 'utf8') }));
}

const tests = sources('test');
const faults = [];
const failpoints = new Map();
for (const { path, text } of sources('src')) {
  if (path === join('src', 'core', 'failpoint.ts')) continue;
  for (const match of text.matchAll(/\bfailpoint\(([^)]*)\)/g)) {
    const where = `${relative('.', path)}:${text.slice(0, match.index).split('\n').length}`;
    const name = /^'([a-z-]+:[a-z-]+)'$/.exec(match[1])?.[1];
    if (name === undefined) faults.push(`${where}: failpoint(${match[1]}) is not a literal 'area:place'`);
    else if (failpoints.has(name)) faults.push(`${where}: '${name}' is passed at ${failpoints.get(name).where} too`);
    else failpoints.set(name, { where, tests: tests.filter((test) => test.text.includes(name)).map((test) => test.path) });
  }
}
for (const [name, { where, tests: hits }] of failpoints) {
  if (hits.length === 0) faults.push(`${where}: no test mentions '${name}'`);
}

const list = [...failpoints].map(([name, rest]) => ({ name, ...rest })).sort((a, b) => (a.name < b.name ? -1 : 1));
if (process.argv.includes('--json')) console.log(JSON.stringify({ failpoints: list, faults }, null, 2));
else {
  for (const { name, where, tests: hits } of list) console.log(`${name.padEnd(24)} ${where.padEnd(48)} ${hits.join(' ')}`);
  for (const fault of faults) console.error(fault);
}
process.exitCode = faults.length === 0 ? 0 : 1;

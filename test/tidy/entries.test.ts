/** What an entry of the package loads before anybody has called it: no cloud SDK, from the root or from any other. */

import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const clouds = /^(@google-cloud\/|@google\/|google-gax|firebase)/;

/** Packages that are loaded with a source file, and by which file. */
function loadedWith(entry: string): Map<string, string> {
  const packages = new Map<string, string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path) || !existsSync(path)) return;
    seen.add(path);
    const text = readFileSync(path, 'utf8').replace(/^(import|export) type [^;]*;/gm, '');
    for (const [, name = ''] of text.matchAll(/^(?:import|export|\} from)\b[^;(]*?'([^']+)';/gms)) {
      if (name.startsWith('.')) visit(normalize(join(dirname(path), name)).replace(/\.js$/, '.ts'));
      else packages.set(name, path);
    }
  };
  visit(entry);
  return packages;
}

describe('the entries of the package', () => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    readonly exports: Record<string, { readonly default?: string }>;
  };
  const entries = Object.entries(exports).flatMap(([name, { default: built }]) =>
    built === undefined ? [] : [[name, built.replace('./dist/', 'src/').replace(/\.js$/, '.ts')] as const],
  );

  for (const [name, source] of [...entries, ['the command line', 'src/cli/main.ts'] as const]) {
    it(`load no cloud SDK: ${name}`, () => {
      const packages = loadedWith(source);
      expect(packages.size, 'packages that were found').to.be.greaterThan(0);
      expect([...packages.keys()].filter((found) => clouds.test(found))).to.deep.equal([]);
    });
  }
});

/**
 * The rules of the house, tried on the source itself: who may import whom, no circles, a head comment for each file, files of a size that
 * one can read. What eslint can say (no `export *`, no global clock) it says.
 */

import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** A folder imports only from folders in lines above its own, and from itself. */
const storeys: readonly (readonly string[])[] = [
  ['core'],
  ['persistence'],
  ['breakers'],
  ['actors'],
  ['effects'],
  ['coordination'],
  ['supervisor'],
  ['observability', 'charts'],
  ['runtime'],
  ['gateway', 'cloud-tasks', 'console'],
  ['cli', 'testing', 'index'],
];
/** `persistence` is above nothing that knows machines; the edges may use the runtime, never one another. */
const heightOf = (folder: string): number => storeys.findIndex((storey) => storey.includes(folder));

/** Longest file, and those that are longer still: they may shrink, never grow. */
const longest = 400;
const allowances: Readonly<Record<string, number>> = {
  'actors/agent.ts': 887,
  'actors/seam.ts': 505,
  'persistence/sqlite/database.ts': 470,
  'runtime/node.ts': 506,
};

interface Source {
  /** From `src/` on. */
  readonly path: string;
  readonly text: string;
  /** Source files it imports. */
  readonly imports: readonly string[];
  /** Those that are loaded at run time: `import type` leaves nothing behind. */
  readonly loads: readonly string[];
}

/** `.tsx` is what the console's page is written in. */
function sourceOf(root: string, imported: string): string {
  const typed = imported.replace(/\.js$/, '.ts');
  return existsSync(join(root, `${typed}x`)) ? `${typed}x` : typed;
}

function read(): Source[] {
  const root = 'src';
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const found = (source: string): string[] =>
        [...source.matchAll(/(?:\bfrom|\bimport|\bimport\(|new URL\()\s*'(\.[^']+)'/g)].map((match) =>
          sourceOf(root, normalize(join(dirname(path), match[1] as string))),
        );
      return { path, text, imports: found(text), loads: found(text.replace(/^(import|export) type [^;]*;/gm, '')) };
    });
}

/** `runtime.ts` and `runtime/` are one storey, `index.ts` is the public face. */
const folderOf = (path: string): string => (path.split('/')[0] as string).replace(/\.ts$/, '');

describe('the source', () => {
  const sources = read();

  it('imports only from the storeys below', () => {
    const faults = sources.flatMap(({ path, imports }) =>
      imports
        .filter((other) => folderOf(other) !== folderOf(path) && heightOf(folderOf(other)) >= heightOf(folderOf(path)))
        .map((other) => `${path} imports ${other}`),
    );
    expect(faults).to.deep.equal([]);
  });

  it('has no file outside the house', () => {
    expect(sources.filter(({ path }) => heightOf(folderOf(path)) < 0).map(({ path }) => path)).to.deep.equal([]);
  });

  it('loads nothing in a circle', () => {
    expect(circles(sources)).to.deep.equal([]);
  });

  it('opens each file with a head comment', () => {
    const bare = sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*[\s\S]{20,}?\*\/\n/.test(text)).map(({ path }) => path);
    expect(bare).to.deep.equal([]);
  });

  it(`keeps files to ${String(longest)} lines`, () => {
    const long = sources
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ path, lines }) => lines > (allowances[path] ?? longest))
      .map(({ path, lines }) => `${path} has ${String(lines)}`);
    expect(long).to.deep.equal([]);
  });

  it('names files in kebab-case and after one noun', () => {
    const misnamed = sources
      .map(({ path }) => path)
      .filter((path) => !/^([a-z0-9-]+\/)*[a-z0-9-]+\.tsx?$/.test(path) || /(^|\/)(utils?|helpers?|types|common|misc)\.tsx?$/.test(path));
    expect(misnamed).to.deep.equal([]);
  });

  it('exports names, never everything', () => {
    expect(sources.filter(({ text }) => /^export \*/m.test(text)).map(({ path }) => path)).to.deep.equal([]);
  });
});

/** Each circle once, as `a → b → a`. Two files that name each other's types are no circle: neither loads the other for them. */
function circles(sources: readonly Source[]): string[] {
  const loads = new Map(sources.map((source) => [source.path, source.loads]));
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      found.push([...trail.slice(start), path].join(' → '));
      return;
    }
    if (finished.has(path)) return;
    for (const other of loads.get(path) ?? []) visit(other, [...trail, path]);
    finished.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return found;
}

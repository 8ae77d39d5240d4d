/**
 * From what was typed after `statewarden dev` to what Node runs. A file is run as it is. A folder names its program in its package.json (`"statewarden": { "dev": "./src/app.ts" }`, else `main`), or has a `main` or
 * `index`. TypeScript is run by `tsx` where the program has it; else what the compiler has made of it is run, found by `outDir` and `rootDir` of the nearest tsconfig.json; else by Node, where it strips types itself.
 */

import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from './usage-error.js';

export interface Program {
  /** What is run. */
  readonly file: string;
  /** Arguments for Node before it. */
  readonly nodeArgs: readonly string[];
  /** Folder whose programs are watched. */
  readonly folder: string;
  /** The source that `file` was compiled from. */
  readonly compiledFrom?: string;
}

const scripts = ['.js', '.mjs', '.cjs'];
const typed = ['.ts', '.mts', '.cts', '.tsx'];
const compiledAs: Readonly<Record<string, string>> = { '.ts': '.js', '.tsx': '.js', '.mts': '.mjs', '.cts': '.cjs' };

/** `stripsTypes`: this Node runs TypeScript itself. @throws UsageError */
export function findProgram(word: string, cwd: string, stripsTypes: boolean): Program {
  const path = resolve(cwd, word);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new UsageError(`there is no ${JSON.stringify(word)}`, 'Give the file of a program, or its folder: statewarden dev src/main.ts.');
  const entry = stat.isDirectory() ? entryOf(path, word) : path;
  const folder = stat.isDirectory() ? path : dirname(path);
  const extension = extname(entry);
  if (scripts.includes(extension)) return { file: entry, nodeArgs: [], folder };
  if (!typed.includes(extension))
    throw new UsageError(`${JSON.stringify(word)} is no program for Node`, 'Give a .js, .mjs, .cjs or .ts file.');
  const tsx = tsxFor(entry);
  if (tsx !== undefined) return { file: entry, nodeArgs: ['--import', tsx], folder };
  const compiled = compiledOf(entry);
  if (compiled !== undefined) {
    const at = stat.isDirectory() ? resolve(dirname(compiled), relative(dirname(entry), path)) : dirname(compiled);
    return { file: compiled, nodeArgs: [], folder: at, compiledFrom: entry };
  }
  if (stripsTypes) return { file: entry, nodeArgs: [], folder };
  throw new UsageError(
    `${JSON.stringify(relative(cwd, entry))} is TypeScript, which Node ${process.versions.node} does not run, and it has not been compiled`,
    'Compile it (tsc), or install tsx beside it: npm install --save-dev tsx. Node 22.18 and later run it as it is.',
  );
}

/** @throws UsageError */
function entryOf(folder: string, word: string): string {
  const manifest = jsonOf(join(folder, 'package.json'));
  const own = (manifest?.['statewarden'] as { readonly dev?: unknown } | undefined)?.dev;
  for (const named of [own, manifest?.['main']]) {
    if (typeof named !== 'string') continue;
    const file = join(folder, named);
    if (isFile(file)) return file;
    const source = typed.map((extension) => file.replace(/\.[cm]?js$/, extension)).find(isFile);
    if (source !== undefined) return source;
    // `npm init` names this one, whether it is there or not.
    if (named === 'index.js' && named !== own) continue;
    throw new UsageError(
      `${JSON.stringify(join(word, named))}, which its package.json names, is not there`,
      'Compile it, or correct package.json.',
    );
  }
  const names = ['main', 'index', join('src', 'main'), join('src', 'index')];
  const found = names.flatMap((name) => [...typed, ...scripts].map((extension) => join(folder, `${name}${extension}`))).find(isFile);
  if (found !== undefined) return found;
  throw new UsageError(
    `nothing says what to run in ${JSON.stringify(word)}`,
    'Give the file, or name it in package.json: "statewarden": { "dev": "./src/app.ts" }.',
  );
}

/** URL of tsx, when the program can load it. */
function tsxFor(entry: string): string | undefined {
  try {
    return pathToFileURL(createRequire(entry).resolve('tsx')).href;
  } catch {
    return undefined;
  }
}

function compiledOf(entry: string): string | undefined {
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    const options = compilerOptions(join(folder, 'tsconfig.json'), 0);
    const { outDir, rootDir } = options ?? {};
    if (outDir !== undefined) {
      const roots = rootDir === undefined ? [folder, join(folder, 'src')] : [rootDir];
      for (const root of roots) {
        const inside = relative(root, entry);
        if (inside.startsWith('..')) continue;
        const made = join(outDir, inside).replace(/\.[cm]?tsx?$/, (extension) => compiledAs[extension] ?? '.js');
        if (isFile(made)) return made;
      }
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** Whole paths; of a tsconfig.json and what it extends by a path. */
function compilerOptions(path: string, depth: number): { readonly outDir?: string; readonly rootDir?: string } | undefined {
  const config = depth > 5 ? undefined : jsonOf(path);
  if (config === undefined) return undefined;
  const above = config['extends'];
  const inherited =
    typeof above === 'string' && above.startsWith('.') ? compilerOptions(resolve(dirname(path), above), depth + 1) : undefined;
  const own = (config['compilerOptions'] ?? {}) as { readonly outDir?: unknown; readonly rootDir?: unknown };
  const at = (value: unknown): string | undefined => (typeof value === 'string' ? resolve(dirname(path), value) : undefined);
  const [outDir, rootDir] = [at(own.outDir) ?? inherited?.outDir, at(own.rootDir) ?? inherited?.rootDir];
  return { ...(outDir === undefined ? {} : { outDir }), ...(rootDir === undefined ? {} : { rootDir }) };
}

/** With comments and trailing commas, as the compiler allows them. */
function jsonOf(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    const plain = text
      .replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, quoted: string | undefined) => quoted ?? '')
      .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, quoted: string | undefined) => quoted ?? '');
    return JSON.parse(plain) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** For people. */
export function shortPath(path: string, cwd: string): string {
  const inside = relative(cwd, path);
  return inside === '' ? '.' : inside.startsWith(`..${sep}..`) ? path : inside;
}

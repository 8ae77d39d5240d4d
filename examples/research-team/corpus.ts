/**
 * The documents: any folder of text or Markdown, or the READMEs of the installed packages. `survey` lists them once, in a fixed order with a
 * hash of each; the listing is recorded, so that a run resumed later works on the same documents and notices one that changed.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { TerminalError } from 'statewarden';
import { compareText, type Listing, type SourceFile } from './findings.js';
import type { Document } from './model/language-model.js';

export interface CorpusSource {
  readonly root: string;
  /** `folder`: everything readable under `root`. `packages`: the README of each package in `root`. */
  readonly kind: 'folder' | 'packages';
  /** What citations begin with. */
  readonly label: string;
}

/** A folder or file that cannot be used; `hint` says what to do instead. */
export class CorpusError extends Error {
  override readonly name = 'CorpusError';
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

const limits = { files: 500, fileBytes: 262_144, totalBytes: 8_388_608 };
const readable = /\.(?:md|markdown|mdx|txt|text|rst|adoc|org)$/i;
const readme = /^readme(?:\.(?:md|markdown|txt))?$/i;

/** @throws CorpusError when there is no such folder. */
export function folderSource(path: string, cwd: string): CorpusSource {
  const root = resolve(cwd, path);
  let folder: boolean;
  try {
    folder = statSync(root).isDirectory();
  } catch {
    throw new CorpusError(
      `there is no folder "${path}"`,
      'Name a folder of text or Markdown files, or none for the READMEs of the installed packages.',
    );
  }
  if (!folder) throw new CorpusError(`"${path}" is a file, not a folder`, `Name the folder around it: ${dirname(path)}`);
  const label = relative(cwd, root);
  const outside = label === '' || label.startsWith('..') || isAbsolute(label);
  return { root, kind: 'folder', label: outside ? basename(root) : label.split(sep).join('/') };
}

/** The nearest `node_modules`, from one of these folders upwards. @throws CorpusError when there is none. */
export function packagesSource(folders: readonly string[]): CorpusSource {
  for (const folder of folders) {
    for (let at = resolve(folder); ; at = dirname(at)) {
      const root = join(at, 'node_modules');
      if (statSync(root, { throwIfNoEntry: false })?.isDirectory() === true) return { root, kind: 'packages', label: 'node_modules' };
      if (at === dirname(at)) break;
    }
  }
  throw new CorpusError('there are no installed packages to read about', 'Run `npm ci` first, or name a folder: npm start -- ./docs');
}

/** Lists the documents, sorted by path. @throws CorpusError when none can be read. */
export function survey(source: CorpusSource): Listing {
  const files: SourceFile[] = [];
  const notes: string[] = [];
  const candidates = source.kind === 'packages' ? packageReadmes(source.root) : readableFiles(source.root, notes);
  let bytes = 0;
  for (const path of candidates) {
    if (files.length >= limits.files || bytes >= limits.totalBytes) {
      notes.push(
        `${String(candidates.length - candidates.indexOf(path))} further files left out: a run takes at most ${String(limits.files)} files and ${String(limits.totalBytes >> 20)} MiB`,
      );
      break;
    }
    const read = load(join(source.root, path));
    const cited = `${source.label}/${path}`;
    if (typeof read === 'string') {
      notes.push(`\`${cited}\` left out: ${read}`);
      continue;
    }
    if (read.truncated) notes.push(`\`${cited}\` is large: only its first ${String(limits.fileBytes >> 10)} KiB were read`);
    bytes += read.bytes;
    files.push({ path: cited, sha256: read.sha256, lines: read.lines.length, truncated: read.truncated });
  }
  if (files.length === 0) {
    const found = notes.length === 0 ? 'it has no .md, .txt, .rst, .adoc or .org file' : notes.join('; ');
    throw new CorpusError(
      `nothing to read in "${source.root}": ${found}`,
      'Name a folder with text or Markdown files: npm start -- ./docs',
    );
  }
  return { files, notes: notes.sort(compareText) };
}

/** A document as it was surveyed. @throws TerminalError when it is gone or has changed since: its quotes could not be trusted. */
export function readDocument(source: CorpusSource, file: SourceFile): Document {
  const read = load(join(source.root, file.path.slice(source.label.length + 1)));
  if (typeof read === 'string') throw new TerminalError(`${file.path} can no longer be read: ${read}`);
  if (read.sha256 !== file.sha256) throw new TerminalError(`${file.path} has changed since the run began`);
  return { path: file.path, lines: read.lines };
}

function packageReadmes(root: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync(root)) {
    if (name.startsWith('.') || name.startsWith('@') || statSync(join(root, name), { throwIfNoEntry: false })?.isDirectory() !== true)
      continue;
    const file = readdirSync(join(root, name))
      .filter((entry) => readme.test(entry))
      .sort(compareText)[0];
    if (file !== undefined) found.push(`${name}/${file}`);
  }
  return found.sort(compareText);
}

function readableFiles(root: string, notes: string[]): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    let entries;
    try {
      entries = readdirSync(join(root, folder), { withFileTypes: true });
    } catch (error) {
      if (folder === '') throw new CorpusError(`cannot read "${root}": ${(error as Error).message}`, 'Check its permissions.');
      notes.push(`\`${folder}\` left out: no permission to read it`);
      return;
    }
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && (readable.test(entry.name) || readme.test(entry.name))) found.push(path);
    }
  };
  walk('');
  return found.sort(compareText);
}

interface Loaded {
  readonly lines: readonly string[];
  readonly sha256: string;
  readonly bytes: number;
  readonly truncated: boolean;
}

/** The text of a file, or why it cannot be had. */
function load(path: string): Loaded | string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'it is gone' : code === 'EACCES' ? 'no permission to read it' : String(code);
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const truncated = bytes.length > limits.fileBytes;
  let part = bytes.subarray(0, limits.fileBytes);
  if (truncated) part = part.subarray(0, part.lastIndexOf(10) + 1 || part.length);
  if (part.includes(0)) return 'it is binary';
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(part);
  } catch {
    return 'it is not UTF-8 text';
  }
  if (text.trim() === '') return 'it is empty';
  return { lines: text.split(/\r\n|\n|\r/), sha256, bytes: part.length, truncated };
}

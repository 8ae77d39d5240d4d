import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { TerminalError } from 'statewarden';
import { CorpusError, folderSource, packagesSource, readDocument, survey } from '../../../examples/research-team/corpus.js';

describe('a corpus', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'corpus-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const put = (path: string, text: string | Buffer): void => {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), text);
  };

  it('lists text and Markdown files below a folder, sorted, and nothing else', () => {
    put('b.md', 'two\nlines');
    put('a/z.txt', 'text');
    put('a/README', 'text');
    put('code.js', 'no');
    put('.hidden/x.md', 'no');
    put('node_modules/p/README.md', 'no');
    symlinkSync(dir, join(dir, 'loop'));
    const { files, notes } = survey(folderSource(dir, '/'));
    const label = dir.slice(1);
    expect(files.map(({ path, lines }) => [path, lines])).to.deep.equal([
      [`${label}/a/README`, 1],
      [`${label}/a/z.txt`, 1],
      [`${label}/b.md`, 2],
    ]);
    expect(notes).to.deep.equal([]);
  });

  it('cites a folder below the current one by its path, another one by its name', () => {
    mkdirSync(join(dir, 'docs/guide'), { recursive: true });
    expect(folderSource('docs/guide', dir).label).to.equal('docs/guide');
    expect(folderSource(dir, join(dir, 'docs')).label).to.equal(basename(dir));
    expect(folderSource('.', dir).label).to.equal(basename(dir));
  });

  it('leaves out binary, empty and foreign files and says so, and takes the beginning of a large one', () => {
    put('binary.md', Buffer.from([35, 0, 1]));
    put('empty.md', ' \n');
    put('latin.txt', Buffer.from([0xe9, 0x20, 0x61]));
    put('large.md', 'A line of the large file.\n'.repeat(20_000));
    const source = folderSource('.', dir);
    const { files, notes } = survey(source);
    expect(files).to.have.length(1);
    expect(files[0]).to.include({ truncated: true });
    expect(readDocument(source, files[0]!).lines.join('\n').length).to.be.at.most(262_144);
    expect(notes.map((note) => note.replaceAll(source.label, 'X'))).to.deep.equal([
      '`X/binary.md` left out: it is binary',
      '`X/empty.md` left out: it is empty',
      '`X/large.md` is large: only its first 256 KiB were read',
      '`X/latin.txt` left out: it is not UTF-8 text',
    ]);
  });

  it('takes the README of each package', () => {
    put('node_modules/b/readme.md', 'b');
    put('node_modules/a/README.md', 'a');
    put('node_modules/a/docs/README.md', 'no');
    put('node_modules/.bin/README.md', 'no');
    put('node_modules/c/index.js', 'no');
    mkdirSync(join(dir, 'deep/er'), { recursive: true });
    const { files } = survey(packagesSource([join(dir, 'deep/er')]));
    expect(files.map(({ path }) => path)).to.deep.equal(['node_modules/a/README.md', 'node_modules/b/readme.md']);
  });

  it('refuses what is no folder, or has nothing to read, with a hint', () => {
    put('file.md', 'x');
    put('sub/code.c', 'x');
    for (const attempt of [
      () => folderSource('missing', dir),
      () => folderSource('file.md', dir),
      () => survey(folderSource('sub', dir)),
      () => packagesSource(['/nowhere']),
    ]) {
      expect(attempt).to.throw(CorpusError).with.property('hint').that.is.a('string').and.not.empty;
    }
  });

  it('refuses a document that has changed or gone since it was surveyed', () => {
    put('a.md', 'one');
    put('b.md', 'two');
    const source = folderSource('.', dir);
    const { files } = survey(source);
    put('a.md', 'other');
    rmSync(join(dir, 'b.md'));
    for (const file of files) expect(() => readDocument(source, file)).to.throw(TerminalError, /changed|gone/);
  });

  it('goes on without a file it may not read', function () {
    if (process.getuid?.() === 0) this.skip(); // nothing is forbidden to root
    put('a.md', 'one');
    put('b.md', 'two');
    chmodSync(join(dir, 'a.md'), 0);
    expect(survey(folderSource('.', dir)).notes.join()).to.include('no permission');
  });
});

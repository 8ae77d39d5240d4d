/** The console's page as it is built: small enough, whole, and strict enough for the policy it is served under. */

import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

describe('the page of the console, built', () => {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-page-'));
  let names: readonly string[];
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');

  before(() => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/build-page.mjs', folder], { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is at most 60 KB, compressed, without the layout of charts', () => {
    const elk = names.filter((name) => /^assets\/elk-[0-9a-f]+\.cjs$/.test(name));
    expect(elk).to.have.lengthOf(1);
    const size = names.filter((name) => !elk.includes(name)).reduce((sum, name) => sum + gzipSync(text(name)).length, 0);
    expect(size).to.be.above(10_000).and.at.most(60_000);
  });

  it('names files that are there, after their content', () => {
    const named = [...text('index.html').matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] as string);
    expect(named).to.have.lengthOf(3);
    expect(names).to.include.members(named);
    for (const name of names.filter((one) => one !== 'index.html'))
      expect(name).to.match(/^assets\/[a-z]+-[0-9A-Za-z]{8,10}\.(c?js|css|svg)$/);
  });

  it('has no script and no style in its text, and names no other place', () => {
    const html = text('index.html');
    expect(html).not.to.match(/<style|<script(?![^>]*\bsrc=)|\bon[a-z]+=|\bstyle=/);
    for (const name of names.filter((one) => !one.includes('/elk-'))) {
      const places = [...text(name).matchAll(/\b(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"'`)]*/gi)].map(([place]) => place);
      expect(
        places.filter((place) => !place.startsWith('http://www.w3.org/')),
        name,
      ).to.deep.equal([]);
      expect(text(name), name).not.to.match(/\beval\(|new Function\(|@import|@font-face/);
    }
  });
});

import { expect } from 'chai';
import fc from 'fast-check';
import { isVerbatim, paragraphs, titleOf } from '../../../examples/research-team/text/passages.js';
import { stem, terms, words } from '../../../examples/research-team/text/tokens.js';

const document = `---
title: front matter is no prose
---
# The *Title*

First sentence here. Second one goes
over two lines, e.g. this one. \`Code. Still code.\` ends it!

\`\`\`js
const notProse = true;
\`\`\`

Setext heading
--------------

- an item that
  goes on. And again.
- [x] done

| a | b |
| - | - |
| x | y |

<div>
html is skipped
</div>

> quoted words
> on two lines.

    indented code

[ref]: http://example.com
`.split('\n');

describe('the passages of a document', () => {
  const sentences = paragraphs(document).flatMap((paragraph) => paragraph.sentences);

  it('are its sentences with their lines and headings', () => {
    expect(sentences.map(({ text, firstLine, lastLine, heading }) => [text, firstLine, lastLine, heading])).to.deep.equal([
      ['First sentence here.', 6, 6, 'The Title'],
      ['Second one goes over two lines, e.g. this one.', 6, 7, 'The Title'],
      ['`Code. Still code.` ends it!', 7, 7, 'The Title'],
      ['an item that goes on.', 16, 17, 'Setext heading'],
      ['And again.', 17, 17, 'Setext heading'],
      ['done', 18, 18, 'Setext heading'],
      ['quoted words on two lines.', 28, 29, 'Setext heading'],
    ]);
    expect(titleOf(document)).to.equal('The Title');
  });

  it('stand verbatim where they say', () => {
    for (const sentence of sentences) expect(isVerbatim(document, sentence), sentence.text).to.equal(true);
    expect(isVerbatim(document, { text: 'First sentence there.', firstLine: 6, lastLine: 6 })).to.equal(false);
    expect(isVerbatim(document, { text: 'First sentence here.', firstLine: 7, lastLine: 7 })).to.equal(false);
    expect(isVerbatim(document, { text: 'First sentence here.', firstLine: 6, lastLine: 600 })).to.equal(false);
    expect(isVerbatim(document, { text: ' ', firstLine: 6, lastLine: 6 })).to.equal(false);
  });

  it('stand verbatim where they say in any text', () => {
    const piece = fc.constantFrom(
      'Some words. ',
      'More',
      '\n',
      '\n\n',
      '- ',
      '> ',
      '# ',
      '`',
      '```\n',
      '  ',
      '!',
      '<b>',
      '|',
      '1. ',
      '语言。',
      '---',
      '* * ',
      '[x] ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const lines = pieces.join('').split('\n');
        for (const { sentences: found } of paragraphs(lines)) {
          for (const sentence of found) expect(isVerbatim(lines, sentence), JSON.stringify([lines, sentence])).to.equal(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('terms', () => {
  it('are lower-case words without stop words, plurals folded', () => {
    expect(terms('The Queries of his caches, and classes!')).to.deep.equal(['query', 'cache', 'class']);
    expect(['matches', 'branches', 'approaches', 'indexes', 'types'].map(stem)).to.deep.equal([
      'match',
      'branch',
      'approach',
      'index',
      'type',
    ]);
    expect(stem('status')).to.equal('status');
    expect(stem('glass')).to.equal('glass');
  });

  it('are pairs of characters where words are not spaced', () => {
    expect(words('日本語 text')).to.deep.equal(['日本', '本語', 'text']);
  });
});

/** How wide texts are taken to be, and where their lines end. */

import { expect } from 'chai';
import fc from 'fast-check';
import { estimatedWidth, wrap } from '#src/charts/text.js';

const width = (text: string): number => estimatedWidth(text, 10);

describe('the width of a text', () => {
  it('is that of its letters: East Asian ones and pictographs are wide, marks take no room', () => {
    expect(width('WWW')).to.be.above(width('iii') * 3);
    expect(width('日本')).to.equal(width('日') * 2);
    expect(width('日')).to.be.within(10, 13);
    expect(width('🚀')).to.equal(width('日'));
    expect(width('e\u0301')).to.equal(width('e'));
    expect(width('a\u200Db')).to.equal(width('ab'));
    expect(width('')).to.equal(0);
    expect(estimatedWidth('order', 20)).to.be.closeTo(2 * estimatedWidth('order', 10), 0.001);
    expect(estimatedWidth('order', 10, true)).to.be.above(width('order'));
  });
});

describe('a long text', () => {
  const lines = (text: string, most: number): string[] => wrap(text, most, width);

  it('ends its lines between words, and within one only where it must', () => {
    expect(lines('one two three', width('one two'))).to.deep.equal(['one two', 'three']);
    expect(lines('isEverythingInStock', width('isEverything'))).to.deep.equal(['isEverything', 'InStock']);
    expect(lines('order.payment.received', width('order.payment.'))).to.deep.equal(['order.payment.', 'received']);
    expect(lines('支払いが完了', width('支払い'))).to.deep.equal(['支払い', 'が完了']);
    expect(lines('x'.repeat(50), 40)).to.deep.equal(['x'.repeat(50)]);
    expect(lines('👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 12)).to.deep.equal(['👩‍👩‍👧‍👦', '👩‍👩‍👧‍👦']);
    expect(lines('  ', 10)).to.deep.equal([]);
  });

  it('loses nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.nat(300), (text, most) => {
        expect(lines(text, most).join('').replace(/\s/g, '')).to.equal(text.replace(/\s/g, ''));
      }),
    );
  });

  it('has lines that fit, unless one cannot be broken', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 12 }), (words) => {
        for (const line of lines(words.join(' '), 90)) expect(width(line)).to.be.at.most(90);
      }),
    );
  });
});

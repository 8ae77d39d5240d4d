import { expect } from 'chai';
import type { Findings, Quote, Report } from '../../../examples/research-team/findings.js';
import { render } from '../../../examples/research-team/report.js';

const quote = (path: string, firstLine: number, lastLine: number, text: string): Quote => ({
  path,
  firstLine,
  lastLine,
  text,
  heading: 'Use',
  score: 1,
});
const findings: Findings = {
  topic: { number: 1, title: 'Disk', question: 'What of the disk?' },
  quotes: [quote('a.md', 12, 12, 'The disk is slow.'), quote('a.md', 3, 4, 'A disk may be full.')],
  spare: 2,
  rejected: [{ quote: quote('b.md', 9, 9, `It ${'goes on and on '.repeat(20)}`), reason: 'cannot stand alone: it begins with “It”' }],
  rounds: 2,
  documentsRead: ['a.md', 'b.md'],
  passagesConsidered: 1_234,
  remark: 'nothing on “raid”',
  notes: ['`c.md` was not read: it has changed'],
};
const file = (path: string) => ({ path, sha256: 'abcdef0123456789', lines: 20, truncated: false });
const report: Report = {
  title: 'Findings from “docs”',
  question: 'What?',
  model: 'local',
  researchers: 1,
  corpus: { name: '“docs”', files: [file('a.md'), file('b.md'), file('c.md')], notes: ['`d.md` left out: it is empty'] },
  summary: ['**Disk**: “The disk is slow.” (`a.md:12`)'],
  sections: [{ findings, lead: 'Two passages from one file.' }],
};

describe('the report', () => {
  it('cites every quote, and tells what was rejected, read and left out', () => {
    const text = render(report);
    for (const part of [
      '# Findings from “docs”\n',
      '- “The disk is slow.” (`a.md:12`, under *Use*)',
      '- “A disk may be full.” (`a.md:3-4`, under *Use*)',
      'The critic accepted 2 further quotes, left out here.',
      'After 2 rounds the critic was still not content: nothing on “raid”.',
      'cannot stand alone',
      'weighed 1,234 passages and submitted 5 quotes',
      '- `a.md` (20 lines, sha256 abcdef012345): quoted at 3-4, 12',
      '- `b.md` (20 lines, sha256 abcdef012345): read, not quoted',
      '- 1 further document surveyed',
      '- `c.md` was not read: it has changed\n- `d.md` left out: it is empty\n',
    ]) {
      expect(text).to.include(part);
    }
    expect(text).not.to.match(/undefined|NaN|\n\n\n/);
  });

  it('says so when nothing was found or rejected', () => {
    const empty: Findings = { ...findings, quotes: [], rejected: [], remark: '', notes: [] };
    const text = render({ ...report, sections: [{ findings: empty, lead: 'No passage stood up to the critic.' }] });
    expect(text).to.include('No passage stood up').and.to.include('## What the critic rejected\n\nNothing.');
  });
});

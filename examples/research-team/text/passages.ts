/**
 * Markdown or plain text as sentences that know their lines, so that each can be cited and found again. Code, tables, HTML, badges,
 * front matter and link definitions are not prose and are left out.
 *
 * Invariant: for every sentence, `isVerbatim(lines, sentence)` holds: the text stands on those lines as it is, except for line breaks and the
 * list or quotation marks at the beginning of lines. It reads the common part of Markdown, not every corner of CommonMark.
 */

export interface Sentence {
  readonly text: string;
  /** From 1. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** The nearest heading above; empty before the first. */
  readonly heading: string;
}

export interface Paragraph {
  readonly heading: string;
  readonly sentences: readonly Sentence[];
}

interface Block {
  readonly heading: string;
  readonly rows: { readonly line: number; readonly text: string }[];
}

const lineMarks = /^\s*(?:>\s?)*\s*(?:(?:[-*+]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?)?/;
const listItem = /^\s*(?:>\s?)*\s*(?:[-*+]|\d{1,3}[.)])\s+\S/;
const abbreviation = /(?:\b(?:e\.g|i\.e|etc|vs|cf|mr|mrs|dr|no|fig|approx|resp|incl|a\.k\.a))\.$/i;

/** The prose of a document, in order. */
export function paragraphs(lines: readonly string[]): Paragraph[] {
  return blocks(lines).map((block) => ({ heading: block.heading, sentences: sentencesOf(block) }));
}

/** Whether the text stands on these lines of the document. */
export function isVerbatim(lines: readonly string[], quote: Pick<Sentence, 'text' | 'firstLine' | 'lastLine'>): boolean {
  if (quote.firstLine < 1 || quote.lastLine < quote.firstLine || quote.lastLine > lines.length) return false;
  const standing = lines.slice(quote.firstLine - 1, quote.lastLine).map((line) => line.replace(lineMarks, ''));
  return quote.text.trim() !== '' && squeeze(standing.join(' ')).includes(squeeze(quote.text));
}

/** The document's first heading as plain text; undefined when it has none. */
export function titleOf(lines: readonly string[]): string | undefined {
  const heading = lines.slice(0, 200).find((line) => /^#{1,6}\s+\S/.test(line));
  return heading === undefined ? undefined : plainHeading(heading.replace(/^#+\s+/, ''));
}

function blocks(lines: readonly string[]): Block[] {
  const found: Block[] = [];
  let heading = '';
  let open: Block | undefined;
  let fence: string | undefined;
  let skipping: 'html' | 'comment' | 'table' | undefined;
  let start = 0;
  if (lines[0]?.trim() === '---') start = Math.max(0, lines.indexOf('---', 1) + 1);
  const close = (): void => {
    if (open !== undefined && open.rows.length > 0) found.push(open);
    open = undefined;
  };
  for (let index = start; index < lines.length; index += 1) {
    const raw = lines[index] ?? '';
    const text = raw.trim();
    if (fence !== undefined) {
      if (text.startsWith(fence) && text.replaceAll(fence.charAt(0), '') === '') fence = undefined;
      continue;
    }
    if (skipping === 'comment') {
      if (text.includes('-->')) skipping = undefined;
      continue;
    }
    const fenced = /^(?:>\s?)*(`{3,}|~{3,})/.exec(text)?.[1];
    if (fenced !== undefined) {
      close();
      fence = fenced;
      continue;
    }
    if (text === '') {
      close();
      skipping = undefined;
      continue;
    }
    if (skipping !== undefined) continue;
    if (text.startsWith('<!--')) {
      close();
      if (!text.includes('-->')) skipping = 'comment';
      continue;
    }
    if (/^#{1,6}\s/.test(text)) {
      close();
      heading = plainHeading(text.replace(/^#+\s+/, ''));
      continue;
    }
    if (/^(?:=+|-{2,})$/.test(text) && open?.rows.length === 1) {
      heading = plainHeading(open.rows[0]?.text ?? '');
      open = undefined;
      continue;
    }
    if (/^<\/?[a-z]/i.test(text) && open === undefined) {
      skipping = 'html';
      continue;
    }
    if (text.startsWith('|') || /^:?-{3,}:?\s*\|/.test(text)) {
      open = undefined;
      skipping = 'table';
      continue;
    }
    if (isCode(raw, lines[index - 1], open) || /^\[[^\]]+\]:\s/.test(text) || /^([-*_]\s*){3,}$/.test(text)) {
      close();
      continue;
    }
    if (listItem.test(raw)) close();
    open ??= { heading, rows: [] };
    open.rows.push({ line: index + 1, text: squeeze(raw.replace(lineMarks, '')) });
  }
  close();
  return found;
}

/** An indented line after a blank one, outside a list. */
function isCode(raw: string, before: string | undefined, open: Block | undefined): boolean {
  return open === undefined && (before ?? '').trim() === '' && /^(?: {4}|\t)/.test(raw) && !listItem.test(raw);
}

function sentencesOf(block: Block): Sentence[] {
  const text = block.rows.map((row) => row.text).join(' ');
  const lineAt = (offset: number): number => {
    let end = 0;
    for (const row of block.rows) {
      end += row.text.length + 1;
      if (offset < end) return row.line;
    }
    return block.rows.at(-1)?.line ?? 1;
  };
  const found: Sentence[] = [];
  let start = 0;
  const take = (end: number): void => {
    const part = text.slice(start, end);
    const trimmed = part.trim();
    if (trimmed !== '') {
      const from = start + part.indexOf(trimmed);
      found.push({ text: trimmed, firstLine: lineAt(from), lastLine: lineAt(from + trimmed.length - 1), heading: block.heading });
    }
    start = end;
  };
  for (const match of text.matchAll(/[.!?]+["'”’)\]*_`]*(?=\s+[^\p{Ll}\s])|[。！？]+/gu)) {
    const end = match.index + match[0].length;
    const inCode = (text.slice(start, match.index).match(/`/g)?.length ?? 0) % 2 === 1;
    if (!abbreviation.test(text.slice(start, match.index + 1)) && !inCode) take(end);
  }
  take(text.length);
  return found;
}

function plainHeading(text: string): string {
  return squeeze(
    text
      .replace(/!\[[^\]]*\]\([^)]*\)/g, '')
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/<[^>]*>/g, '')
      .replace(/[#*_`~\\]+/g, ' '),
  );
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/**
 * How much room a text takes, and where its lines end. Widths are estimates for a sans serif font, on the generous side: a chart is laid out where
 * there is no font to ask. East Asian characters and pictographs are twice as wide as a digit, combining marks take no room. Nothing is ever cut:
 * a word that is longer than a line makes the line longer.
 */

/** Width in pixels of `text` in a font of `size` pixels. */
export type Measure = (text: string, size: number, bold?: boolean) => number;

/** Helvetica's, in thousandths of the size, by what is common to many letters. */
const widths = new Map<string, number>(
  (
    [
      [191, "'"],
      [230, 'ijl|'],
      [285, ' !,./:;I[\\]ft'],
      [345, '()-`r{}"'],
      [400, '*^'],
      [510, 'Jckszvxy'],
      [560, '#$?0123456789L_abdeghnopqu'],
      [590, '+<=>~'],
      [615, 'FTZ'],
      [670, '&ABEKPSVXY'],
      [725, 'CDHNRUw'],
      [780, 'GOQ'],
      [840, 'Mm'],
      [950, '%W'],
      [1020, '@'],
    ] as const
  ).flatMap(([width, letters]) => Array.from(letters).map((letter) => [letter, width] as const)),
);
/** Fonts differ: most that a browser takes for `sans-serif` are a little wider than Helvetica. */
const generosity = 1.1;
const boldness = 1.06;

const noRoom = /^(?:\p{M}|[\u200B-\u200F\u2060])$/u;
const wide =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE4F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]|\p{Extended_Pictographic}$/u;

/** The default measure. */
export const estimatedWidth: Measure = (text, size, bold = false) => {
  let thousandths = 0;
  for (const letter of text) thousandths += widths.get(letter) ?? (noRoom.test(letter) ? 0 : wide.test(letter) ? 1_020 : 640);
  return (thousandths / 1_000) * size * generosity * (bold ? boldness : 1);
};

/** Lines of at most `most` pixels where words allow it. Joined without their spaces they are the text without its spaces. */
export function wrap(text: string, most: number, widthOf: (text: string) => number): string[] {
  const lines: string[] = [];
  let line = '';
  const add = (piece: string, glue: string): void => {
    const longer = line === '' ? piece : `${line}${glue}${piece}`;
    if (line === '' || widthOf(longer) <= most) line = longer;
    else {
      lines.push(line);
      line = piece;
    }
  };
  for (const word of text.split(/\s+/).filter((word) => word !== '')) {
    if (widthOf(word) <= most) add(word, ' ');
    else for (const [index, piece] of piecesOf(word).entries()) add(piece, index === 0 ? ' ' : '');
  }
  return line === '' ? lines : [...lines, line];
}

/** Where a long word may end its line: behind punctuation, before a capital letter, between East Asian characters. */
function piecesOf(word: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  let before = '';
  for (const letter of word) {
    const breaks =
      piece !== '' &&
      !noRoom.test(letter) &&
      before !== '\u200D' &&
      (/[._/,:;-]/.test(before) || wide.test(before) || wide.test(letter) || (/\p{Ll}/u.test(before) && /\p{Lu}/u.test(letter)));
    if (breaks) {
      pieces.push(piece);
      piece = '';
    }
    piece += letter;
    if (!noRoom.test(letter) || letter === '\u200D') before = letter;
  }
  return piece === '' ? pieces : [...pieces, piece];
}

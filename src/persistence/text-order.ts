/**
 * Texts in order of code points, which is the order of their UTF-8 bytes: what databases sort by. JavaScript's own `<` compares UTF-16 units and puts what lies
 * above U+FFFF before U+E000. For well-formed texts only: UTF-8 has no lone surrogates.
 */

/** For `sort`. */
export function byCodePoint(one: string, other: string): number {
  const shorter = Math.min(one.length, other.length);
  for (let index = 0; index < shorter; index += 1) {
    const unit = one.charCodeAt(index);
    const otherUnit = other.charCodeAt(index);
    if (unit === otherUnit) continue;
    // Surrogates, of which code points above U+FFFF are made, come after all other units.
    return Number(isSurrogate(unit)) - Number(isSurrogate(otherUnit)) || unit - otherUnit;
  }
  return one.length - other.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

/** The first text after all that start with `prefix`; undefined when none is: every text is before its end. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}

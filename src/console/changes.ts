/** What differs between two values, as JSON pointers: members that came, went or changed. Whatever is alike is not looked into; very many differences end with the first few hundred. */

import { isDeepStrictEqual } from 'node:util';
import type { Change } from './api.js';
import { briefLimits, pointerOf, type Redactor } from './shown.js';

const most = 300;
const deepest = 12;

export function changesBetween(before: unknown, after: unknown, redactor: Redactor): readonly Change[] {
  const changes: Change[] = [];
  const show = (value: unknown, path: readonly string[]): unknown =>
    redactor.shown(value, { ...briefLimits, depth: path.length + 6 }, path).value;
  const visit = (one: unknown, other: unknown, path: readonly string[]): void => {
    if (changes.length >= most || isDeepStrictEqual(one, other)) return;
    const bothPlain = isPlain(one) && isPlain(other) && Array.isArray(one) === Array.isArray(other);
    if (!bothPlain || path.length >= deepest) {
      changes.push({ path: pointerOf(path), kind: 'changed', before: show(one, path), after: show(other, path) });
      return;
    }
    const names = new Set([...Object.keys(one), ...Object.keys(other)]);
    for (const name of names) {
      if (changes.length >= most) return;
      const inner = [...path, name];
      if (!Object.hasOwn(other, name)) changes.push({ path: pointerOf(inner), kind: 'removed', before: show(one[name], inner) });
      else if (!Object.hasOwn(one, name)) changes.push({ path: pointerOf(inner), kind: 'added', after: show(other[name], inner) });
      else visit(one[name], other[name], inner);
    }
  };
  visit(before, after, []);
  return changes;
}

/** An object or array without a class of its own. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}

/**
 * What of an agent's values goes to a page: plain JSON, with secrets left out by rule, and cut to a size that a page can draw. The walk ends when its budget is spent, so that ten megabytes of context cost no more than
 * what is shown of them. Rules look at names and at how a text looks; they are no proof that nothing secret is shown.
 */

import type { Shown } from './api.js';

export interface ShownLimits {
  /** Characters and values together. */
  readonly size: number;
  readonly depth: number;
  /** Members of one object or array. */
  readonly members: number;
  readonly text: number;
}

/** Says of a value, by its path, whether it is left out: true, false, or undefined for what the built-in rules say. */
export type RedactRule = (path: readonly string[], value: unknown) => boolean | undefined;

export const redacted = '…redacted';

/** Of a context, an event, an output. */
export const wholeLimits: ShownLimits = { size: 200_000, depth: 16, members: 500, text: 20_000 };
/** Of one among many. */
export const briefLimits: ShownLimits = { size: 4_000, depth: 6, members: 50, text: 1_000 };

const mostCuts = 200;

/** Whatever stands under such a name. */
const secretName =
  /pass(word|wd|phrase|code)|secret|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|signing[-_ ]?key|authorization|cookie|credential|bearer|^pin$|^cvv2?$|^auth$|session[-_ ]?id/i;
/** Texts under such a name: numbers of tokens are no secret. */
const tokenName = /token|jwt|signature/i;
/** Texts that look like one: what begins like a known key, a signed token, a private key; a password within a URL. */
const secretText =
  /^(Bearer|Basic)\s+\S{6,}|^(sk|pk|rk|ghp|gho|ghs|github_pat|xox[abprs]|AKIA|AIza|ya29)[-_.A-Za-z0-9]{12,}|^eyJ[\w-]+\.[\w-]+\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY/;
const passwordInUrl = /([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi;

export class Redactor {
  readonly #rule: RedactRule | undefined;

  constructor(rule?: RedactRule) {
    this.#rule = rule;
  }

  /** `path`: where the value stands, by names. */
  shown(value: unknown, limits: ShownLimits = wholeLimits, path: readonly string[] = []): Shown {
    const walk = new Walk(limits, this.#rule);
    const above = path.reduce<Secrecy>((secrecy, name) => strictest(secrecy, byName(name)), 'open');
    const made = walk.value(value, [...path], above);
    return walk.cut.length === 0 ? { value: made } : { value: made, cut: walk.cut.map((pointer) => pointer.slice(pointerOf(path).length)) };
  }

  /** A text for people, for example the message of an error. */
  text(text: string): string {
    return cleanText(text);
  }
}

type Secrecy = 'open' | 'texts' | 'all';

function byName(name: string): Secrecy {
  if (secretName.test(name)) return 'all';
  return tokenName.test(name) ? 'texts' : 'open';
}

function strictest(one: Secrecy, other: Secrecy): Secrecy {
  const order: readonly Secrecy[] = ['open', 'texts', 'all'];
  return order[Math.max(order.indexOf(one), order.indexOf(other))] as Secrecy;
}

function cleanText(text: string): string {
  return secretText.test(text.slice(0, 400)) ? redacted : text.includes('://') ? text.replace(passwordInUrl, `$1:${redacted}@`) : text;
}

/** JSON pointer. */
export function pointerOf(path: readonly string[]): string {
  return path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

class Walk {
  readonly cut: string[] = [];
  readonly #limits: ShownLimits;
  readonly #rule: RedactRule | undefined;
  readonly #around = new Set<object>();
  #left: number;

  constructor(limits: ShownLimits, rule: RedactRule | undefined) {
    this.#limits = limits;
    this.#rule = rule;
    this.#left = limits.size;
  }

  #cutAt(path: readonly string[]): void {
    if (this.cut.length < mostCuts) this.cut.push(pointerOf(path));
  }

  /** `secrecy`: of what stands around it. `path` is changed and put back. */
  value(value: unknown, path: string[], secrecy: Secrecy): unknown {
    this.#left -= 8;
    const said = this.#rule?.(path, value);
    if (said === true) return redacted;
    const own = said === false ? 'open' : secrecy;
    switch (typeof value) {
      case 'string':
        return own !== 'open' && value !== ''
          ? redacted
          : this.#text(said === false ? value : cleanText(value.slice(0, this.#limits.text + 1)), path);
      case 'number':
        return own === 'all' ? redacted : Number.isFinite(value) ? value : String(value);
      case 'bigint':
        return own === 'all' ? redacted : String(value);
      case 'object':
        return value === null ? null : this.#object(value, path, own);
      case 'boolean':
      case 'undefined':
        return value;
      default:
        return `(${typeof value})`;
    }
  }

  #text(text: string, path: readonly string[]): string {
    const most = Math.min(this.#limits.text, Math.max(0, this.#left));
    this.#left -= Math.min(text.length, most);
    if (text.length <= most) return text;
    this.#cutAt(path);
    return `${text.slice(0, most)}…`;
  }

  #object(value: object, path: string[], secrecy: Secrecy): unknown {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof URL) return this.#text(secrecy === 'open' ? cleanText(value.href) : redacted, path);
    if (value instanceof RegExp) return String(value);
    if (value instanceof Uint8Array) return secrecy === 'open' ? `(${String(value.byteLength)} bytes)` : redacted;
    if (this.#around.has(value)) return '(refers to what is around it)';
    if (path.length >= this.#limits.depth || this.#left <= 0) {
      this.#cutAt(path);
      return '…';
    }
    this.#around.add(value);
    try {
      if (Array.isArray(value)) return this.#list(value, value.length, path, secrecy);
      if (value instanceof Set) return this.#list(value, value.size, path, secrecy);
      if (value instanceof Map) return this.#map(value, path, secrecy);
      if (value instanceof Error) return this.#error(value, path, secrecy);
      return this.#members(membersOf(value), path, secrecy);
    } finally {
      this.#around.delete(value);
    }
  }

  #list(items: Iterable<unknown>, length: number, path: string[], secrecy: Secrecy): unknown[] {
    const made: unknown[] = [];
    for (const item of items) {
      if (made.length >= this.#limits.members || this.#left <= 0) break;
      path.push(String(made.length));
      made.push(this.value(item, path, secrecy) ?? null);
      path.pop();
    }
    if (made.length < length) this.#cutAt(path);
    return made;
  }

  #map(map: ReadonlyMap<unknown, unknown>, path: string[], secrecy: Secrecy): unknown {
    const entries = function* (): Generator<readonly [string, unknown]> {
      for (const [key, value] of map) yield [typeof key === 'string' ? key : (JSON.stringify(key) ?? String(key)), value];
    };
    return this.#members(entries(), path, secrecy);
  }

  #error(error: Error, path: string[], secrecy: Secrecy): unknown {
    const own = Object.entries(error).filter(([name]) => !['name', 'message', 'stack', 'cause'].includes(name));
    const members: [string, unknown][] = [
      ['name', error.name],
      ['message', error.message],
      ...own,
      ...(error.stack === undefined ? [] : [['stack', error.stack] as [string, unknown]]),
      ...(error.cause === undefined ? [] : [['cause', error.cause] as [string, unknown]]),
    ];
    return this.#members(members, path, secrecy);
  }

  #members(members: Iterable<readonly [string, unknown]>, path: string[], secrecy: Secrecy): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    let taken = 0;
    for (const [name, value] of members) {
      if (taken >= this.#limits.members || this.#left <= 0) {
        this.#cutAt(path);
        break;
      }
      taken += 1;
      this.#left -= name.length;
      path.push(name);
      const shown = this.value(value, path, strictest(secrecy, byName(name)));
      path.pop();
      // Even `__proto__` is an ordinary name here.
      Object.defineProperty(made, name, { value: shown, enumerable: true, writable: true, configurable: true });
    }
    return made;
  }
}

/** One by one: an object with a million members is not listed for the first few hundred. */
function* membersOf(value: object): Generator<readonly [string, unknown]> {
  for (const name in value) if (Object.hasOwn(value, name)) yield [name, (value as Record<string, unknown>)[name]];
}

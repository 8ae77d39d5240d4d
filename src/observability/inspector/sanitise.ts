/**
 * Makes of a value what may be shown: JSON without secrets, without cycles, and no larger than it may be. What a key says is secret is not shown; a secret that stands in a text under
 * another name is not found. No value is walked further than what is shown of it, so one of 10 MB costs no more than one at the limit.
 */

export interface SanitiseOptions {
  /** Of a context, before the rules: what is left of it, or made of it. What it throws is shown in place of the context. */
  readonly sanitize?: ((context: unknown) => unknown) | undefined;
  /** Keys whose values are not shown, each in lower case and without `-` and `_`. Default: `secretKeys`. */
  readonly secrets?: RegExp | undefined;
  /** Most that is shown of a context or an event, in characters of JSON, about. Default 262,144. */
  readonly maximumSize?: number | undefined;
}

/** `clientSecret`, `X-Api-Key`, `set-cookie`, `refresh_token`, … Numbers under the name of tokens are shown: they count. */
export const secretKeys = /passw(or)?d|passphrase|secret|token|apikey|accesskey|authorization|cookie|credential|privatekey|bearer/;

const deepest = 16;
const longestText = 10_000;
const defaultSize = 262_144;
/** A definition is as large as its author made it. */
const definitionSize = 4 * 1_048_576;
const definitionDepth = 200;
const hidden = '[hidden]';

export class Sanitiser {
  readonly #options: SanitiseOptions;
  readonly #secrets: RegExp;
  readonly #size: number;

  constructor(options: SanitiseOptions = {}) {
    this.#options = options;
    this.#secrets = options.secrets ?? secretKeys;
    this.#size = options.maximumSize ?? defaultSize;
  }

  context(context: unknown): unknown {
    const { sanitize } = this.#options;
    if (sanitize === undefined) return this.value(context);
    let left: unknown;
    try {
      left = sanitize(context);
    } catch (error) {
      return `[sanitize threw: ${error instanceof Error ? error.message : String(error)}]`;
    }
    return this.value(left);
  }

  /** An event, an output, an error. */
  value(value: unknown): unknown {
    return new Walk(this.#size, deepest, this.#secrets).shown(value);
  }

  /** A machine's config as JSON, its functions by their names, as the inspector has them. Names of states are no secrets; its context and inputs may hold some. */
  definition(config: object): string {
    const walk = new Walk(definitionSize, definitionDepth, undefined, (part) => this.value(part));
    const shown = JSON.stringify(walk.shown(config));
    return walk.isCut ? JSON.stringify({ id: (config as { readonly id?: unknown }).id, description: 'too large to be shown' }) : shown;
  }
}

/** Members of a config that hold the user's values. */
const values: ReadonlySet<string> = new Set(['context', 'input', 'meta', 'params']);
/** Members of a config whose keys are the user's names. */
const names: ReadonlySet<string> = new Set(['states', 'on', 'after', 'actors']);

class Walk {
  #left: number;
  readonly #deepest: number;
  readonly #secrets: RegExp | undefined;
  /** Of a definition: how the user's values in it are shown. */
  readonly #inner: ((part: unknown) => unknown) | undefined;
  readonly #around = new Set<object>();
  isCut = false;

  constructor(size: number, depth: number, secrets: RegExp | undefined, inner?: (part: unknown) => unknown) {
    this.#left = size;
    this.#deepest = depth;
    this.#secrets = secrets;
    this.#inner = inner;
  }

  /** The value, with a note of what is missing. */
  shown(value: unknown): unknown {
    const size = this.#left;
    const copy = this.#copy(value, undefined);
    if (!this.isCut || typeof copy !== 'object' || copy === null || Array.isArray(copy)) return copy;
    return { '[cut]': `larger than ${String(size)} characters: only the beginning is shown`, ...copy };
  }

  #copy(value: unknown, key: string | undefined): unknown {
    if (this.#left <= 0) return this.#cut('[cut]');
    this.#left -= 8;
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'bigint':
        return `${String(value)}n`;
      case 'symbol':
        return String(value);
      case 'function':
        return this.#inner === undefined ? `[function ${value.name}]` : { type: value.name };
      case 'object':
        return value === null ? null : this.#object(value, key);
      default:
        return value;
    }
  }

  #cut(mark: string): string {
    this.isCut = true;
    return mark;
  }

  #text(text: string): string {
    const shown = Math.min(text.length, longestText, Math.max(this.#left, 0));
    this.#left -= shown;
    return shown === text.length ? text : `${text.slice(0, shown)}… [${String(text.length)} characters]`;
  }

  #object(value: object, key: string | undefined): unknown {
    if (this.#around.has(value)) return '[circular]';
    if (this.#around.size >= this.#deepest) return this.#cut(Array.isArray(value) ? '[array]' : '[object]');
    const plain = special(value, this.#inner !== undefined);
    if (plain !== undefined) return typeof plain === 'string' ? this.#text(plain) : plain;
    this.#around.add(value);
    try {
      if (Array.isArray(value)) return this.#list(value, value.length);
      if (value instanceof Set) return this.#list(value, value.size);
      if (value instanceof Map) return this.#members(mapMembers(value), key);
      return this.#members(membersOf(value), key);
    } finally {
      this.#around.delete(value);
    }
  }

  #list(items: Iterable<unknown>, length: number): unknown[] {
    const copy: unknown[] = [];
    for (const item of items) {
      if (this.#left <= 0) {
        copy.push(this.#cut(`[${String(length - copy.length)} more]`));
        break;
      }
      copy.push(this.#copy(item, undefined));
    }
    return copy;
  }

  #members(members: Iterable<readonly [string, () => unknown]>, above: string | undefined): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    for (const [key, read] of members) {
      if (this.#left <= 0) {
        this.#cut('');
        break;
      }
      this.#left -= key.length;
      let member: unknown;
      try {
        member = read();
      } catch {
        member = '[threw]';
      }
      Object.defineProperty(copy, key, { value: this.#member(key, member, above), enumerable: true, configurable: true });
    }
    return copy;
  }

  #member(key: string, member: unknown, above: string | undefined): unknown {
    if (this.#inner !== undefined) {
      const isValue = values.has(key) && (above === undefined || !names.has(above)) && typeof member !== 'function';
      return isValue ? this.#inner(member) : this.#copy(member, key);
    }
    return this.#isSecret(key, member) ? hidden : this.#copy(member, key);
  }

  #isSecret(key: string, member: unknown): boolean {
    if (member === undefined || member === null || this.#secrets === undefined) return false;
    const name = key.toLowerCase().replace(/[-_ ]/g, '');
    const isCount = name.includes('token') && (typeof member === 'number' || typeof member === 'boolean');
    return !isCount && name.search(this.#secrets) >= 0;
  }
}

/** What says more than its members. */
function special(value: object, isDefinition: boolean): unknown {
  try {
    return asWhole(value, isDefinition);
  } catch {
    return '[threw]';
  }
}

function asWhole(value: object, isDefinition: boolean): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL || value instanceof RegExp) return String(value);
  if (value instanceof Error) return undefined;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.constructor.name} of ${String(value.byteLength)} bytes]`;
  const { sessionId, send, id, transition, config } = value as Readonly<Record<string, unknown>>;
  if (typeof sessionId === 'string' && typeof send === 'function') return { xstate$$type: 1, id };
  if (isDefinition && typeof transition === 'function')
    return { type: (config as { readonly id?: unknown } | undefined)?.id ?? 'inline logic' };
  return undefined;
}

function* membersOf(value: object): Generator<readonly [string, () => unknown]> {
  if (value instanceof Error) {
    yield ['name', () => value.name];
    yield ['message', () => value.message];
  }
  for (const key in value) if (Object.hasOwn(value, key)) yield [key, () => (value as Readonly<Record<string, unknown>>)[key]];
}

function* mapMembers(map: ReadonlyMap<unknown, unknown>): Generator<readonly [string, () => unknown]> {
  for (const [key, member] of map)
    yield [typeof key === 'object' && key !== null ? '[object]' : String(key as string | number), () => member];
}

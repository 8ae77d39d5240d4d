/**
 * Values to text and back, without silent loss. Plain JSON values are written as JSON; what JSON would lose
 * (`undefined`, `Date`, `Map`, `Set`, `BigInt`, `NaN`, infinities, -0, `Error`, `RegExp`, `URL`, bytes) is written as a tagged
 * object `{"$sw": tag, "v": …}`; anything else (functions, symbols, class instances, cycles) is refused with its path.
 *
 * The common case pays one walk to see that JSON suffices. Not kept: shared references (copied), symbol keys,
 * property order of integer-like keys, array properties.
 */

import { NotSerializableError } from './errors.js';

const tag = '$sw';

/** Levels that a value may have. Well below what overflows a stack, when it is written or when it is read. */
const deepestValue = 500;

/** Levels that a checkpoint may have: whatever was let into a context as a value must fit into it, under what XState puts around it. */
export const deepestCheckpoint = 1_000;

/**
 * Encodes a value. `what` names it in the error: `context`, `event`.
 * @throws NotSerializableError with the path of the first value that cannot be encoded.
 */
export function encode(value: unknown, what: string, deepest = deepestValue): string {
  return JSON.stringify(isPlain(value, deepest) ? value : tagged(value, what, [], deepest));
}

/** Whether a value can be written without a look inside. */
export function isSimple(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Does what `encode` does to find a value that cannot be encoded, and no more. @throws NotSerializableError */
export function assertSavable(value: unknown, what: string): void {
  if (!isPlain(value, deepestValue)) tagged(value, what, [], deepestValue);
}

/** Decodes what `encode` made. Throws `SyntaxError` for text that is not JSON. */
export function decode(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.includes(`"${tag}"`) ? revived(value) : value;
}

/** An error as data, kept across restarts with name, message, stack, cause and code. */
export function errorOf(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const message = typeof thrown === 'string' ? thrown : `thrown: ${describe(thrown)}`;
  return new Error(message, { cause: thrown });
}

/** Encodes whatever was thrown, never failing: what cannot be encoded in it is described instead. */
export function encodeThrown(thrown: unknown): string {
  try {
    return encode(thrown, 'error');
  } catch {
    const error = errorOf(thrown);
    return encode(Object.assign(new Error(error.message), { name: error.name, stack: error.stack }), 'error');
  }
}

/** Not for what is too deep, or a cycle: the tagging walk tells which. */
function isPlain(value: unknown, levels: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object': {
      if (value === null) return true;
      if (levels === 0) return false;
      if (Array.isArray(value)) {
        for (let index = 0; index < value.length; index += 1) if (!isPlain(value[index], levels - 1)) return false;
        return true;
      }
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null) return false;
      for (const key in value) {
        if (key === tag || !isPlain((value as Record<string, unknown>)[key], levels - 1)) return false;
      }
      return !('toJSON' in value);
    }
    default:
      return false;
  }
}

type Ancestors = readonly object[];

function tagged(value: unknown, path: string, ancestors: Ancestors, deepest: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'undefined':
      return { [tag]: 'undefined' };
    case 'bigint':
      return { [tag]: 'bigint', v: value.toString() };
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { [tag]: 'number', v: Object.is(value, -0) ? '-0' : String(value) };
    case 'object':
      return value === null ? null : taggedObject(value, path, ancestors, deepest);
    case 'function':
    case 'symbol':
      return refuse(value, path);
  }
}

function taggedObject(value: object, path: string, ancestors: Ancestors, deepest: number): unknown {
  if (ancestors.includes(value)) {
    throw new NotSerializableError(`${path} refers back to one of the values around it`, {
      path,
      hint: 'Keep an id instead of the object itself.',
    });
  }
  const inside = [...ancestors, value];
  if (inside.length > deepest) {
    throw new NotSerializableError(`${path} is nested more than ${String(deepest)} levels deep`, { path, hint: 'Flatten the value.' });
  }
  if (Array.isArray(value)) return Array.from(value, (item, index) => tagged(item, `${path}[${String(index)}]`, inside, deepest));
  if (value instanceof Date) return { [tag]: 'date', v: tagged(value.getTime(), path, inside, deepest) };
  if (value instanceof Map) {
    const entries = [...value].map(([key, item], index) => [
      tagged(key, `${path}.keys()[${String(index)}]`, inside, deepest),
      tagged(item, `${path}.get(${describe(key)})`, inside, deepest),
    ]);
    return { [tag]: 'map', v: entries };
  }
  if (value instanceof Set) {
    return { [tag]: 'set', v: [...value].map((item, index) => tagged(item, `${path}.values()[${String(index)}]`, inside, deepest)) };
  }
  if (value instanceof Error) return taggedError(value, path, inside, deepest);
  if (value instanceof RegExp) return { [tag]: 'regexp', v: [value.source, value.flags] };
  if (value instanceof URL) return { [tag]: 'url', v: value.href };
  if (value instanceof Uint8Array) return { [tag]: 'bytes', v: Buffer.from(value).toString('base64') };
  const prototype: unknown = Object.getPrototypeOf(value);
  if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value) refuse(value, path);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    define(copy, key, tagged((value as Record<string, unknown>)[key], memberPath(path, key), inside, deepest));
  }
  return untagged(copy);
}

/** Members whose names are the user's: one of them may be called like our tag. */
function untagged(members: Record<string, unknown>): unknown {
  return Object.hasOwn(members, tag) ? { [tag]: 'object', v: Object.entries(members) } : members;
}

function taggedError(error: Error, path: string, inside: Ancestors, deepest: number): unknown {
  const own: Record<string, unknown> = {};
  for (const key of Object.keys(error)) {
    if (key === 'name' || key === 'stack' || key === 'message' || key === 'cause') continue;
    try {
      define(own, key, tagged((error as unknown as Record<string, unknown>)[key], memberPath(path, key), inside, deepest));
    } catch {
      // An error's own extras (sockets, responses) are for debugging only: the error itself must survive.
    }
  }
  let cause: unknown;
  try {
    cause = error.cause === undefined ? undefined : tagged(error.cause, `${path}.cause`, inside, deepest);
  } catch {
    cause = describe(error.cause);
  }
  return { [tag]: 'error', v: { name: error.name, message: error.message, stack: error.stack, cause, own: untagged(own) } };
}

function refuse(value: unknown, path: string): never {
  throw new NotSerializableError(`${path} is ${describe(value)}, which cannot be saved`, {
    path,
    hint: 'Keep plain data there (objects, arrays, strings, numbers, Date, Map, Set, Error), or an id to look the value up by.',
  });
}

function describe(value: unknown): string {
  if (typeof value === 'function') return `a function${value.name === '' ? '' : ` (${value.name})`}`;
  if (typeof value === 'symbol') return value.toString();
  if (typeof value === 'object' && value !== null) {
    const name = (value as { constructor?: { name?: string } }).constructor?.name;
    return `an instance of ${name === undefined || name === '' ? 'an unnamed class' : name}`;
  }
  return String(value);
}

function memberPath(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/** Assigns even `__proto__` as an ordinary member. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}

function revived(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(revived);
  const members = value as Record<string, unknown>;
  const kind = members[tag];
  if (typeof kind === 'string') return revivedTag(kind, members['v']);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(members)) define(copy, key, revived(members[key]));
  return copy;
}

function revivedTag(kind: string, v: unknown): unknown {
  switch (kind) {
    case 'undefined':
      return undefined;
    case 'bigint':
      return BigInt(v as string);
    case 'number':
      return Number(v);
    case 'date':
      return new Date(revived(v) as number);
    case 'map':
      return new Map((v as [unknown, unknown][]).map(([key, item]) => [revived(key), revived(item)]));
    case 'set':
      return new Set((v as unknown[]).map(revived));
    case 'regexp': {
      const [source, flags] = v as [string, string];
      return new RegExp(source, flags);
    }
    case 'url':
      return new URL(v as string);
    case 'bytes':
      return new Uint8Array(Buffer.from(v as string, 'base64'));
    case 'object': {
      const copy: Record<string, unknown> = {};
      for (const [key, item] of v as [string, unknown][]) define(copy, key, revived(item));
      return copy;
    }
    case 'error':
      return revivedError(v as { name: string; message: string; stack?: string; cause?: unknown; own: object });
    default:
      throw new SyntaxError(`unknown tag "${kind}"`);
  }
}

const errorConstructors: Readonly<Record<string, ErrorConstructor>> = {
  TypeError: TypeError as ErrorConstructor,
  RangeError: RangeError as ErrorConstructor,
  SyntaxError: SyntaxError as ErrorConstructor,
};

function revivedError(v: { name: string; message: string; stack?: string; cause?: unknown; own: object }): Error {
  const Constructor = errorConstructors[v.name] ?? Error;
  const error = new Constructor(v.message, v.cause === undefined ? undefined : { cause: revived(v.cause) });
  Object.defineProperty(error, 'stack', { value: v.stack, configurable: true, writable: true });
  if (error.name !== v.name) Object.defineProperty(error, 'name', { value: v.name, configurable: true, writable: true });
  for (const [key, value] of Object.entries(revived(v.own) as object)) define(error as unknown as Record<string, unknown>, key, value);
  return error;
}

/** Values as Spanner has them on the wire: parameters and columns there, rows back. Integers beyond 2^53 are not used; NULL is `undefined`. */

import type { PartialResultSet, WireType, WireValue } from './api.js';

/** A value of a row: scalars, arrays of them, and arrays of structs as rows. */
export type Value = string | number | boolean | undefined | readonly Value[] | Row;
export interface Row {
  readonly [column: string]: Value;
}

export interface Parameter {
  readonly type: WireType;
  readonly value: WireValue;
}

/** To be written into a column with commit times: the time of the commit. */
export const commitTimestamp = 'spanner.commit_timestamp()';

const none: WireValue = { nullValue: 'NULL_VALUE' };

export const asText = (value: string | undefined): WireValue => (value === undefined ? none : { stringValue: value });
export const asInteger = (value: number | undefined): WireValue => (value === undefined ? none : { stringValue: String(value) });
export const asBoolean = (value: boolean | undefined): WireValue => (value === undefined ? none : { boolValue: value });

export function asFloat(value: number | undefined): WireValue {
  if (value === undefined) return none;
  return Number.isFinite(value) ? { numberValue: value } : { stringValue: String(value) };
}

/** Of epoch milliseconds. */
export const asTimestamp = (ms: number | undefined): WireValue => (ms === undefined ? none : { stringValue: new Date(ms).toISOString() });

export const text = (value: string | undefined): Parameter => ({ type: { code: 'STRING' }, value: asText(value) });
export const integer = (value: number | undefined): Parameter => ({ type: { code: 'INT64' }, value: asInteger(value) });
export const float = (value: number | undefined): Parameter => ({ type: { code: 'FLOAT64' }, value: asFloat(value) });
export const timestamp = (ms: number | undefined): Parameter => ({ type: { code: 'TIMESTAMP' }, value: asTimestamp(ms) });

export function texts(values: Iterable<string>): Parameter {
  return { type: arrayOf({ code: 'STRING' }), value: { listValue: { values: Array.from(values, asText) } } };
}

export function integers(values: Iterable<number>): Parameter {
  return { type: arrayOf({ code: 'INT64' }), value: { listValue: { values: Array.from(values, asInteger) } } };
}

/** An array of structs with two texts, `id` and `name`. */
export function pairs(values: readonly (readonly [string, string])[]): Parameter {
  const field = (name: string): { name: string; type: WireType } => ({ name, type: { code: 'STRING' } });
  return {
    type: arrayOf({ code: 'STRUCT', structType: { fields: [field('id'), field('name')] } }),
    value: { listValue: { values: values.map((pair) => ({ listValue: { values: pair.map(asText) } })) } },
  };
}

const arrayOf = (arrayElementType: WireType): WireType => ({ code: 'ARRAY', arrayElementType });

/** What is not set is null or missing. */
function isThere<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

/** Puts together what came in parts: a value may be cut in two, texts and lists alike. */
export class RowReader {
  #fields: readonly { readonly name: string; readonly type: WireType }[] = [];
  #values: WireValue[] = [];
  #isCut = false;
  transaction: { readonly id?: Uint8Array; readonly readTimestamp?: unknown } | undefined;

  add({ metadata, values, chunkedValue }: PartialResultSet): void {
    if (isThere(metadata?.rowType)) this.#fields = metadata.rowType.fields;
    if (isThere(metadata?.transaction)) this.transaction = metadata.transaction;
    let rest = values;
    if (this.#isCut && values.length > 0) {
      this.#values.push(joined(this.#values.pop() as WireValue, values[0] as WireValue));
      rest = values.slice(1);
    }
    for (const value of rest) this.#values.push(value);
    if (values.length > 0) this.#isCut = chunkedValue === true;
  }

  rows(): Row[] {
    const width = this.#fields.length;
    const rows: Row[] = [];
    for (let start = 0; width > 0 && start < this.#values.length; start += width) {
      rows.push(rowOf(this.#fields, this.#values.slice(start, start + width)));
    }
    return rows;
  }
}

function joined(one: WireValue, other: WireValue): WireValue {
  if (isThere(one.listValue) && isThere(other.listValue)) {
    const first = [...one.listValue.values];
    const [head, ...tail] = other.listValue.values;
    const last = first.at(-1);
    if (last !== undefined && head !== undefined && isJoinable(last) && isJoinable(head)) {
      first[first.length - 1] = joined(last, head);
      return { listValue: { values: [...first, ...tail] } };
    }
    return { listValue: { values: [...first, ...other.listValue.values] } };
  }
  return { stringValue: (one.stringValue ?? '') + (other.stringValue ?? '') };
}

const isJoinable = ({ stringValue, listValue }: WireValue): boolean => isThere(stringValue) || isThere(listValue);

function rowOf(fields: readonly { readonly name: string; readonly type: WireType }[], values: readonly WireValue[]): Row {
  const row: Record<string, Value> = {};
  for (const [index, { name, type }] of fields.entries()) row[name] = valueOf(type, values[index] as WireValue);
  return row;
}

function valueOf(type: WireType, value: WireValue): Value {
  if (isThere(value.listValue)) {
    if (type.code === 'STRUCT') return rowOf(type.structType?.fields ?? [], value.listValue.values);
    const element = type.arrayElementType as WireType;
    return value.listValue.values.map((item) => valueOf(element, item));
  }
  if (isThere(value.stringValue)) return type.code === 'INT64' || type.code === 'FLOAT64' ? Number(value.stringValue) : value.stringValue;
  if (isThere(value.numberValue)) return value.numberValue;
  if (isThere(value.boolValue)) return value.boolValue;
  return undefined;
}

/**
 * Plain values as Firestore's protocol has them, and back. What is undefined is not in the document, so that no index has it either. Numbers are integers where they can be: one that is not is a double.
 */

/** `google.protobuf.Timestamp` as it comes from the client. */
export interface Stamp {
  readonly seconds: string | number;
  readonly nanos: number;
}

/** A long text that is kept in documents of its own: see `chunks.ts`. */
export interface Chunked {
  readonly chunks: number;
  /** What their names begin with. */
  readonly base: string;
}

export type Value = string | number | boolean | Stamp | Chunked | readonly string[] | undefined;
export type Fields = Readonly<Record<string, Value>>;

/** `google.firestore.v1.Value` */
export type ProtoValue = Readonly<Record<string, unknown>>;
export type ProtoFields = Readonly<Record<string, ProtoValue>>;

export function encodeFields(fields: Fields): ProtoFields {
  const encoded: Record<string, ProtoValue> = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) encoded[name] = encodeValue(value);
  return encoded;
}

export function encodeValue(value: NonNullable<Value>): ProtoValue {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { booleanValue: value };
  if (typeof value === 'number') return Number.isSafeInteger(value) ? { integerValue: value } : { doubleValue: value };
  if ('seconds' in value) return { timestampValue: { seconds: Number(value.seconds), nanos: value.nanos } };
  if ('base' in value) return { mapValue: { fields: encodeFields({ chunks: value.chunks, base: value.base }) } };
  return { arrayValue: { values: value.map(encodeValue) } };
}

export function decodeFields(fields: ProtoFields): Record<string, Value> {
  const decoded: Record<string, Value> = {};
  for (const [name, value] of Object.entries(fields)) decoded[name] = decodeValue(value);
  return decoded;
}

export function decodeValue(value: ProtoValue): Value {
  if (typeof value['stringValue'] === 'string') return value['stringValue'];
  if (value['integerValue'] !== undefined && value['integerValue'] !== null) return Number(value['integerValue']);
  if (value['doubleValue'] !== undefined && value['doubleValue'] !== null) return Number(value['doubleValue']);
  if (typeof value['booleanValue'] === 'boolean') return value['booleanValue'];
  if (value['timestampValue'] !== undefined && value['timestampValue'] !== null) return value['timestampValue'] as Stamp;
  const map = value['mapValue'] as { readonly fields?: ProtoFields } | null | undefined;
  if (map !== undefined && map !== null) return decodeFields(map.fields ?? {}) as unknown as Chunked;
  const array = value['arrayValue'] as { readonly values?: readonly ProtoValue[] } | null | undefined;
  return array?.values?.map((item) => decodeValue(item) as string);
}

export function stampMs({ seconds, nanos }: Stamp): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1e6);
}

export function msStamp(ms: number): Stamp {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

export function isChunked(value: Value): value is Chunked {
  return typeof value === 'object' && 'base' in value;
}

/** Places in traces as text: the `traceparent` of the W3C's Trace Context, version 00. */

export interface Traceparent {
  readonly traceId: string;
  readonly spanId: string;
  /** Of flags, the first bit: it is recorded. */
  readonly flags: number;
}

const shape = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;

/** Undefined for what is none. */
export function readTraceparent(text: string | undefined): Traceparent | undefined {
  const [, traceId = '', spanId = '', flags = ''] = (text === undefined ? null : shape.exec(text)) ?? [];
  if (traceId === '' || /^0+$/.test(traceId) || /^0+$/.test(spanId) || text?.startsWith('ff') === true) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

export function writeTraceparent({ traceId, spanId, flags }: Traceparent): string {
  return `00-${traceId}-${spanId}-${(flags & 0xff).toString(16).padStart(2, '0')}`;
}

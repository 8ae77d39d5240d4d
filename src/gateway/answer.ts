/**
 * An answer of upstream: status, headers in their order and with their repetitions, body as the bytes that came, whatever their encoding. Written
 * to a store and read back it is the same answer. Headers of the connection (RFC 9110, 7.6.1) are not part of it.
 */

export type Header = readonly [name: string, value: string];

export interface Answer {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
}

export const replayedHeader = 'Idempotency-Replayed';

const ofTheConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Without what belongs to one connection, and without what `Connection` names besides. */
export function endToEnd(headers: readonly Header[]): Header[] {
  const named = headers.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, value]) => value.split(','));
  const dropped = new Set(named.map((name) => name.trim().toLowerCase()));
  return headers.filter(([name]) => !ofTheConnection.has(name.toLowerCase()) && !dropped.has(name.toLowerCase()));
}

/** The last value of a header. */
export function headerOf(headers: readonly Header[], name: string): string | undefined {
  return headers.findLast(([one]) => one.toLowerCase() === name.toLowerCase())?.[1];
}

/** Four bytes of length, the head as JSON, the body. */
export function encodeAnswer({ status, headers, body }: Answer): Uint8Array {
  const head = Buffer.from(JSON.stringify({ status, headers }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, body]);
}

export function decodeAnswer(bytes: Uint8Array): Answer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 4 + buffer.readUInt32BE(0);
  const { status, headers } = JSON.parse(buffer.toString('utf8', 4, end)) as Pick<Answer, 'status' | 'headers'>;
  return { status, headers, body: buffer.subarray(end) };
}

/** Statuses that have no body (Fetch, 2.2.3). */
const bodiless: readonly number[] = [101, 103, 204, 205, 304];

/** `body` instead of the answer's own, when it is still coming. */
export function answerResponse(answer: Omit<Answer, 'body'>, body: Uint8Array | ReadableStream | null, replayed: boolean): Response {
  const headers = new Headers();
  for (const [name, value] of answer.headers) headers.append(name, value);
  if (replayed) headers.set(replayedHeader, 'true');
  const sent = bodiless.includes(answer.status) ? null : body;
  if (sent === null && body !== null && answer.status !== 304) headers.delete('content-length');
  return new Response(sent as BodyInit | null, { status: answer.status, headers });
}

type BodyInit = ConstructorParameters<typeof Response>[0];

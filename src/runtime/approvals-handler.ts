/**
 * Approvals over HTTP, as a function from a request to its answer by the web's own types, to be served by whatever an application is served by. `GET /` lists what waits, `GET /ID` has one, `POST /ID` decides it. It
 * looks at the last segment of the path only, so it may stand under any prefix.
 */

import { encode } from '../core/codec.js';
import { BadInputError, MailboxFullError, StatewardenError, StoreUnavailableError } from '../core/errors.js';
import { ApprovalExpiredError, NotHeldError, UnknownOperationError } from '../core/operation-errors.js';
import type { PendingApproval } from './holds.js';
import type { RuntimeApprovals } from './people.js';

export interface ApprovalsHandlerOptions {
  /**
   * The name of who asks; undefined: nobody who may, which is 401. Decisions are signed with it. Default: everybody may, and signs as the body's `by` says: only behind something that asks who it is.
   */
  readonly authenticate?: (request: Request) => string | undefined | Promise<string | undefined>;
}

/** Bytes that a decision may take. */
const longestBody = 65_536;

/** `serve({ fetch: approvalsHandler(runtime, { authenticate }) })`. What it throws is what `authenticate` throws, or a defect. */
export function approvalsHandler(
  runtime: { readonly approvals: RuntimeApprovals },
  options: ApprovalsHandlerOptions = {},
): (request: Request) => Promise<Response> {
  return async (request) => {
    const { authenticate } = options;
    const asks = authenticate === undefined ? undefined : await authenticate(request);
    if (authenticate !== undefined && (asks === undefined || asks === '')) {
      return problem(401, 'UNAUTHENTICATED', 'it is not known who asks', 'Say who you are, as this service wants it said.');
    }
    try {
      return await answer(runtime.approvals, request, asks);
    } catch (error) {
      if (error instanceof Refusal) return error.response;
      if (error instanceof StatewardenError) return problemOf(error);
      throw error;
    }
  };
}

async function answer(approvals: RuntimeApprovals, request: Request, asks: string | undefined): Promise<Response> {
  const id = operationIn(request.url);
  if (request.method === 'GET' && id === undefined) return json({ approvals: (await approvals.list()).map(approvalDocument) });
  if (request.method === 'GET' && id !== undefined) return json(approvalDocument(await approvals.get(id)));
  if (request.method !== 'POST' || id === undefined) {
    const allow = id === undefined ? 'GET' : 'GET, POST';
    const refused = problem(405, 'METHOD_NOT_ALLOWED', `${request.method} does nothing here`, `Use one of ${allow}.`);
    refused.headers.set('allow', allow);
    return refused;
  }
  const { decision, by, note } = await bodyOf(request);
  if (typeof decision !== 'string') throw new BadInputError('there is no decision', { hint: example });
  if (note !== undefined && typeof note !== 'string') throw new BadInputError('the note is no text', { hint: example });
  if (by !== undefined && typeof by !== 'string') throw new BadInputError('by is no text', { hint: example });
  if (asks !== undefined && by !== undefined && by !== asks) {
    throw new BadInputError(`by is ${JSON.stringify(by)}, and ${JSON.stringify(asks)} asks`, {
      hint: 'Leave it out: a decision is signed by who makes it.',
    });
  }
  const signed = asks ?? by;
  if (signed === undefined) throw new BadInputError('nobody has signed', { hint: example });
  await approvals.decide(id, decision, { by: signed, ...(note === undefined ? {} : { note }) });
  return json({ operationId: id, decision, by: signed, note: note ?? null });
}

const example = 'Send {"decision": "approved", "by": "ada@example.com", "note": "…"}.';

/** An id has colons, a place where this is mounted has none in its last segment: that is the list. @throws BadInputError */
function operationIn(url: string): string | undefined {
  const segment = new URL(url).pathname.split('/').at(-1) ?? '';
  let id: string;
  try {
    id = decodeURIComponent(segment);
  } catch (cause) {
    throw new BadInputError(`${JSON.stringify(segment)} is not encoded as a segment of a path`, {
      hint: 'Write encodeURIComponent(operationId).',
      cause,
    });
  }
  return id.includes(':') ? id : undefined;
}

/** @throws Refusal, BadInputError */
async function bodyOf(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json' && !/^application\/[^/]+\+json$/.test(type)) {
    throw new Refusal(problem(415, 'NOT_JSON', `the body is ${type === '' ? 'of no named type' : type}`, 'Send application/json.'));
  }
  const text = await textOf(request);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new BadInputError(`the body is not JSON: ${(cause as Error).message}`, { hint: example, cause });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new BadInputError('the body is no object', { hint: example });
  return body as Readonly<Record<string, unknown>>;
}

/** Reads no more than a decision may take. @throws Refusal */
async function textOf(request: Request): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > longestBody) {
      throw new Refusal(
        problem(
          413,
          'TOO_LARGE',
          `the body is larger than ${String(longestBody)} bytes`,
          'Keep what is long elsewhere and name it in the note.',
        ),
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** An answer that ends the work on a request. */
class Refusal extends Error {
  readonly response: Response;

  constructor(response: Response) {
    super(`refused with ${String(response.status)}`);
    this.response = response;
  }
}

/** As it is sent, also by the command line. What JSON lacks keeps its tag. */
export function approvalDocument({ details, deadline, ...approval }: PendingApproval): object {
  return {
    ...approval,
    details: details === undefined ? null : (JSON.parse(encode(details, 'details')) as unknown),
    deadline: deadline ?? null,
  };
}

function problemOf(error: StatewardenError): Response {
  const answered = problem(
    statusOf(error),
    error.code,
    error.message,
    error.hint,
    error instanceof NotHeldError ? { by: error.by ?? null } : {},
  );
  if (answered.status === 503) answered.headers.set('retry-after', '1');
  return answered;
}

function statusOf(error: StatewardenError): number {
  if (error instanceof UnknownOperationError) return 404;
  if (error instanceof NotHeldError) return 409;
  if (error instanceof ApprovalExpiredError) return 410;
  if (error instanceof MailboxFullError || error instanceof StoreUnavailableError || error.code === 'RUNTIME_CLOSED') return 503;
  return error instanceof BadInputError ? 400 : 500;
}

function json(document: object): Response {
  return new Response(`${JSON.stringify(document)}\n`, { headers: { 'content-type': 'application/json', 'cache-control': 'no-store' } });
}

/** Problem details, RFC 9457. */
function problem(status: number, code: string, title: string, hint: string, more: object = {}): Response {
  const type = `urn:statewarden:approvals:${code.toLowerCase().replaceAll('_', '-')}`;
  const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' };
  return new Response(`${JSON.stringify({ type, title, status, code, hint, ...more })}\n`, { status, headers });
}

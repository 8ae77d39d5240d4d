/**
 * What stands before the server of the tests. It keeps three promises of Cloud Storage that fake-gcs-server 1.56 passes over: `ifGenerationMatch` of copies and deletions (the server looks at it for uploads only; here it is
 * compared under a lock on the object), a bucket's lifecycle with `ifMetagenerationMatch`, and the question how far a resumable upload has come. All else it hands on as it is. And it makes the weather: answers that are refusals,
 * connections that are cut before or after the server has done what it was asked, silence, delays, bytes that change on their way.
 */

import { Agent, createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Kind = 'upload' | 'session' | 'part' | 'progress' | 'copy' | 'delete' | 'stat' | 'download' | 'list' | 'bucket' | 'other';

export interface Call {
  readonly kind: Kind;
  readonly method: string;
  readonly bucket: string;
  /** Of the object that is read or written; of a copy the one that comes of it. */
  readonly object: string;
  readonly query: URLSearchParams;
  readonly range: string | undefined;
  /** Of this kind, from 1. */
  readonly nth: number;
}

export type Weather =
  | { readonly status: number; readonly reason?: string; readonly message?: string }
  | { readonly cut: 'before' | 'after' }
  | { readonly cutAfterBytes: number }
  | { readonly silent: true }
  | { readonly delayMs: number }
  | { readonly until: Promise<unknown> }
  /** Of the request's body or, of a download, of the answer's. */
  | { readonly changeByte: true };

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

interface BucketExtras {
  metageneration: number;
  settings: Record<string, unknown>;
}

export class GcsFront {
  url = '';
  readonly seen: Call[] = [];
  weather: (call: Call) => Weather | undefined = () => undefined;
  readonly #counts = new Map<Kind, number>();
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server: Server;
  readonly #locks = new Map<string, Promise<unknown>>();
  readonly #extras = new Map<string, BucketExtras>();
  /** Bytes that the server has of uploads in parts, and the answer to the last part. */
  readonly #uploads = new Map<string, { bytes: number; whole: Answer | undefined }>();

  constructor(port: number) {
    this.#port = port;
    this.#server = createServer((incoming, outgoing) => {
      this.#serve(incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Fair weather, and nothing seen. */
  calm(): void {
    this.weather = () => undefined;
    this.forget();
  }

  forget(): void {
    this.seen.length = 0;
    this.#counts.clear();
  }

  /** How many calls of a kind there were. */
  count(kind: Kind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Settings that the server has no place for. */
  settings(bucket: string): Record<string, unknown> {
    return this.#extrasOf(bucket).settings;
  }

  #extrasOf(bucket: string): BucketExtras {
    let extras = this.#extras.get(bucket);
    if (extras === undefined) this.#extras.set(bucket, (extras = { metageneration: 1, settings: {} }));
    return extras;
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming);
    const parsed = parse(incoming);
    const call: Call = { ...parsed, nth: this.count(parsed.kind) + 1 };
    this.seen.push(call);
    this.#counts.set(call.kind, call.nth);
    const weather = this.weather(call);
    if (weather !== undefined) {
      if ('status' in weather) {
        answer(outgoing, refusal(weather.status, weather.reason ?? '', weather.message ?? 'as the test says'));
        return;
      }
      if ('silent' in weather) return;
      if ('until' in weather) await weather.until;
      if ('delayMs' in weather) await new Promise((resolve) => setTimeout(resolve, weather.delayMs));
      if ('cut' in weather && weather.cut === 'before') {
        outgoing.destroy();
        return;
      }
      if ('changeByte' in weather && call.kind !== 'download') body[Math.floor(body.length / 2)]! ^= 1;
    }
    const given = await this.#answered(call, incoming, body);
    if (weather !== undefined && 'cut' in weather) {
      outgoing.destroy();
      return;
    }
    if (weather !== undefined && 'changeByte' in weather && call.kind === 'download') given.body[Math.floor(given.body.length / 2)]! ^= 1;
    if (weather !== undefined && 'cutAfterBytes' in weather) {
      outgoing.writeHead(given.status, given.headers);
      outgoing.write(given.body.subarray(0, weather.cutAfterBytes), () => setTimeout(() => outgoing.destroy(), 20));
      return;
    }
    answer(outgoing, given);
  }

  #answered(call: Call, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
    const { kind, bucket, object, query } = call;
    if (kind === 'copy' || kind === 'delete') {
      return this.#locked(`${bucket}/${object}`, async () => {
        const wanted = query.get('ifGenerationMatch');
        // A deletion that names its generation the server refuses by itself.
        const isLeft = wanted !== null && (kind === 'copy' || query.get('generation') !== wanted);
        if (isLeft && (await this.#generation(bucket, object)) !== wanted) return refusal(412, 'conditionNotMet', 'Precondition Failed');
        return this.#forward(incoming, body);
      });
    }
    if (kind === 'bucket') return this.#locked(bucket, () => this.#bucket(call, incoming, body));
    if (kind === 'part' || kind === 'progress') return this.#part(call, incoming, body);
    return this.#forward(incoming, body);
  }

  async #locked<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#locks.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#locks.get(key) === mine) this.#locks.delete(key);
    }
  }

  async #generation(bucket: string, object: string): Promise<string> {
    const path = `/storage/v1/b/${bucket}/o/${encodeURIComponent(object)}`;
    const { status, body } = await this.#send('GET', path, {}, Buffer.alloc(0));
    return status === 200 ? (JSON.parse(body.toString()) as { generation: string }).generation : '0';
  }

  /** The server keeps of a bucket's settings only whether it is versioned. */
  async #bucket({ bucket, method, query }: Call, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
    const extras = this.#extrasOf(bucket);
    if (method === 'PATCH') {
      const wanted = query.get('ifMetagenerationMatch');
      if (wanted !== null && wanted !== String(extras.metageneration)) return refusal(412, 'conditionNotMet', 'Precondition Failed');
      Object.assign(extras.settings, JSON.parse(body.toString()));
      extras.metageneration += 1;
    }
    const given = await this.#send('GET', wholePath(incoming.url?.split('?')[0] ?? ''), {}, Buffer.alloc(0));
    if (given.status !== 200) return given;
    const known = JSON.parse(given.body.toString()) as object;
    return json(200, { ...known, ...extras.settings, metageneration: String(extras.metageneration) });
  }

  /** The server would take the question for the end of the upload. */
  async #part({ kind, query, range }: Call, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
    const id = query.get('upload_id') ?? '';
    const upload = this.#uploads.get(id) ?? { bytes: 0, whole: undefined };
    this.#uploads.set(id, upload);
    if (kind === 'progress') {
      if (upload.whole !== undefined) return upload.whole;
      return { status: 308, headers: upload.bytes === 0 ? {} : { range: `bytes=0-${String(upload.bytes - 1)}` }, body: Buffer.alloc(0) };
    }
    const given = await this.#forward(incoming, body);
    if (given.status === 308 || given.status === 200) upload.bytes = Number(/^bytes (\d+)-/.exec(range ?? '')?.[1] ?? 0) + body.length;
    if (given.status === 200) upload.whole = given;
    return given;
  }

  #forward({ method = 'GET', url = '/', headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    return this.#send(method, wholePath(url), headers, body);
  }

  #send(method: string, path: string, headers: IncomingMessage['headers'], body: Buffer): Promise<Answer> {
    const { 'transfer-encoding': _chunked, connection: _connection, ...kept } = headers;
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          method,
          path,
          agent: this.#agent,
          headers: { ...kept, 'content-length': String(body.length) },
        },
        (response) => {
          bodyOf(response).then((received) => {
            const { 'transfer-encoding': _c, connection: _k, ...rest } = response.headers;
            resolve({ status: response.statusCode ?? 502, headers: rest, body: received });
          }, reject);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

/** The client leaves the API's own part out where STORAGE_EMULATOR_HOST says where to go. */
function wholePath(url: string): string {
  return url.startsWith('/b/') ? `/storage/v1${url}` : url;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function answer(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, { ...headers, 'content-length': String(body.length) });
  outgoing.end(body);
}

function json(status: number, value: object): Answer {
  return { status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: Buffer.from(JSON.stringify(value)) };
}

/** As Cloud Storage words it. */
function refusal(status: number, reason: string, message: string): Answer {
  return json(status, { error: { code: status, message, errors: [{ domain: 'global', reason, message }] } });
}

function parse({ url = '/', method = 'GET', headers }: IncomingMessage): Omit<Call, 'nth'> {
  const { pathname, searchParams: query } = new URL(url, 'http://x');
  const range = headers['content-range'];
  const call = (kind: Kind, bucket = '', object = ''): Omit<Call, 'nth'> => ({
    kind,
    method,
    bucket: decodeURIComponent(bucket),
    object: decodeURIComponent(object),
    query,
    range,
  });
  const uploading = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(pathname);
  if (uploading !== null) {
    const name = query.get('name') ?? '';
    if (query.has('upload_id')) return call(range === 'bytes */*' ? 'progress' : 'part', uploading[1], name);
    return call(query.get('uploadType') === 'resumable' ? 'session' : 'upload', uploading[1], name);
  }
  const [, bucket, object] = /^(?:\/storage\/v1)?\/b\/([^/]+)(?:\/o\/?(.*))?$/.exec(pathname) ?? [];
  if (bucket === undefined) return call('other');
  if (object === undefined) return call('bucket', bucket);
  if (object === '') return call('list', bucket);
  const copied = /^(.+)\/(?:rewriteTo|copyTo)\/b\/([^/]+)\/o\/(.+)$/.exec(object);
  if (copied !== null) return call('copy', copied[2], copied[3]);
  if (method === 'DELETE') return call('delete', bucket, object);
  return call(query.get('alt') === 'media' ? 'download' : 'stat', bucket, object);
}

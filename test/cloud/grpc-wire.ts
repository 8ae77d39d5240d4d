/**
 * What goes over the wire between a client and an emulator that speaks gRPC: a proxy of HTTP/2 that counts calls by name, and can answer in the emulator's place, hold a call up, or cut the line when the emulator has answered and the client has not heard it.
 */

import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';

export type WireFault =
  /** Instead of asking the emulator. `retryMs`, below 1,000: how long it asks to wait. */
  | { readonly status: number; readonly message: string; readonly retryMs?: number }
  /** The emulator does it, and its answer is lost with the line. */
  | 'lose'
  | { readonly delayMs: number };

export class GrpcWire {
  /** `Commit`, `ExecuteStreamingSql`, … in order. */
  readonly calls: string[] = [];
  /** Asked at every call. */
  fault: (call: string) => WireFault | undefined = () => undefined;
  /** Told of a call when its request was handed on whole; `at`: when it came, in milliseconds of `process.hrtime`. */
  heard: ((call: string, request: Buffer, at: number) => void) | undefined;
  port = 0;
  readonly #server: Http2Server = createServer();
  readonly #upstream: ClientHttp2Session;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(port: number) {
    this.#upstream = connect(`http://127.0.0.1:${String(port)}`);
    this.#upstream.on('error', () => undefined);
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => undefined).on('close', () => this.#sessions.delete(session));
    });
    this.#server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      void this.#pass(stream, headers);
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** How often each call was made since the last time. */
  take(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const call of this.calls.splice(0)) counts[call] = (counts[call] ?? 0) + 1;
    return counts;
  }

  async #pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const call = String(headers[':path']).split('/').at(-1) as string;
    this.calls.push(call);
    const at = Number(process.hrtime.bigint()) / 1e6;
    const fault = this.fault(call);
    if (typeof fault === 'object' && 'status' in fault) {
      const trailers = {
        'grpc-status': String(fault.status),
        'grpc-message': encodeURIComponent(fault.message),
        ...(fault.retryMs === undefined ? {} : { 'google.rpc.retryinfo-bin': retryInfo(fault.retryMs).toString('base64') }),
      };
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
      return;
    }
    if (typeof fault === 'object') await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    const request = this.#upstream.request(headers);
    request.on('error', () => stream.destroyed || stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    if (this.heard !== undefined) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => this.heard?.(call, Buffer.concat(pieces), at));
    }
    stream.pipe(request);
    if (fault === 'lose') {
      request.resume().on('end', () => stream.session?.destroy());
      return;
    }
    let trailers: IncomingHttpHeaders = {};
    request.on('trailers', (received) => (trailers = received));
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    request.on('response', (response, flags) => {
      if (stream.destroyed) return;
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) stream.respond(response, { endStream: true });
      else {
        stream.respond(response, { waitForTrailers: true });
        request.pipe(stream);
      }
    });
  }

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    this.#upstream.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** `google.rpc.RetryInfo` with so many milliseconds. */
function retryInfo(ms: number): Buffer {
  const duration = [0x10];
  for (let nanos = ms * 1e6; ; nanos = Math.floor(nanos / 128)) {
    if (nanos < 128) {
      duration.push(nanos);
      return Buffer.from([0x0a, duration.length, ...duration]);
    }
    duration.push((nanos % 128) + 128);
  }
}

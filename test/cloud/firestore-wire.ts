/**
 * What goes over the wire between a store and the Firestore emulator: a gRPC server that hands every call on and its answer back, counts them, and does with a call what a test says: refuse it, keep it waiting, hand it on and lose the answer.
 */

import type { status } from '@grpc/grpc-js';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js';

const unary = ['Commit', 'Rollback', 'BeginTransaction'] as const;
const streaming = ['BatchGetDocuments', 'RunQuery', 'RunAggregationQuery'] as const;
export type WireMethod = (typeof unary)[number] | (typeof streaming)[number] | 'Listen';

export interface Weather {
  /** Refused with this status; nothing is handed on. */
  readonly refuse?: status;
  /** Handed on; then its caller is told this instead of the answer. */
  readonly lose?: status;
  /** Handed on, and never answered. */
  readonly silent?: boolean;
  readonly delayMs?: number;
}

const asItIs = (bytes: Buffer): Buffer => bytes;

export class FirestoreWire {
  /** What happens to a call; `nth` of its method, from 1 on. */
  weather: (method: WireMethod, nth: number) => Weather | undefined = () => undefined;
  readonly counts = new Map<WireMethod, number>();
  host = '';
  readonly #client: Client;
  readonly #server = new Server({ 'grpc.max_receive_message_length': -1 });

  constructor(emulator: string) {
    this.#client = new Client(emulator, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  }

  async start(): Promise<this> {
    const definition: Record<string, ServiceDefinition[string]> = {};
    const implementation: Record<string, unknown> = {};
    for (const name of [...unary, ...streaming, 'Listen' as const]) {
      const streams = !(unary as readonly string[]).includes(name);
      definition[name] = {
        path: `/google.firestore.v1.Firestore/${name}`,
        requestStream: name === 'Listen',
        responseStream: streams,
        requestSerialize: asItIs,
        requestDeserialize: asItIs,
        responseSerialize: asItIs,
        responseDeserialize: asItIs,
      };
      implementation[name] = name === 'Listen' ? this.#listen : streams ? this.#stream(name as 'RunQuery') : this.#unary(name as 'Commit');
    }
    this.#server.addService(definition, implementation as never);
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.host = `127.0.0.1:${String(port)}`;
    return this;
  }

  /** Requests so far. */
  get calls(): number {
    return [...this.counts].reduce((sum, [method, count]) => (method === 'Listen' ? sum : sum + count), 0);
  }

  #weather(method: WireMethod): Weather {
    const nth = (this.counts.get(method) ?? 0) + 1;
    this.counts.set(method, nth);
    return this.weather(method, nth) ?? {};
  }

  #unary(method: (typeof unary)[number]): handleUnaryCall<Buffer, Buffer> {
    return (call, callback) => {
      const { refuse, lose, silent = false, delayMs = 0 } = this.#weather(method);
      if (refuse !== undefined) {
        callback({ code: refuse, details: `refused with ${String(refuse)}` });
        return;
      }
      const path = `/google.firestore.v1.Firestore/${method}`;
      setTimeout(() => {
        this.#client.makeUnaryRequest(path, asItIs, asItIs, call.request, onward(call.metadata), (error, answer) => {
          if (silent) return;
          if (lose !== undefined) callback({ code: lose, details: 'the answer was lost' });
          else if (error === null) callback(null, answer as Buffer);
          else callback({ code: error.code, details: error.details });
        });
      }, delayMs);
    };
  }

  #stream(method: (typeof streaming)[number]): handleServerStreamingCall<Buffer, Buffer> {
    return (call) => {
      const { refuse, silent = false, delayMs = 0 } = this.#weather(method);
      if (refuse !== undefined) {
        call.emit('error', { code: refuse, details: `refused with ${String(refuse)}` });
        return;
      }
      if (silent) return;
      setTimeout(() => {
        const answers = this.#client.makeServerStreamRequest(
          `/google.firestore.v1.Firestore/${method}`,
          asItIs,
          asItIs,
          call.request,
          onward(call.metadata),
        );
        answers.on('data', (answer: Buffer) => call.write(answer));
        answers.on('end', () => call.end());
        answers.on('error', (error: Error & { code: status; details: string }) =>
          call.emit('error', { code: error.code, details: error.details }),
        );
      }, delayMs);
    };
  }

  #listen: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    const onwards = this.#client.makeBidiStreamRequest('/google.firestore.v1.Firestore/Listen', asItIs, asItIs, onward(call.metadata));
    call.on('data', (request: Buffer) => onwards.write(request));
    call.on('end', () => onwards.end());
    call.on('cancelled', () => onwards.cancel());
    onwards.on('data', (answer: Buffer) => call.write(answer));
    onwards.on('end', () => call.end());
    onwards.on('error', () => call.end());
  };

  stop(): void {
    this.#server.forceShutdown();
    this.#client.close();
  }
}

function onward(metadata: Metadata): Metadata {
  const handed = new Metadata();
  for (const name of ['authorization', 'google-cloud-resource-prefix', 'x-goog-request-params']) {
    for (const value of metadata.get(name)) handed.set(name, value);
  }
  return handed;
}

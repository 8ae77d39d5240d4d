/**
 * What goes over the wire to Cloud Tasks, for what no emulator here can show: a gRPC server with the calls that are used, by the messages that the package ships. It is no emulator: it keeps what it is sent and
 * answers as a test says.
 */

import type { status } from '@grpc/grpc-js';
import { Server, ServerCredentials, type handleUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { protos } from '@google-cloud/tasks';

const { tasks } = protos.google.cloud;
const messages = {
  CreateTask: { request: tasks.v2.CreateTaskRequest, response: tasks.v2.Task },
  CreateQueue: { request: tasks.v2.CreateQueueRequest, response: tasks.v2.Queue },
  UpdateQueue: { request: tasks.v2.UpdateQueueRequest, response: tasks.v2.Queue },
};
type Call = keyof typeof messages;

/** As JSON: numbers of 64 bits are text, bytes are base64. */
export interface Seen {
  readonly call: Call;
  readonly request: any; // eslint-disable-line @typescript-eslint/no-explicit-any
}

export class TasksServer {
  readonly seen: Seen[] = [];
  /** The status that a call is answered with; undefined: OK. */
  answer: (call: Call, nth: number) => { readonly code: status; readonly details: string } | undefined = () => undefined;
  port = 0;
  readonly #server = new Server();

  async start(): Promise<this> {
    const definition: Record<string, ServiceDefinition[string]> = {};
    const implementation: Record<string, handleUnaryCall<unknown, unknown>> = {};
    for (const [name, { request, response }] of Object.entries(messages)) {
      definition[name] = {
        path: `/google.cloud.tasks.v2.CloudTasks/${name}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: (value: object) => Buffer.from(request.encode(value).finish()),
        requestDeserialize: (bytes: Buffer) => request.decode(bytes),
        responseSerialize: (value: object) => Buffer.from(response.encode(value).finish()),
        responseDeserialize: (bytes: Buffer) => response.decode(bytes),
      };
      implementation[name] = (call, reply) => {
        const seen = (request as typeof tasks.v2.CreateTaskRequest).toObject(call.request as never, {
          longs: String,
          bytes: String,
          enums: String,
        });
        this.seen.push({ call: name as Call, request: seen });
        const refusal = this.answer(name as Call, this.seen.length);
        if (refusal === undefined) reply(null, { name: 'as asked' });
        else reply(refusal);
      };
    }
    this.#server.addService(definition, implementation);
    this.port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return this;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

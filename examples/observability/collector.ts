/** A collector of OTLP over HTTP, in JSON: keeps what comes. A real one is the OpenTelemetry Collector, or Google Cloud's own address. */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** Nanoseconds since 1970, as text. */
  readonly startTimeUnixNano: string;
  readonly failed: boolean;
  /** Of the process. */
  readonly instance: string;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface Resourced {
  readonly resource?: { readonly attributes?: readonly Attribute[] };
}

interface TraceRequest {
  readonly resourceSpans?: readonly (Resourced & {
    readonly scopeSpans?: readonly {
      readonly spans?: readonly (Omit<CollectedSpan, 'failed' | 'instance'> & { readonly status?: { readonly code?: number } })[];
    }[];
  })[];
}

interface MetricsRequest {
  readonly resourceMetrics?: readonly (Resourced & {
    readonly scopeMetrics?: readonly { readonly metrics?: readonly { readonly name: string }[] }[];
  })[];
}

const instanceOf = ({ resource }: Resourced): string =>
  resource?.attributes?.find(({ key }) => key === 'service.instance.id')?.value.stringValue ?? '';

export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  /** Names, by process. */
  readonly metrics = new Map<string, Set<string>>();
  readonly #server = createServer((request, response) => {
    this.#take(request).then(
      () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
      (error: unknown) => response.writeHead(400).end(String(error)),
    );
  });

  /** Its address. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  async #take(request: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (request.url === '/v1/traces') this.#takeSpans(body as TraceRequest);
    else if (request.url === '/v1/metrics') this.#takeMetrics(body as MetricsRequest);
    else throw new Error(`nothing is taken at ${request.url ?? '/'}`);
  }

  #takeSpans({ resourceSpans = [] }: TraceRequest): void {
    for (const resourced of resourceSpans) {
      const instance = instanceOf(resourced);
      for (const { status, ...span } of (resourced.scopeSpans ?? []).flatMap(({ spans = [] }) => spans)) {
        const { traceId, spanId, name, startTimeUnixNano } = span;
        const parentSpanId = span.parentSpanId === '' ? undefined : span.parentSpanId;
        this.spans.push({ traceId, spanId, parentSpanId, name, startTimeUnixNano, failed: status?.code === 2, instance });
      }
    }
  }

  #takeMetrics({ resourceMetrics = [] }: MetricsRequest): void {
    for (const resourced of resourceMetrics) {
      const instance = instanceOf(resourced);
      const names = this.metrics.get(instance) ?? new Set();
      this.metrics.set(instance, names);
      for (const { metrics = [] } of resourced.scopeMetrics ?? []) for (const { name } of metrics) names.add(name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

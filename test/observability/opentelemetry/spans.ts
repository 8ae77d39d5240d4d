/** What was exported, kept in memory, and how it hangs together. */

import { context, propagation, trace, SpanStatusCode, type Span } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { openTelemetry, type Telemetry } from 'statewarden/opentelemetry';

export class Spans {
  readonly #exporter = new InMemorySpanExporter();
  readonly provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exporter)] });

  /** Contexts are the process's: one at a time has them. */
  register(): void {
    this.provider.register();
  }

  async unregister(): Promise<void> {
    await this.provider.shutdown();
    trace.disable();
    context.disable();
    propagation.disable();
  }

  get telemetry(): Telemetry {
    return openTelemetry({ tracerProvider: this.provider, meterProvider: false });
  }

  get all(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  /** By name, in the order in which they ended. */
  named(name: string): readonly ReadableSpan[] {
    return this.all.filter((span) => span.name === name);
  }

  /** The only one. */
  one(name: string): ReadableSpan {
    const [span, ...more] = this.named(name);
    if (span === undefined || more.length > 0)
      throw new Error(
        `${String(more.length + (span === undefined ? 0 : 1))} spans "${name}" of: ${this.all.map((one) => one.name).join(', ')}`,
      );
    return span;
  }

  /** Names from a span up to its root. */
  above(span: ReadableSpan): string[] {
    const parent = this.all.find((one) => one.spanContext().spanId === span.parentSpanContext?.spanId);
    return parent === undefined ? [span.name] : [span.name, ...this.above(parent)];
  }

  traces(): Set<string> {
    return new Set(this.all.map((span) => span.spanContext().traceId));
  }

  /** Those that hang from something that was not exported. */
  orphans(): string[] {
    const known = new Set(this.all.map((span) => span.spanContext().spanId));
    return this.all.filter(({ parentSpanContext: parent }) => parent !== undefined && !known.has(parent.spanId)).map(({ name }) => name);
  }

  roots(): string[] {
    return this.all.filter((span) => span.parentSpanContext === undefined).map(({ name }) => name);
  }

  failed(): string[] {
    return this.all.filter((span) => span.status.code === SpanStatusCode.ERROR).map(({ name }) => name);
  }

  /** Runs in a span of the program's own. */
  async within<T>(name: string, run: (span: Span) => Promise<T>): Promise<T> {
    return this.provider.getTracer('test').startActiveSpan(name, async (span) => {
      try {
        return await run(span);
      } finally {
        span.end();
      }
    });
  }
}

/** Waits for what comes by itself. */
export async function until(holds: () => boolean, what: string, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not within ${String(timeoutMs)} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

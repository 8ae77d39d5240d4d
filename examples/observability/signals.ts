/** What a program that uses Statewarden sets up once: where traces and metrics go, by OTLP over HTTP. */

import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { metrics, trace, type Tracer } from '@opentelemetry/api';

export interface Signals {
  readonly tracer: Tracer;
  /** Reads the gauges and sends: of a runtime that is closed there are none. */
  flush(): Promise<void>;
  /** Sends what is left. */
  end(): Promise<void>;
}

/** `collector`: `http://127.0.0.1:4318`. */
export function startSignals(collector: string, instance: string): Signals {
  const resource = resourceFromAttributes({ 'service.name': 'newsroom', 'service.instance.id': instance });
  const tracerProvider = new NodeTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${collector}/v1/traces` }), { scheduledDelayMillis: 50 })],
  });
  // Registered, its contexts follow asynchronous calls too.
  tracerProvider.register();
  const meterProvider = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url: `${collector}/v1/metrics` }),
        exportIntervalMillis: 200,
        exportTimeoutMillis: 200,
      }),
    ],
  });
  metrics.setGlobalMeterProvider(meterProvider);
  return {
    tracer: trace.getTracer('newsroom'),
    flush: () => meterProvider.forceFlush(),
    async end() {
      await tracerProvider.shutdown();
      await meterProvider.shutdown();
    },
  };
}

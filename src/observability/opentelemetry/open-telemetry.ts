/**
 * `telemetry: openTelemetry()`: a runtime's traces and metrics, through `@opentelemetry/api` alone. Which SDK collects them, and where to, is the program's business; without one all of it comes to nothing. The package is loaded when a
 * runtime opens this, and not before.
 */

import type { Meter, Tracer } from '@opentelemetry/api';
import { BadInputError, CapabilityMissingError } from '../../core/errors.js';
import type { Telemetry } from '../telemetry.js';
import { Metrics } from './metrics.js';
import { ApiTracing } from './tracing.js';

/** OpenTelemetry's providers, as far as they are needed: this entry's types do not ask for a package that may not be there. */
export interface TracerSource {
  getTracer(name: string): unknown;
}
export interface MeterSource {
  getMeter(name: string): unknown;
}

export interface OpenTelemetryOptions {
  /** Default: the global one, which an SDK registers; `false`: no spans. */
  readonly tracerProvider?: TracerSource | false;
  /** Default: the global one; `false`: no metrics, and no runtime events are made for them. */
  readonly meterProvider?: MeterSource | false;
  /** Whether gauges read the store's counts at each collection. They cost reads on a store in a cloud. Default true. */
  readonly storeCounts?: boolean;
}

/** The instrumentation's name. */
const scope = 'statewarden';

/** @throws BadInputError */
export function openTelemetry({ tracerProvider, meterProvider, storeCounts = true }: OpenTelemetryOptions = {}): Telemetry {
  check('tracerProvider', tracerProvider, 'getTracer');
  check('meterProvider', meterProvider, 'getMeter');
  return {
    async open(failed) {
      const api = await import('@opentelemetry/api').catch((cause: unknown) => {
        throw new CapabilityMissingError('openTelemetry() needs the package "@opentelemetry/api"', {
          hint: 'Run npm install @opentelemetry/api, beside statewarden, and an SDK that collects: @opentelemetry/sdk-node.',
          cause,
        });
      });
      const tracer = tracerProvider === false ? undefined : ((tracerProvider ?? api.trace).getTracer(scope) as Tracer);
      const meter = meterProvider === false ? undefined : ((meterProvider ?? api.metrics).getMeter(scope) as Meter);
      const metrics = meter === undefined ? undefined : new Metrics(meter, { storeCounts, failed });
      return {
        tracing: tracer === undefined ? undefined : new ApiTracing(api, tracer),
        started: (source) => metrics?.start(source),
        close: () => metrics?.stop(),
      };
    },
  };
}

function check(option: string, provider: unknown, method: string): void {
  if (provider === undefined || provider === false) return;
  if (typeof (provider as Record<string, unknown> | null)?.[method] === 'function') return;
  throw new BadInputError(`openTelemetry()'s ${option} is ${provider === null ? 'null' : typeof provider}`, {
    hint: `Give one with ${method}(), false for none, or leave it out for the global one.`,
  });
}

/**
 * Structured logs by pino: a JSON line each, with the members that Cloud Logging takes out of a line on standard output (Cloud Run, GKE, the Ops Agent): severity, message, time, trace, span, labels. `pino` is loaded when this is called, and
 * not before.
 */

import { createRequire } from 'node:module';
import type { context, trace } from '@opentelemetry/api';
import type { pino as Pino } from 'pino';
import { BadInputError, CapabilityMissingError } from '../../core/errors.js';
import { errorOf } from '../../core/codec.js';
import type { RuntimeEvent } from '../../core/runtime-event.js';
import { writeTraceparent } from '../../core/traceparent.js';
import { errorMembers, eventMembers, labelMembers, messageOf, placeMembers, type Members } from './line.js';
import { severityOf, type Severity } from './severity.js';

/** pino's logger, as far as it is needed: this entry's types do not ask for a package that may not be there. */
export type Lines = Readonly<Record<Lowercase<Severity>, LineWriter>> & {
  /** One whose lines have these members too. */
  child(members: object): Lines;
};

interface LineWriter {
  (message: string): void;
  (members: object, message?: string): void;
}

export interface CloudLoggingOptions {
  /** What matters less is not written. Default `info`. */
  readonly level?: 'debug' | 'info' | 'notice' | 'warning' | 'error' | 'critical';
  /** Where lines go. Default: standard output. */
  readonly destination?: { write(line: string): void };
  /** Of Google Cloud: traces are named by it. Default: GOOGLE_CLOUD_PROJECT; without any, a trace is its bare id. */
  readonly projectId?: string | undefined;
  /** Of every line. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface CloudLogging {
  /** For `createRuntime({ logger })`: what machines `log`, at INFO. */
  readonly logger: (...values: unknown[]) => void;
  /** For `runtime.events$.subscribe(…)`. */
  readonly events: (event: RuntimeEvent) => void;
  /** For lines of the program's own: the same members, and what is active as their trace. */
  readonly pino: Lines;
}

/** Cloud Logging's severities among pino's numbers. */
const levels = { debug: 20, info: 30, notice: 35, warning: 40, error: 50, critical: 60 } as const;
const names: readonly (readonly [number, Severity])[] = [
  [60, 'CRITICAL'],
  [50, 'ERROR'],
  [40, 'WARNING'],
  [35, 'NOTICE'],
  [30, 'INFO'],
];

/** @throws BadInputError, CapabilityMissingError */
export function cloudLogging({ level = 'info', destination, projectId, labels = {} }: CloudLoggingOptions = {}): CloudLogging {
  if (!Object.hasOwn(levels, level)) {
    throw new BadInputError(`cloudLogging()'s level is ${JSON.stringify(level)}`, { hint: `Give ${Object.keys(levels).join(', ')}.` });
  }
  const require = createRequire(import.meta.url);
  const pinoOf = loadPino(require);
  const project = projectId ?? process.env['GOOGLE_CLOUD_PROJECT'];
  const active = activeTrace(require);
  // What a runtime tells says itself where it belongs; what is active just then is whoever's.
  let telling = false;
  const common = { 'logging.googleapis.com/labels': labels };
  const options = {
    level,
    customLevels: { debug: 20, info: 30, notice: 35, warning: 40, warn: 40, error: 50, critical: 60 },
    useOnlyCustomLevels: true,
    base: null,
    messageKey: 'message',
    errorKey: 'error',
    timestamp: pinoOf.stdTimeFunctions.isoTime,
    formatters: { level: (_label: string, number: number) => ({ severity: severityAt(number) }) },
    // What a line says of its own place and labels comes after this and wins.
    mixin: (): Members => ({ ...(Object.keys(labels).length === 0 ? {} : common), ...(telling ? {} : placeMembers(active(), project)) }),
  };
  const lines = pinoOf(options, destination) as unknown as Lines;
  return {
    pino: lines,
    logger: (...values) => {
      const [error] = values.filter((value) => value instanceof Error);
      lines.info(errorMembers(error), values.map(textOf).join(' '));
    },
    events: (event) => {
      const members = {
        ...placeMembers(event.trace, project),
        ...labelMembers(event, labels),
        ...eventMembers(event),
        ...errorMembers('error' in event && event.error !== undefined ? errorOf(event.error) : undefined),
      };
      telling = true;
      lines[severityOf(event).toLowerCase() as Lowercase<Severity>](members, messageOf(event));
      telling = false;
    },
  };
}

function severityAt(number: number): Severity {
  return names.find(([from]) => number >= from)?.[1] ?? 'DEBUG';
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.message;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function loadPino(require: NodeJS.Require): typeof Pino {
  try {
    return (require('pino') as { readonly pino: typeof Pino }).pino;
  } catch (cause) {
    throw new CapabilityMissingError('cloudLogging() needs the package "pino"', {
      hint: 'Run npm install pino, beside statewarden.',
      cause,
    });
  }
}

/** What is active by OpenTelemetry, where that is installed. */
function activeTrace(require: NodeJS.Require): () => string | undefined {
  let api: { readonly trace: typeof trace; readonly context: typeof context };
  try {
    api = require('@opentelemetry/api') as typeof api;
  } catch {
    return () => undefined;
  }
  return () => {
    const context = api.trace.getSpanContext(api.context.active());
    if (context === undefined) return undefined;
    return writeTraceparent({ traceId: context.traceId, spanId: context.spanId, flags: context.traceFlags });
  };
}

/**
 * What the runtime traces, as spans. Their names have few values: kinds, event types, activities. Whose work it was, and which, is in attributes. Spans of turns end when the store has the turn, so none is exported that is not durable.
 */

import type * as OpenTelemetryApi from '@opentelemetry/api';
import type { Attributes, Context, Link, Span, SpanContext, Tracer } from '@opentelemetry/api';
import type {
  BirthSpan,
  CallSpan,
  RecoverySpan,
  TracedAgent,
  TracedCall,
  TracedTurn,
  Tracing,
  TurnSpan,
  WorkSpan,
} from '../../actors/tracing.js';
import { errorOf } from '../../core/codec.js';
import { StatewardenError } from '../../core/errors.js';
import { readTraceparent, writeTraceparent } from '../../core/traceparent.js';

export type Api = Pick<typeof OpenTelemetryApi, 'context' | 'trace' | 'ROOT_CONTEXT' | 'SpanStatusCode' | 'isSpanContextValid'>;

/** Of a commit's span. */
const mostLinks = 128;

export class ApiTracing implements Tracing {
  readonly #api: Api;
  readonly #tracer: Tracer;

  constructor(api: Api, tracer: Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  active(): string | undefined {
    const { context, trace } = this.#api;
    return textOf(this.#api, trace.getSpanContext(context.active()));
  }

  within<T>(place: string | undefined, run: () => T): T {
    return place === undefined ? run() : this.#api.context.with(this.#contextOf(place), run);
  }

  birth(kind: string, id: string): BirthSpan {
    const attributes = { 'statewarden.agent.id': id, 'statewarden.agent.kind': kind };
    return new Work(this.#api, this.#tracer.startSpan(`spawn ${kind}`, { attributes }, this.#api.context.active()));
  }

  turn({ agent, event, sequenceNumber, parent }: TracedTurn): TurnSpan {
    const attributes = { ...whose(agent), 'statewarden.event.type': event, 'statewarden.sequence_number': sequenceNumber };
    return this.#hanging(`turn ${agent.kind} ${event}`, attributes, parent, agent);
  }

  call({ agent, activity, operationId, attempt, compensates, parent }: TracedCall): CallSpan {
    const attributes: Attributes = {
      ...whose(agent),
      'statewarden.activity.name': activity,
      'statewarden.operation.id': operationId,
      'statewarden.attempt': attempt,
    };
    if (compensates !== undefined) attributes['statewarden.operation.compensates'] = compensates;
    return this.#hanging(`activity ${activity}`, attributes, parent, agent);
  }

  recovery(agent: TracedAgent): RecoverySpan {
    return this.#hanging(`recover ${agent.kind}`, whose(agent), undefined, agent);
  }

  commit(group: Parameters<Tracing['commit']>[0]): WorkSpan | undefined {
    const places = group.flatMap(({ traces = [] }) => traces.flatMap(({ trace }) => trace ?? []));
    // Of several traces it belongs to one that is recorded, if there is one.
    const parent = places.find((place) => ((readTraceparent(place)?.flags ?? 0) & 1) === 1) ?? places[0];
    if (parent === undefined) return undefined;
    let [turns, bytes] = [0, 0];
    for (const sealed of group) {
      turns += sealed.turns;
      bytes += sealed.bytes;
    }
    const attributes = { 'statewarden.commit.agents': group.length, 'statewarden.commit.turns': turns, 'statewarden.commit.bytes': bytes };
    const links = places.slice(0, mostLinks).flatMap((place) => this.#linkTo(place));
    return new Work(this.#api, this.#tracer.startSpan('commit', { attributes, links }, this.#contextOf(parent)));
  }

  /** What belongs to another trace than its agent is linked to the agent's own place. */
  #hanging(name: string, attributes: Attributes, parent: string | undefined, { trace: own }: TracedAgent): Work {
    const links = parent !== undefined && own !== undefined && !sameTrace(parent, own) ? this.#linkTo(own) : [];
    return new Work(this.#api, this.#tracer.startSpan(name, { attributes, links }, this.#contextOf(parent ?? own)));
  }

  #linkTo(place: string): Link[] {
    const context = spanContextOf(place);
    return context === undefined ? [] : [{ context }];
  }

  #contextOf(place: string | undefined): Context {
    const { trace, ROOT_CONTEXT } = this.#api;
    const context = spanContextOf(place);
    return context === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, context);
  }
}

/** Any span of ours. */
class Work implements TurnSpan, CallSpan, BirthSpan, RecoverySpan {
  readonly #api: Api;
  readonly #span: Span;
  #trace: string | undefined;

  constructor(api: Api, span: Span) {
    this.#api = api;
    this.#span = span;
  }

  get trace(): string | undefined {
    return (this.#trace ??= textOf(this.#api, this.#span.spanContext()));
  }

  within<T>(run: () => T): T {
    const { context, trace } = this.#api;
    return context.with(trace.setSpan(context.active(), this.#span), run);
  }

  existed(): void {
    this.#span.setAttribute('statewarden.spawn.existed', true);
  }

  replayed(fromSequenceNumber: number, turns: number): void {
    this.#span.setAttributes({ 'statewarden.recovery.from': fromSequenceNumber, 'statewarden.recovery.turns': turns });
  }

  failed(thrown: unknown): void {
    const error = errorOf(thrown);
    this.#span.setAttribute('error.type', error instanceof StatewardenError ? error.code : error.name);
    this.#span.recordException(error);
    this.#span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: error.message });
  }

  lost(error: unknown): void {
    this.#span.setAttribute('statewarden.lost', true);
    this.failed(error);
    this.ended();
  }

  ended(): void {
    this.#span.end();
  }
}

function whose({ id, kind }: TracedAgent): Attributes {
  return { 'statewarden.agent.id': id, 'statewarden.agent.kind': kind };
}

function sameTrace(one: string, other: string): boolean {
  return one.slice(3, 35) === other.slice(3, 35);
}

function spanContextOf(place: string | undefined): SpanContext | undefined {
  const read = readTraceparent(place);
  return read && { traceId: read.traceId, spanId: read.spanId, traceFlags: read.flags, isRemote: true };
}

function textOf(api: Api, context: SpanContext | undefined): string | undefined {
  if (context === undefined || !api.isSpanContextValid(context)) return undefined;
  return writeTraceparent({ traceId: context.traceId, spanId: context.spanId, flags: context.traceFlags });
}

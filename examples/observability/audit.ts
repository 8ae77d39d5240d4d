/** What must hold of all that came: one trace with one root, every span's parent known, spans of both processes, every metric, every line of an agent in that trace. */

import type { CollectedSpan, Collector } from './collector.js';

export type Line = Readonly<Record<string, unknown>>;

/** Those that a workflow like this has something to say of. */
export const wantedMetrics = [
  'statewarden.turn.duration',
  'statewarden.commit.duration',
  'statewarden.commit.size',
  'statewarden.checkpoint.duration',
  'statewarden.checkpoint.size',
  'statewarden.state.growth',
  'statewarden.activity.duration',
  'statewarden.agents',
  'statewarden.agents.resident',
  'statewarden.mailbox.depth',
  'statewarden.dead_letters.waiting',
  'statewarden.store.size',
] as const;

export interface Audit {
  readonly traces: number;
  readonly roots: readonly string[];
  readonly spans: Readonly<Record<string, number>>;
  readonly lines: number;
  readonly faults: readonly string[];
}

export function audit({ spans, metrics }: Collector, lines: readonly Line[]): Audit {
  const faults: string[] = [];
  const known = new Map(spans.map((span) => [span.spanId, span]));
  const traces = new Set(spans.map(({ traceId }) => traceId));
  if (traces.size !== 1) faults.push(`${String(traces.size)} traces`);
  const [trace = ''] = traces;
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined).map(({ name }) => name);
  if (roots.length !== 1) faults.push(`${String(roots.length)} roots: ${roots.join(', ')}`);
  for (const { name, parentSpanId } of spans) {
    if (parentSpanId !== undefined && !known.has(parentSpanId)) faults.push(`"${name}" hangs from a span that did not come`);
  }
  const count: Record<string, number> = {};
  for (const { instance } of spans) count[instance] = (count[instance] ?? 0) + 1;
  for (const life of ['1', '2']) {
    if (count[life] === undefined) faults.push(`life ${life} has no span in it`);
    const names = metrics.get(life) ?? new Set();
    for (const name of wantedMetrics) if (!names.has(name)) faults.push(`life ${life} did not tell ${name}`);
  }
  // Of agents that come back, only the second life has any.
  if (metrics.get('2')?.has('statewarden.recovery.duration') !== true) faults.push('life 2 did not tell statewarden.recovery.duration');
  const ofAgents = lines.filter((line) => 'agentId' in ((line['statewarden'] as object | undefined) ?? {}));
  for (const line of ofAgents) {
    if (line['logging.googleapis.com/trace'] !== `projects/my-project/traces/${trace}`)
      faults.push(`a line of no trace: ${String(line['message'])}`);
    else if (!known.has(line['logging.googleapis.com/spanId'] as string))
      faults.push(`a line of a span that did not come: ${String(line['message'])}`);
  }
  if (ofAgents.length === 0) faults.push('no line of an agent');
  return { traces: traces.size, roots, spans: count, lines: ofAgents.length, faults };
}

/** The trace as it hangs together, with the life that each span is of. */
export function drawing(spans: readonly CollectedSpan[]): string[] {
  const children = new Map<string | undefined, CollectedSpan[]>();
  for (const span of [...spans].sort((one, other) => (BigInt(one.startTimeUnixNano) < BigInt(other.startTimeUnixNano) ? -1 : 1))) {
    children.set(span.parentSpanId, [...(children.get(span.parentSpanId) ?? []), span]);
  }
  const draw = (parent: string | undefined, depth: number): string[] =>
    (children.get(parent) ?? []).flatMap(({ spanId, name, instance, failed }) => [
      `${instance} ${'  '.repeat(depth)}${name}${failed ? ' (failed)' : ''}`,
      ...draw(spanId, depth + 1),
    ]);
  return draw(undefined, 0);
}

/**
 * `statewarden artifacts lifecycle gs://BUCKET[/PREFIX]`: which lifecycle rule a bucket would be given for its artifacts, beside those that it has, and what in its settings does not suit them. With `--apply` it is given the rule.
 * It needs no agents' store.
 */

import { nearest } from '../../core/nearest.js';
import { BadInputError } from '../../core/errors.js';
import { applyLifecycle, planLifecycle, type LifecyclePlan, type LifecycleRule } from '../../persistence/gcs/index.js';
import { printable, type Output, type Terminal } from '../output.js';
import type { ExitCode } from '../session.js';
import { UsageError } from '../usage-error.js';

const usage = 'Write statewarden artifacts lifecycle gs://BUCKET/PREFIX [--apply].';

/** The place that is meant. @throws UsageError */
export function artifactWords(words: readonly string[]): string {
  const [action, place, stray] = words;
  if (action === undefined) throw new UsageError('artifacts needs an action', usage);
  if (action !== 'lifecycle') {
    const [close] = nearest(action, ['lifecycle']);
    throw new UsageError(`"${action}" is no action of artifacts`, close === undefined ? usage : `Did you mean "${close}"?`);
  }
  if (place === undefined) throw new UsageError('artifacts lifecycle needs a bucket', usage);
  if (stray !== undefined) throw new UsageError(`"${stray}" is one word too many`, usage);
  return place;
}

/** @throws UsageError, StoreOpenError, StoreUnavailableError, CapabilityMissingError */
export async function lifecycle(place: string, apply: boolean, output: Output, aside: Terminal): Promise<ExitCode> {
  const plan = await (apply ? applyLifecycle(place) : planLifecycle(place)).catch((error: unknown) => {
    throw error instanceof BadInputError ? new UsageError(error.message, error.hint) : error;
  });
  if (output.json) {
    output.document(plan);
    return 0;
  }
  output.line(`${plan.place}: ${outcomeOf(plan)}`);
  output.heading('Lifecycle rules of the bucket');
  output.table(rowsOf(plan), [
    { title: '', text: ({ what }) => what, colour: ({ what }) => (what === 'new' ? 'green' : what === 'goes' ? 'red' : undefined) },
    { title: 'ACTION', text: ({ rule }) => rule.action.type },
    { title: 'CONDITION', text: ({ rule }) => conditionOf(rule) },
  ]);
  for (const warning of plan.warnings) aside.write(`warning: ${printable(warning)}\n`);
  return 0;
}

function outcomeOf({ changes, applied }: LifecyclePlan): string {
  if (applied) return 'the rules were changed';
  return changes ? 'nothing was changed; --apply changes the rules' : 'the rules are as they are to be';
}

interface Row {
  readonly what: 'stays' | 'new' | 'goes';
  readonly rule: LifecycleRule;
}

function rowsOf({ before, after }: LifecyclePlan): Row[] {
  return [
    ...before.map((rule): Row => ({ what: after.includes(rule) ? 'stays' : 'goes', rule })),
    ...after.filter((rule) => !before.includes(rule)).map((rule): Row => ({ what: 'new', rule })),
  ];
}

function conditionOf({ condition }: LifecycleRule): string {
  return Object.entries(condition)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(', ') : String(value)}`)
    .join(', ');
}

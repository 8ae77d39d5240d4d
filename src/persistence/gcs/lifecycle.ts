/**
 * The lifecycle rule of a bucket that artifacts are in: it removes staging objects that are a day old, should no listing have swept them, and nothing else. It is set when somebody asks for it, beside the rules that the
 * bucket has, and only if these are still the same. What else a bucket does to artifacts (rules that remove them, copies that it keeps of what is removed) is told.
 */

import { unavailable, unopened, isRefused } from './faults.js';
import { checkedOptions, type GcsOptions } from './options.js';
import { persistently } from './patience.js';
import { contentFolder, nameOf, stagingFolder, type GcsPlace } from './place.js';
import { connectStorage, type BucketMetadata } from './sdk.js';

/** As the JSON API has it. */
export interface LifecycleRule {
  readonly action: { readonly type: string };
  readonly condition: { readonly age?: number; readonly matchesPrefix?: readonly string[]; readonly [condition: string]: unknown };
}

export interface LifecyclePlan {
  /** `gs://BUCKET/PREFIX`. */
  readonly place: string;
  /** Rules of the bucket as they are, and as they are to be, or are now that it was applied. */
  readonly before: readonly LifecycleRule[];
  readonly after: readonly LifecycleRule[];
  readonly changes: boolean;
  readonly applied: boolean;
  /** What in the bucket's settings removes artifacts that are needed, or keeps those that are not. */
  readonly warnings: readonly string[];
}

/** Somebody else changes the same bucket. */
const tries = 5;

/** The rule for one place. */
export function lifecycleRule(place: GcsPlace): LifecycleRule {
  return { action: { type: 'Delete' }, condition: { age: 1, matchesPrefix: [stagingFolder(place)] } };
}

/** What `applyLifecycle` would change. @throws BadInputError, StoreOpenError, StoreUnavailableError, CapabilityMissingError */
export async function planLifecycle(options: string | GcsOptions): Promise<LifecyclePlan> {
  return settle(options, false);
}

/** Sets the rule; needs `storage.buckets.update` (roles/storage.admin). @throws BadInputError, StoreOpenError, StoreUnavailableError, CapabilityMissingError */
export async function applyLifecycle(options: string | GcsOptions): Promise<LifecyclePlan> {
  return settle(options, true);
}

async function settle(options: string | GcsOptions, apply: boolean): Promise<LifecyclePlan> {
  const { place, client, timeoutMs } = checkedOptions(options);
  const { single: bucket } = await connectStorage(place.bucket, client);
  for (let time = 1; ; time += 1) {
    try {
      const [metadata] = await persistently(timeoutMs, () => bucket.getMetadata());
      const plan = planned(place, metadata);
      if (!apply || !plan.changes) return plan;
      const ifMetagenerationMatch = metadata.metageneration ?? 0;
      await persistently(timeoutMs, () => bucket.setMetadata({ lifecycle: { rule: plan.after } }, { ifMetagenerationMatch }));
      return { ...plan, applied: true };
    } catch (error) {
      if (isRefused(error) && time < tries) continue;
      throw isRefused(error)
        ? unavailable(error, nameOf(place), place.bucket, 'written')
        : unopened(error, nameOf(place), place.bucket, 'bucket');
    }
  }
}

function planned(place: GcsPlace, metadata: BucketMetadata): LifecyclePlan {
  const before = (metadata.lifecycle?.rule ?? []) as readonly LifecycleRule[];
  const wanted = lifecycleRule(place);
  const isSame = before.some((rule) => JSON.stringify(ordered(rule)) === JSON.stringify(ordered(wanted)));
  const after = isSame ? before : [...before.filter((rule) => !isOurs(rule, place)), wanted];
  return { place: nameOf(place), before, after, changes: !isSame, applied: false, warnings: warningsOf(place, metadata, after) };
}

/** A rule of ours with another age. */
function isOurs({ action, condition }: LifecycleRule, place: GcsPlace): boolean {
  const { age, matchesPrefix, ...others } = condition;
  return (
    action.type === 'Delete' &&
    age !== undefined &&
    matchesPrefix?.length === 1 &&
    matchesPrefix[0] === stagingFolder(place) &&
    Object.keys(others).length === 0
  );
}

function ordered({ action, condition }: LifecycleRule): unknown {
  return [action.type, Object.keys(action).length, Object.entries(condition).sort(([a], [b]) => (a < b ? -1 : 1))];
}

/** Conditions that hold for what is no live object only. */
const pastOnly = ['daysSinceNoncurrentTime', 'noncurrentTimeBefore', 'numNewerVersions'];

function warningsOf(place: GcsPlace, { versioning, softDeletePolicy }: BucketMetadata, rules: readonly LifecycleRule[]): string[] {
  const content = contentFolder(place);
  const removing = rules.filter(
    ({ action, condition }) =>
      action.type === 'Delete' &&
      condition['isLive'] !== false &&
      !pastOnly.some((name) => name in condition) &&
      (condition.matchesPrefix ?? ['']).some((prefix) => content.startsWith(prefix) || prefix.startsWith(content)),
  );
  const seconds = Number(softDeletePolicy?.retentionDurationSeconds ?? 0);
  return [
    ...removing.map((rule) => `a rule removes artifacts by their age, whether something points to them or not: ${JSON.stringify(rule)}`),
    ...(seconds > 0
      ? [
          `soft delete keeps what is removed, and each copy that a put replaces, for ${String(Math.round(seconds / 86_400))} days, and that is paid for: gcloud storage buckets update gs://${place.bucket} --clear-soft-delete`,
        ]
      : []),
    ...(versioning?.enabled === true
      ? [`object versioning keeps each copy that a put replaces: gcloud storage buckets update gs://${place.bucket} --no-versioning`]
      : []),
  ];
}

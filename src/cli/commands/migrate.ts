/** `statewarden migrate`: shows what a store lacks of the schema of this version, and does it. Steps that were cut off are completed by the next run. */

import type { Migration } from '../../persistence/spanner/index.js';
import type { Output, Terminal } from '../output.js';
import type { ExitCode } from '../session.js';
import type { StorePlace } from '../../persistence/urls/store-url.js';

export interface MigrateContext {
  readonly url: StorePlace;
  readonly output: Output;
  /** Standard error, for progress. */
  readonly aside: Terminal;
  /** Only shows. */
  readonly dryRun: boolean;
}

/** @throws StoreOpenError, StoreSchemaError */
export async function migrate({ url, output, aside, dryRun }: MigrateContext): Promise<ExitCode> {
  if (url.spanner === undefined) {
    if (output.json) output.document({ store: url.name, migratesItself: true, steps: [], applied: false });
    else output.line(`${url.name} migrates itself when it is opened: there is nothing to do`);
    return 0;
  }
  const { migrateSpanner, pendingSpannerMigration } = await import('../../persistence/spanner/index.js');
  const done = dryRun
    ? await pendingSpannerMigration(url.spanner)
    : await migrateSpanner(url.spanner, ({ version, title }) => void aside.write(`version ${String(version)}: ${title} …\n`));
  const applied = !dryRun && done.steps.length > 0;
  if (output.json) output.document({ store: url.name, migratesItself: false, ...done, applied });
  else printMigration(url.name, done, applied, output);
  return 0;
}

function printMigration(name: string, { from, to, steps }: Migration, applied: boolean, output: Output): void {
  if (steps.length === 0) {
    output.line(`${name} is at version ${String(to)}: there is nothing to do`);
    return;
  }
  const before = from === 0 ? 'no tables' : `version ${String(from)}`;
  output.line(
    applied ? `${name} went from ${before} to version ${String(to)}` : `${name} has ${before}, and would go to version ${String(to)}:`,
  );
  for (const { version, title } of steps) output.line(`  ${String(version)}  ${title}`);
}

/** `statewarden archive`, `restore`, `prune`: agents out of the store into an artifact store and back, and out for good. Each agent by itself: stopped in the middle, a command is begun again and goes on with the rest. */

import { archiveAgents, restoreAgents, type ArchiveAgentsOptions } from '../../persistence/tiers/archive-agents.js';
import type { AgentChoice } from '../../persistence/tiers/choice.js';
import { prune, type PruneOptions } from '../../persistence/tiers/prune.js';
import type { ArtifactStore } from '../../persistence/artifacts/artifact-store.js';
import { count, printable, size } from '../output.js';
import { Progress } from '../progress.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';

export type ArchiveFlags = AgentChoice & Pick<ArchiveAgentsOptions, 'finishedForMs' | 'idleForMs'> & { readonly dryRun: boolean };

/** Why agents stay where they are, in words. */
const keptInWords: Readonly<Record<string, string>> = {
  archived: 'archived already',
  working: 'with something under way, or waiting for them',
  attention: 'with an operation that a person is to look at',
  supervised: 'up, under a supervisor',
  down: 'parked or suspended',
  internal: 'supervisors and budgets',
  held: 'held by a runtime that is up, or changed meanwhile',
};

/** @throws UsageError without an artifact store */
export async function archive(session: Session, flags: ArchiveFlags): Promise<ExitCode> {
  const { store, output, now } = session;
  const artifacts = await artifactsOf(session);
  const report = await within(session, 'archiving', (progress) => archiveAgents({ store, artifacts, now, progress, ...flags }));
  const absent = await absentOf(session, flags);
  if (output.json) {
    const { archived, bytes, unpackedBytes, kept } = report;
    output.document({ dryRun: flags.dryRun, archived, bytes, unpackedBytes, kept, absent, failed: report.failed.map(failedDocument) });
  } else {
    const packed = flags.dryRun || report.archived.length === 0 ? '' : `: ${size(report.unpackedBytes)} in ${size(report.bytes)}`;
    output.line(`${flags.dryRun ? 'would archive' : 'archived'} ${count(report.archived.length, 'agent')}${packed}`);
    if (flags.dryRun) for (const id of report.archived) output.line(`  ${printable(id)}`);
    for (const [why, n] of Object.entries(report.kept)) output.line(output.paint('dim', `left ${String(n)} ${keptInWords[why] ?? why}`));
    tellOf(session, absent, report.failed);
  }
  return report.failed.length > 0 || absent.length > 0 ? 1 : 0;
}

/** @throws UsageError without an artifact store */
export async function restore(session: Session, flags: AgentChoice & { readonly dryRun: boolean }): Promise<ExitCode> {
  const { store, output } = session;
  const artifacts = await artifactsOf(session);
  const report = await within(session, 'restoring', (progress) => restoreAgents({ store, artifacts, progress, ...flags }));
  const absent = await absentOf(session, flags);
  if (output.json) {
    const { restored, bytes } = report;
    output.document({ dryRun: flags.dryRun, restored, bytes, absent, failed: report.failed.map(failedDocument) });
  } else {
    output.line(`${flags.dryRun ? 'would restore' : 'restored'} ${count(report.restored.length, 'agent')}`);
    if (flags.dryRun) for (const id of report.restored) output.line(`  ${printable(id)}`);
    tellOf(session, absent, report.failed);
  }
  return report.failed.length > 0 || absent.length > 0 ? 1 : 0;
}

export async function pruneStore(
  session: Session,
  flags: Omit<PruneOptions, 'store' | 'now' | 'artifacts' | 'progress'> & { readonly dryRun: boolean },
): Promise<ExitCode> {
  const { store, output, now } = session;
  const artifacts = await session.artifacts();
  const report = await within(session, 'pruning', (progress) =>
    prune({ store, now, progress, ...flags, ...(artifacts === undefined ? {} : { artifacts }) }),
  );
  const { removed, kept, deadLetters, space } = report;
  if (output.json) {
    output.document({ dryRun: flags.dryRun, removed, kept, deadLetters, artifacts: report.artifacts ?? null, space: space ?? null });
    return 0;
  }
  output.line(`${flags.dryRun ? 'would remove' : 'removed'} ${count(removed.length, 'agent')}, ${count(deadLetters, 'dead letter')}`);
  if (flags.dryRun) for (const id of removed) output.line(`  ${printable(id)}`);
  if (kept > 0)
    output.line(output.paint('dim', `left ${count(kept, 'agent')}: changed meanwhile, with mail, or under a supervisor that is up`));
  if (report.artifacts !== undefined)
    output.line(`removed ${count(report.artifacts.removed, 'artifact')}, ${size(report.artifacts.bytes)}`);
  if (space !== undefined) output.line(`the store has ${size(space.after)}, ${size(Math.max(0, space.before - space.after))} less`);
  else if (!flags.dryRun && flags.reclaim !== false && store.reclaim !== undefined) {
    output.line(output.paint('dim', 'the file keeps its size while a runtime has it open: what was freed is used again'));
  }
  return 0;
}

async function artifactsOf({ artifacts }: Session): Promise<ArtifactStore> {
  const opened = await artifacts();
  if (opened !== undefined) return opened;
  throw new UsageError(
    'which artifact store?',
    'Say so with --artifacts, files:./agents-archive or gs://BUCKET/PREFIX, or STATEWARDEN_ARTIFACTS.',
  );
}

async function within<T>(
  { aside, now }: Session,
  label: string,
  work: (progress: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new Progress(aside, label, now);
  try {
    return await work((done, total) => bar.show(done, total));
  } finally {
    bar.end();
  }
}

/** Of the ids that were named, those that no agent has. */
async function absentOf({ store }: Session, { ids = [] }: AgentChoice): Promise<string[]> {
  const records = ids.length === 0 ? [] : await store.lookup(ids);
  return ids.filter((_, index) => records[index] === undefined);
}

function failedDocument({ id, error }: { readonly id: string; readonly error: Error }): object {
  return { id, code: (error as { code?: string }).code ?? null, message: error.message };
}

function tellOf({ aside }: Session, absent: readonly string[], failed: readonly { readonly id: string; readonly error: Error }[]): void {
  for (const id of absent) aside.write(`there is no agent ${printable(JSON.stringify(id))}\n`);
  for (const { error } of failed) {
    const { code = 'UNEXPECTED', hint } = error as { code?: string; hint?: string };
    aside.write(`${code}: ${printable(error.message)}\n${hint === undefined ? '' : `hint: ${hint}\n`}`);
  }
}

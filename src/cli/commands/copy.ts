/** `statewarden copy FROM TO`: all that a store has into another one; with `--move` its agents run there from then on. */

import { statSync } from 'node:fs';
import type { ArtifactStore } from '../../persistence/artifacts/artifact-store.js';
import { encrypted, EncryptedStore } from '../../persistence/encryption/encrypted-store.js';
import { keyFile } from '../../persistence/encryption/key-file.js';
import { cancelCopy, copyStore, type CopyReport } from '../../persistence/moving/copy-store.js';
import { StoreOpenError } from '../../core/errors.js';
import type { Store } from '../../persistence/store.js';
import type { StorePlace } from '../../persistence/urls/store-url.js';
import { openArtifacts } from '../artifacts-url.js';
import { count, type Output, type Terminal } from '../output.js';
import { Progress } from '../progress.js';
import type { ExitCode } from '../session.js';
import { anyStore, existingStore, openStore } from '../store-url.js';

export interface CopyTools {
  readonly now: () => number;
  readonly output: () => Output;
}

export interface CopyPlaces {
  readonly source: StorePlace;
  readonly target: StorePlace;
  /** Key files. */
  readonly keys: string | undefined;
  readonly keysTo: string | undefined;
}

interface CopyFlags {
  readonly move: boolean;
  readonly waitMs: number;
  readonly artifactsFrom: string | undefined;
  readonly artifactsTo: string | undefined;
}

export async function copy({ now, output: newOutput }: CopyTools, places: CopyPlaces, flags: CopyFlags): Promise<ExitCode> {
  const { move, waitMs, artifactsFrom, artifactsTo } = flags;
  const { source, target } = places;
  const output = newOutput();
  await assertThere(source, places.keys, now);
  const bar = new Progress(process.stderr, 'copying', now);
  let report: CopyReport;
  let from: ArtifactStore | undefined;
  let to: ArtifactStore | undefined;
  try {
    const stores = await storesOf(places);
    if (artifactsFrom !== undefined) from = await openArtifacts(artifactsFrom, now, sealedAmong(stores.from));
    await makeTables(target, process.stderr);
    if (artifactsTo !== undefined) to = await openArtifacts(artifactsTo, now, sealedAmong(stores.to));
    report = await copyStore({
      ...stores,
      ...{ move, waitMs },
      progress: (done, total) => bar.show(done, total),
      waiting: (other) => void process.stderr.write(`waiting until the lease of ${other} has run out …\n`),
      ...(from === undefined || to === undefined ? {} : { artifacts: { from, to } }),
    });
  } finally {
    bar.end();
    await Promise.all([from?.close(), to?.close()]);
  }
  if (output.json) output.document({ from: source.name, to: target.name, moved: move, dryRun: false, ...report });
  else {
    const { agents, unchanged, deadLetters, artifacts } = report;
    const there = unchanged === 0 ? '' : ` (${String(unchanged)} were there already)`;
    const more = `${count(deadLetters, 'dead letter')}${artifacts === 0 ? '' : `, ${count(artifacts, 'artifact')}`}`;
    output.line(`${move ? 'moved' : 'copied'} ${count(agents, 'agent')}${there}, ${more}; all were read back and compared`);
    if (move) output.line(`they run in ${target.name} from now on; ${source.name} is as they left it, and no runtime starts there`);
  }
  return 0;
}

export async function cancel({ output: newOutput, now }: CopyTools, places: CopyPlaces): Promise<ExitCode> {
  const { source, target } = places;
  const output = newOutput();
  await assertThere(source, places.keys, now);
  await assertThere(target, places.keysTo, now);
  await cancelCopy(await storesOf(places));
  if (output.json) output.document({ from: source.name, to: target.name, cancelled: true });
  else output.line(`agents run in ${source.name} as before; what is in ${target.name} is not complete: remove it`);
  return 0;
}

export async function lookAhead({ output: newOutput, now }: CopyTools, { source, target, keys }: CopyPlaces): Promise<ExitCode> {
  const output = newOutput();
  const store = await openStore(source, now, keys);
  try {
    const [counts, nodes] = [await store.counts(), await store.nodes()];
    const agents = Object.values(counts.agents).reduce((sum, n) => sum + n, 0);
    const isNew = !(await isThere(target, now));
    if (output.json) {
      const { deadLetters } = counts;
      output.document({ from: source.name, to: target.name, dryRun: true, agents, deadLetters, runtimes: nodes.length, new: isNew });
    } else {
      output.line(
        `would copy ${count(agents, 'agent')}, ${count(counts.deadLetters, 'dead letter')} to ${target.name}, which is ${isNew ? 'made' : 'there'}`,
      );
      if (nodes.length > 0) output.line(`${count(nodes.length, 'runtime')} to be stopped first, or sent home with --move`);
    }
    return 0;
  } finally {
    await store.close();
  }
}

/** @throws StoreOpenError, and for one that is encrypted and has no key file, or the other way round */
async function assertThere(url: StorePlace, keys: string | undefined, now: () => number): Promise<void> {
  await (await openStore(url, now, keys)).close();
}

/** A database in Spanner that is empty gets its tables. @throws StoreOpenError when it has tables of others */
async function makeTables({ spanner }: StorePlace, aside: Terminal): Promise<void> {
  if (spanner === undefined) return;
  const { migrateSpanner, pendingSpannerMigration } = await import('../../persistence/spanner/index.js');
  // Tables of another version are for `statewarden migrate`: opening says so.
  if ((await pendingSpannerMigration(spanner)).from > 0) return;
  await migrateSpanner(spanner, ({ version, title }) => void aside.write(`version ${String(version)}: ${title} …\n`), { onlyEmpty: true });
}

/** Whether there is a store already, empty or not. */
async function isThere(place: StorePlace, now: () => number): Promise<boolean> {
  if (place.path !== '') return (statSync(place.path, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (place.spanner !== undefined) {
    const { pendingSpannerMigration } = await import('../../persistence/spanner/index.js');
    return (await pendingSpannerMigration(place.spanner)).from > 0;
  }
  try {
    await (await (await existingStore(place)).open({ now })).close();
    return true;
  } catch (error) {
    // Without a cause: it was looked for, and there is none.
    if (error instanceof StoreOpenError && error.cause === undefined) return false;
    throw error;
  }
}

async function storesOf({ source, target, keys, keysTo }: CopyPlaces): Promise<{ readonly from: Store; readonly to: Store }> {
  const [from, to] = await Promise.all([existingStore(source), anyStore(target)]);
  return { from: sealedWith(from, keys), to: sealedWith(to, keysTo) };
}

function sealedAmong(store: Store): EncryptedStore | undefined {
  return store instanceof EncryptedStore ? store : undefined;
}

function sealedWith(store: Store, keys: string | undefined): Store {
  return keys === undefined ? store : encrypted(store, { keys: keyFile(keys) });
}

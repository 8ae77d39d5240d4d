/** The commands for where agents are kept: into an artifact store, back, out for good. */

import type { CAC } from 'cac';
import { parseAge } from './age.js';
import type { Typed } from './people-commands.js';
import { looksLikeStore } from './store-url.js';
import { UsageError } from './usage-error.js';

const artifactsText = 'files:PATH or a path, gs://BUCKET/PREFIX; else STATEWARDEN_ARTIFACTS, `artifacts` in statewarden.config.json';
const dryText = 'Say what would be done, and do nothing';
const kindText = 'Only of this kind';
const prefixText = 'Only ids that start so';

/** Flags without a value. */
export const tierFlags = ['--finished', '--archived', '--dry-run', '--keep-size'];

export function addTierCommands(cli: CAC, { text, number, givenOf, withStore }: Typed): void {
  const age = (name: string): number | undefined => {
    const typed = text(name);
    return typed === undefined ? undefined : parseAge(name, typed);
  };
  const given = (name: string): boolean => givenOf([name]).length > 0;
  /** What is common to all. */
  const choice = (): { kind?: string; prefix?: string; dryRun: boolean } => {
    const [kind, prefix] = [text('kind'), text('prefix')];
    return { ...(kind === undefined ? {} : { kind }), ...(prefix === undefined ? {} : { prefix }), dryRun: given('dry-run') };
  };
  /** `[ID …] [STORE]` */
  const wordsOf = (words: readonly string[]): { ids: readonly string[] | undefined; place: string | undefined } => {
    const last = words.at(-1);
    const isPlace = last !== undefined && text('store') === undefined && looksLikeStore(last, process.cwd());
    const ids = isPlace ? words.slice(0, -1) : words;
    return { ids: ids.length === 0 ? undefined : ids, place: isPlace ? last : undefined };
  };
  cli
    .command('archive [...words]', 'Move agents from the store to an artifact store until they are needed: [ID …] [STORE]')
    .option('--artifacts <url>', artifactsText)
    .option('--finished', 'Those that have ended')
    .option('--finished-for <age>', 'Those that have ended so long ago: 7d')
    .option('--idle <age>', 'Those that have had nothing to do for so long: 30d')
    .option('--kind <kind>', kindText)
    .option('--prefix <prefix>', prefixText)
    .option('--dry-run', dryText)
    .example('  $ statewarden archive --finished --idle 30d --artifacts ./agents-archive')
    .example('  $ statewarden archive orders/o-42 ./agents.db --artifacts ./agents-archive')
    .action((words: readonly string[]) => {
      const { ids, place } = wordsOf(words);
      const [finishedFor, idle] = [age('finished-for'), age('idle')];
      const finished = finishedFor ?? (given('finished') ? 0 : undefined);
      if (ids === undefined && finished === undefined && idle === undefined) {
        throw new UsageError('which agents?', 'Name them, or say --finished, --finished-for 7d, --idle 30d.');
      }
      // Those that are named go whether they have ended or rest, unless it is said otherwise.
      const all = ids !== undefined && finished === undefined && idle === undefined;
      const ages = { finishedForMs: all ? 0 : (finished ?? Infinity), idleForMs: all ? 0 : (idle ?? Infinity) };
      return withStore(place, async (session) =>
        (await import('./commands/tiers.js')).archive(session, { ...choice(), ...ages, ...(ids === undefined ? {} : { ids }) }),
      );
    });
  cli
    .command('restore [...words]', 'Bring archived agents back into the store: [ID …] [STORE]')
    .option('--artifacts <url>', artifactsText)
    .option('--all', 'All there are')
    .option('--kind <kind>', kindText)
    .option('--prefix <prefix>', prefixText)
    .option('--dry-run', dryText)
    .example('  $ statewarden restore orders/o-42 --artifacts ./agents-archive')
    .example('  $ statewarden restore --all ./agents.db')
    .action((words: readonly string[]) => {
      const { ids, place } = wordsOf(words);
      const options = choice();
      if (ids === undefined && !given('all') && options.kind === undefined && options.prefix === undefined) {
        throw new UsageError('which agents?', 'Name them, or say --all, --kind KIND, --prefix PREFIX.');
      }
      return withStore(place, async (session) =>
        (await import('./commands/tiers.js')).restore(session, { ...options, ...(ids === undefined ? {} : { ids }) }),
      );
    });
  cli
    .command('prune [store]', 'Remove for good what nobody needs any more, and give the space back')
    .option('--finished-for <age>', 'Agents that have ended so long ago: 90d')
    .option('--keep <n>', 'The oldest agents that have ended, until so many of them are left')
    .option('--archived', 'Only those that are archived')
    .option('--dead-letters-for <age>', 'Dead letters that are so old')
    .option('--artifacts <url>', `Artifacts that nothing points to, in ${artifactsText}`)
    .option('--kind <kind>', kindText)
    .option('--prefix <prefix>', prefixText)
    .option('--keep-size', 'Leave the freed space in the file')
    .option('--dry-run', dryText)
    .example('  $ statewarden prune --finished-for 90d --dead-letters-for 30d --dry-run')
    .example('  $ statewarden prune ./agents.db --archived --finished-for 365d --artifacts ./agents-archive')
    .action((place?: string) => {
      const [finishedForMs, deadLettersForMs] = [age('finished-for') ?? Infinity, age('dead-letters-for') ?? Infinity];
      const options = { ...choice(), finishedForMs, deadLettersForMs, finishedAtMost: number('keep', 0, Infinity) };
      return withStore(place, async (session) =>
        (await import('./commands/tiers.js')).pruneStore(session, {
          ...options,
          archivedOnly: given('archived'),
          reclaim: !given('keep-size'),
        }),
      );
    });
}

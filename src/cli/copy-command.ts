/** The declaration of `statewarden copy`. */

import type { CAC } from 'cac';
import { parseAge } from './age.js';
import type { CopyPlaces, CopyTools } from './commands/copy.js';
import { keysPath } from './keys-commands.js';
import { placeOf } from './store-url.js';
import { UsageError } from './usage-error.js';

/** Flags without a value. */
export const copyFlags = ['--move', '--cancel'];

interface Typed extends CopyTools {
  readonly text: (name: string) => string | undefined;
  readonly givenOf: (names: readonly string[]) => readonly string[];
}

export function addCopyCommand(cli: CAC, typed: Typed): void {
  const { text, givenOf } = typed;
  cli
    .command('copy <from> <to>', 'Copy all that a store has into another one, which is empty; begun again it goes on')
    .option('--move', 'The agents run there from now on: runtimes that have FROM open are sent home, none starts on it any more')
    .option('--wait <age>', '--move: so long these may take', { default: '30s' })
    .option('--artifacts-from <url>', 'Copy archives and large results too: where they are')
    .option('--artifacts-to <url>', 'Where they go: files:PATH or a path, gs://BUCKET/PREFIX')
    .option('--keys-to <file>', 'Key file that TO is encrypted with; else that of FROM')
    .option('--cancel', 'Call off a copy that was stopped: agents run where they were')
    .option('--dry-run', 'Say what would be copied, and do nothing')
    .example('  $ statewarden copy sqlite:./agents.db sqlite:./copy.db')
    .example(
      '  $ statewarden copy ./agents.db firestore://my-project --move --artifacts-from ./archive --artifacts-to gs://my-bucket/archive',
    )
    .action(async (from: string, to: string) => {
      if (text('store') !== undefined) throw new UsageError('copy takes two stores and no --store', 'statewarden copy FROM TO.');
      const [source, target] = [placeOf(from, process.cwd()), placeOf(to, process.cwd())];
      const given = (name: string): boolean => givenOf([name]).length > 0;
      const [artifactsFrom, artifactsTo] = [text('artifacts-from'), text('artifacts-to')];
      if ((artifactsFrom === undefined) !== (artifactsTo === undefined)) {
        throw new UsageError(
          '--artifacts-from and --artifacts-to go together',
          'Give both, or neither: then both stores point to the same artifacts.',
        );
      }
      const waitMs = parseAge('wait', text('wait') ?? '30s');
      const keys = keysPath(text('keys'), process.env);
      const places: CopyPlaces = { source, target, keys, keysTo: text('keys-to') ?? keys };
      const { cancel, copy, lookAhead } = await import('./commands/copy.js');
      if (given('cancel')) return cancel(typed, places);
      if (given('dry-run')) return lookAhead(typed, places);
      return copy(typed, places, { move: given('move'), waitMs, artifactsFrom, artifactsTo });
    });
}

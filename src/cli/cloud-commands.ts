/** Commands for what stands in the cloud: the rule of a bucket, the tables of a database. */

import type { CAC } from 'cac';
import type { Output, Terminal } from './output.js';
import type { StorePlace } from '../persistence/urls/store-url.js';

interface Typed {
  /** Whether a flag was given. */
  readonly has: (flag: string) => boolean;
  readonly urlOf: (place: string | undefined) => StorePlace;
  readonly output: () => Output;
  readonly aside: Terminal;
}

export function addCloudCommands(cli: CAC, { has, urlOf, output, aside }: Typed): void {
  cli
    .command('artifacts [...words]', 'The lifecycle rule of a bucket for its artifacts: lifecycle gs://BUCKET/PREFIX')
    .option('--apply', 'Set it; else it is shown what would change')
    .example('  $ statewarden artifacts lifecycle gs://my-artifacts/agents')
    .example('  $ statewarden artifacts lifecycle gs://my-artifacts/agents --apply')
    .action(async (words: readonly string[]) => {
      const { artifactWords, lifecycle } = await import('./commands/artifacts.js');
      return lifecycle(artifactWords(words), has('--apply'), output(), aside);
    });
  cli
    .command('migrate [store]', 'Bring the tables of a Spanner database to this version; other stores do that when they are opened')
    .option('--dry-run', 'Only show what is to be done')
    .example('  $ statewarden migrate spanner://my-project/main/agents --dry-run')
    .action(async (place?: string) => {
      const { migrate } = await import('./commands/migrate.js');
      return migrate({ url: urlOf(place), output: output(), aside, dryRun: has('--dry-run') });
    });
}

/** The command that shows machines as data. */

import type { CAC } from 'cac';
import { machineFormats } from './machines.js';
import type { Typed } from './people-commands.js';
import { looksLikeStore } from './store-url.js';
import { UsageError } from './usage-error.js';

const choosing = ['version', 'format', 'agent', 'compare', 'out'];

export function addMachineCommand(cli: CAC, { text, givenOf, withStore }: Typed): void {
  cli
    .command(
      'machine [...words]',
      'Machines of a store; one as an outline, a picture or data; what differs between two: [KIND] [--version N] [STORE]',
    )
    .option('--version <n>', 'This version, N or N/SCHEMA; else that of --agent, else the newest')
    .option('--format <format>', `${machineFormats.join(', ')}; without it an outline`)
    .option('--agent <id>', 'svg, outline: light what is active in this agent')
    .option('--compare <version>', 'What has changed since this version: N, KIND@N, N/SCHEMA')
    .option('--out <file>', 'Write it into this file')
    .example('  $ statewarden machine ./agents.db')
    .example('  $ statewarden machine order --format svg --out order.svg')
    .example('  $ statewarden machine order --format svg --agent orders/o-42 > o-42.svg')
    .example('  $ statewarden machine order --version 3 --compare 2')
    .action((words: readonly string[]) => {
      const { kind, place } = machineWords(words, text('store') !== undefined);
      const agent = text('agent');
      if (kind === undefined && agent === undefined) {
        const [stray] = givenOf(choosing);
        if (stray !== undefined)
          throw new UsageError(`--${stray} of which machine?`, `Name its kind: statewarden machine KIND --${stray} …`);
        return withStore(place, async (session) => (await import('./commands/machine.js')).machines(session));
      }
      const options = { kind, agent, version: text('version'), format: text('format'), compare: text('compare'), out: text('out') };
      if (options.compare !== undefined && (options.format !== undefined || agent !== undefined)) {
        throw new UsageError(
          '--compare goes with neither --format nor --agent',
          'Leave it out, or say --json for the differences as data.',
        );
      }
      return withStore(place, async (session) => (await import('./commands/machine.js')).machine(session, options));
    });
}

/** `[KIND] [STORE]` @throws UsageError */
function machineWords(words: readonly string[], hasStore: boolean): { kind: string | undefined; place: string | undefined } {
  const [first, second, third] = words;
  if (third !== undefined) throw new UsageError(`"${third}" is one word too many`, 'A kind and a store are all there is to say.');
  if (second !== undefined) return { kind: first, place: second };
  const isPlace = first !== undefined && !hasStore && looksLikeStore(first, process.cwd());
  return isPlace ? { kind: undefined, place: first } : { kind: first, place: undefined };
}

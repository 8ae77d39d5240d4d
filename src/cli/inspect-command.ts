/** `statewarden inspect ID`: a stored agent in the Stately inspector. */

import type { CAC } from 'cac';
import type { Typed } from './people-commands.js';
import { UsageError } from './usage-error.js';

export function addInspectCommand(cli: CAC, { text, number, withStore }: Typed): void {
  cli
    .command(
      'inspect <id> [store]',
      "Show an agent's past in the Stately inspector, until stopped; with --json print its messages, one a line",
    )
    .option('--at <n>', 'As it was after this event')
    .option('--from <n>', 'Begin with this event')
    .option('--app <file>', 'ES module that exports `agents`, as createRuntime takes them: every turn has its snapshot then')
    .option('--speed <n>', '1: as fast as it was; 10: ten times as fast. Default: at once')
    .option('--port <n>', '0: any that is free', { default: 0 })
    .option('--artifacts <url>', 'Where archived agents and large results are')
    .example('  $ statewarden inspect orders/o-42 --app ./agents.js')
    .example('  $ statewarden inspect orders/o-42 --at 17')
    .example('  $ statewarden inspect orders/o-42 --json | jq .type')
    .action((id: string, place?: string) => {
      const [at, from, port] = [number('at', 1, Infinity), number('from', 1, 1), number('port', 0, 0)];
      if (from > at) throw new UsageError(`--from ${String(from)} is after --at ${String(at)}`, 'Begin with an event up to the last.');
      if (port > 65_535) throw new UsageError(`--port is "${String(port)}"`, 'Give a number from 0 (any that is free) to 65535.');
      const [speed, app] = [speedOf(text('speed')), text('app')];
      const onStop = (stop: () => void): void => void ['SIGTERM', 'SIGINT'].forEach((signal) => process.once(signal, stop));
      return withStore(place, async (session) =>
        (await import('./commands/inspect.js')).inspect(session, id, { at, from, port, speed, app, onStop }),
      );
    });
}

/** @throws UsageError */
function speedOf(text: string | undefined): number {
  const speed = text === undefined ? Infinity : Number(text);
  if (speed > 0) return speed;
  throw new UsageError(`--speed is "${String(text)}"`, 'Give a number greater than 0; leave it out for all at once.');
}

/** The command line: what may be asked for, its defaults, and the help text. */

import { parseArgs } from 'node:util';
import { UsageError } from './usage-error.js';

export interface Options {
  /** Path of the outage script; undefined for the one that is here. */
  readonly outage: string | undefined;
  /** Where store, journal and board are kept. */
  readonly dir: string;
  readonly paceMs: number;
  readonly fresh: boolean;
  readonly chaos: boolean;
  readonly kills: number;
  readonly seed: number;
  readonly json: boolean;
  readonly help: boolean;
}

export const help = `An outage, and a fleet of durable agents that fights it while its own members crash, hang and are poisoned.

  npm run incident-fleet
  npm run incident-fleet -- --chaos              killed at random points, resumed until done
  npm run incident-fleet -- --outage my.json     another outage

Kill it (Ctrl-C, kill -9) and run the same command again: it goes on where it was.

  --outage FILE   services, faults and the name of a log, as in examples/incident-fleet/outage.json
  --dir FOLDER    where agents.db, journal.jsonl and board.json are kept (default .incident-fleet)
  --fresh         forget what is there and begin again
  --pace MS       what a call to the outside takes at least (default 80)
  --chaos         kill the process with SIGKILL and resume it, then compare the board with that of an undisturbed run
  --kills N       how often (default 5)
  --seed N        when (default 1)
  --json          the last line is one JSON object: incidents, closed, deadLetters, redriven, restarts, crashes, repeated, boardSha256, …
  -h, --help

Exit codes: 0 done, 1 failed, 2 called wrongly, 130 stopped with Ctrl-C.
`;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        outage: { type: 'string' },
        dir: { type: 'string', default: '.incident-fleet' },
        pace: { type: 'string', default: '80' },
        fresh: { type: 'boolean', default: false },
        chaos: { type: 'boolean', default: false },
        kills: { type: 'string', default: '5' },
        seed: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0] ?? 'unknown option', 'See npm run incident-fleet -- --help');
  }
  if (values.outage === '') throw new UsageError('the name of the outage script is empty', 'Leave --outage out for the one that is here.');
  if (values.dir === '') throw new UsageError('the name of the folder is empty', 'Leave --dir out for .incident-fleet.');
  return {
    outage: values.outage,
    dir: values.dir,
    paceMs: whole('pace', values.pace, 60_000),
    fresh: values.fresh,
    chaos: values.chaos,
    kills: whole('kills', values.kills, 1_000),
    seed: whole('seed', values.seed, 4_294_967_295),
    json: values.json,
    help: values.help,
  };
}

function whole(name: string, text: string, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value > most) {
    throw new UsageError(`--${name} is "${text}"`, `Give a whole number from 0 to ${String(most)}.`);
  }
  return value;
}

/** What the command takes. */

import { parseArgs } from 'node:util';

export const failures = ['intake', 'identity', 'credit', 'approval', 'deadline', 'disburse', 'notify', 'recall'] as const;
export type Failure = (typeof failures)[number];

export interface Options {
  readonly dir: string | undefined;
  /** `none`: nothing, where otherwise every failure is meant. */
  readonly fail: Failure | 'none' | undefined;
  /** Which of the places, or its name. */
  readonly killAt: number | string | undefined;
  readonly everywhere: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

export class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export const help = `npm run loan-saga -- [options]

A loan through five outside systems and one person, whose office may die at any instruction.

  --fail WHAT     ${failures.join(', ')}:
                  the bank refuses it;
                  approval: the person says no; deadline: nobody decides;
                  recall: the letter is refused, and then the money is not taken back until somebody calls
  --kill-at N     the office dies at the Nth place where it touches the store or the network, and is started again;
                  also by name: --kill-at 'after POST /disburse'
  --everywhere    dies at each of them, one run for each; without --fail: for every failure and
                  for none, with --fail none only for none
  --dir DIR       where the office keeps its file. Default: a new temporary folder, removed at the end
  --json          the outcome as JSON, on the last line
`;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        dir: { type: 'string' },
        fail: { type: 'string' },
        'kill-at': { type: 'string' },
        everywhere: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message, 'npm run loan-saga -- --help lists the options.');
  }
  const { fail, 'kill-at': killAt, everywhere } = values;
  if (fail !== undefined && fail !== 'none' && !failures.includes(fail as Failure)) {
    throw new UsageError(`--fail ${fail}: there is no such step`, `Use one of ${failures.join(', ')}.`);
  }
  if (killAt !== undefined && !/^([1-9]\d*|(before|after) .+)$/.test(killAt)) {
    throw new UsageError(
      `--kill-at ${killAt} is no place`,
      "Give a whole number from 1, or a name: 'before commit', 'after POST /disburse'.",
    );
  }
  if (killAt !== undefined && everywhere) throw new UsageError('--kill-at and --everywhere are given', 'Give one of them.');
  return {
    dir: values.dir,
    fail: fail as Options['fail'],
    killAt: killAt === undefined || /^\D/.test(killAt) ? killAt : Number(killAt),
    everywhere,
    json: values.json,
    help: values.help,
  };
}

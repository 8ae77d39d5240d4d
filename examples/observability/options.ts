/** What the command takes. */

import { parseArgs } from 'node:util';

export interface Options {
  readonly dir: string | undefined;
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

export const help = `npm run observability -- [options]

A report by an editor and three writers, whose process is killed in the middle and started again. What it traces, counts and logs goes to a collector
in this command, which looks whether the trace is whole.

  --dir DIR       where the agents' file is. Default: a new temporary folder, removed at the end
  --json          the outcome as JSON, on the last line
`;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { dir: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    return { dir: values.dir, json: values.json === true, help: values.help === true };
  } catch (error) {
    throw new UsageError((error as Error).message, 'See npm run observability -- --help.');
  }
}

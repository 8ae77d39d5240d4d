/** The command line: what may be asked for, its defaults, and the help text. */

import { parseArgs } from 'node:util';
import { UsageError } from './usage-error.js';

export interface Options {
  /** Folder to read; undefined for the READMEs of the installed packages. */
  readonly folder: string | undefined;
  readonly question: string | undefined;
  /** Where store, call log and report are kept. */
  readonly dir: string;
  /** URL of the store; undefined for `agents.db` in `dir`. */
  readonly store: string | undefined;
  /** URL of the place for large values; undefined: they stay in the store. */
  readonly artifacts: string | undefined;
  /** Processes at work together. */
  readonly nodes: number;
  readonly researchers: number;
  readonly paceMs: number;
  readonly flakyEvery: number;
  readonly run: string | undefined;
  readonly fresh: boolean;
  readonly chaos: boolean;
  readonly kills: number;
  readonly seed: number;
  readonly json: boolean;
  readonly help: boolean;
}

export const help = `A small team of durable agents reads documents and writes a cited report.

  npm start                                  the READMEs of the installed packages
  npm start -- ./docs                        a folder of text or Markdown
  npm start -- ./docs --question "How …?"    with a question in mind
  npm start -- --chaos                       killed at random points, resumed until done
  npm start -- --nodes 3                     three processes share the team

Kill it (Ctrl-C, kill -9) and run the same command again: it goes on where it was.

  -q, --question TEXT   what the report should answer; default: what the documents are about
  --researchers N       topics, and researchers working at once (1 to 12, default 5)
  --dir FOLDER          where agents.db, calls.jsonl and report.md are kept (default .research-team)
  --store URL           another store: sqlite:PATH, firestore://PROJECT/DATABASE/PREFIX, spanner://PROJECT/INSTANCE/DATABASE
                        (else STATEWARDEN_STORE, else agents.db in the folder)
  --artifacts URL       large values go there: a folder, or gs://BUCKET/PREFIX (else STATEWARDEN_ARTIFACTS, else none do)
  --nodes N             so many processes at once (1 to 8, default 1); the same command started twice does it too
  --fresh               drop an unfinished run and start a new one
  --run ID              go on with this run, or show it if it is finished
  --pace MS             what a call to the local model takes at least (default 150)
  --flaky N             one of N calls fails at first with a 503 (default 7; 0: none)
  --chaos               kill a process with SIGKILL and start it again, then compare the report with that of an undisturbed run
  --kills N             how often (default 5)
  --seed N              when (default 1)
  --json                the last line is one JSON object: calls, reused, retried, repeated, crashes, reportSha256, …
  -h, --help

  STATEWARDEN_LLM=gemini with GEMINI_API_KEY or GOOGLE_API_KEY asks Gemini instead of the local model
  (npm install @google/genai; GEMINI_MODEL chooses the model).

Exit codes: 0 done, 1 failed, 2 called wrongly, 130 stopped with Ctrl-C.
`;

/** @throws UsageError */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        question: { type: 'string', short: 'q' },
        dir: { type: 'string', default: '.research-team' },
        store: { type: 'string' },
        artifacts: { type: 'string' },
        nodes: { type: 'string', default: '1' },
        researchers: { type: 'string', default: '5' },
        pace: { type: 'string', default: '150' },
        flaky: { type: 'string', default: '7' },
        run: { type: 'string' },
        fresh: { type: 'boolean', default: false },
        chaos: { type: 'boolean', default: false },
        kills: { type: 'string', default: '5' },
        seed: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0] ?? 'unknown option', 'See npm start -- --help');
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1)
    throw new UsageError(`one folder, please: ${positionals.join(' ')}`, 'Put a question in quotes: --question "How …?"');
  if (values.question?.trim() === '')
    throw new UsageError('the question is empty', 'Leave --question out to learn what the documents are about.');
  if (values.run !== undefined && values.fresh) throw new UsageError('--run and --fresh exclude each other', 'Leave one of them out.');
  if (values.chaos && values.fresh)
    throw new UsageError('--chaos and --fresh exclude each other', 'Name another --dir for a run of its own.');
  const nodes = whole('nodes', values.nodes, 1, 8);
  if (nodes > 1 && values.fresh) throw new UsageError('--nodes and --fresh exclude each other', 'Name another --dir for a run of its own.');
  const folder = positionals[0];
  if (folder === '')
    throw new UsageError('the name of the folder is empty', 'Name a folder, or none for the READMEs of the installed packages.');
  return {
    folder,
    question: values.question?.trim(),
    dir: values.dir,
    store: values.store ?? given(env['STATEWARDEN_STORE']),
    artifacts: values.artifacts ?? given(env['STATEWARDEN_ARTIFACTS']),
    nodes,
    researchers: whole('researchers', values.researchers, 1, 12),
    paceMs: whole('pace', values.pace, 0, 60_000),
    flakyEvery: whole('flaky', values.flaky, 0, 1_000_000),
    run: values.run,
    fresh: values.fresh,
    chaos: values.chaos,
    kills: whole('kills', values.kills, 0, 1_000),
    seed: whole('seed', values.seed, 0, 4_294_967_295),
    json: values.json,
    help: values.help,
  };
}

const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`--${name} is "${text}"`, `Give a whole number from ${String(least)} to ${String(most)}.`);
  }
  return value;
}

/** The command: `npm start -- [FOLDER] [options]`. Says what happens in plain words and ends with an exit code that means something. */

import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadInputError, StatewardenError } from 'statewarden';
import { pastRuns } from './archive.js';
import { chaos, type ChaosSummary } from './chaos.js';
import { CorpusError, folderSource, packagesSource } from './corpus.js';
import { childMark, Crew, type CrewRequest } from './crew.js';
import { extractiveModel } from './model/extractive.js';
import { geminiModel } from './model/gemini.js';
import type { LanguageModel } from './model/language-model.js';
import { help, parseOptions, type Options } from './options.js';
import type { Output } from './progress.js';
import { chooseRun, prepare, run, RunFailedError, RunStoppedError, storeOf, type RunRequest, type Summary } from './run.js';
import { UsageError } from './usage-error.js';

/** How many of the same crew there are; 0: this is no child. */
const crewSize = Number(process.env[childMark] ?? 0);
const isChild = crewSize > 0;

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, process.env);
  const { stdout } = process;
  if (options.help) {
    stdout.write(help);
    return 0;
  }
  const shared = crewSize > 1 || (!isChild && options.store !== undefined);
  const label = crewSize > 1 ? `${String(process.pid)}  ` : '';
  const output: Output = {
    write: (text) => stdout.write(text.replace(/^(?=.)/gm, label)),
    live: stdout.isTTY && !shared,
    columns: (stdout.columns ?? 0) || 100,
  };
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort());
  process.once('SIGTERM', () => stopping.abort());
  // A job without its parent is nobody's: it must not go on in the background.
  if (isChild) process.once('disconnect', orphaned);

  const cwd = process.cwd();
  const here = fileURLToPath(new URL('.', import.meta.url));
  const model = await chooseModel(process.env);
  const request: RunRequest = {
    dir: resolve(cwd, options.dir),
    store: options.store,
    artifacts: options.artifacts,
    source: options.folder === undefined ? packagesSource([cwd, here]) : folderSource(options.folder, cwd),
    question: options.question,
    researchers: options.researchers,
    model,
    paceMs: options.paceMs,
    flakyEvery: options.flakyEvery,
    run: options.run,
    fresh: options.fresh,
    shared,
    output,
    signal: stopping.signal,
  };
  const summary = options.chaos || options.nodes > 1 ? await together(request, options, args) : await run(request);
  if (isChild) process.send?.(summary);
  else {
    stdout.write(inWords(summary, relative(cwd, summary.reportPath)));
    if (options.json) stdout.write(`${JSON.stringify(summary)}\n`);
  }
  const sound = summary.repeated === 0 && summary.unwitnessed === 0 && !('identical' in summary && !summary.identical);
  return sound ? 0 : 1;
}

function orphaned(): void {
  process.exit(1);
}

/** As a crew of processes, under chaos or not. */
async function together(request: RunRequest, options: Options, args: readonly string[]): Promise<Summary | ChaosSummary> {
  if (options.chaos && request.model.name !== extractiveModel().name) {
    throw new UsageError('--chaos compares two runs and needs a model that always answers the same', 'Leave STATEWARDEN_LLM out.');
  }
  prepare(request.dir);
  const id = chooseRun(await pastRuns(storeOf(request)), request);
  const ours = /^--(chaos|json|nodes(=.*)?)$/;
  const childArgs = args.filter((arg, index) => !ours.test(arg) && args[index - 1] !== '--nodes');
  const crew: CrewRequest = { ...request, run: id, nodes: options.nodes, script: fileURLToPath(import.meta.url), args: childArgs };
  return options.chaos ? chaos({ ...crew, kills: options.kills, seed: options.seed }) : new Crew(crew).result();
}

async function chooseModel(env: NodeJS.ProcessEnv): Promise<LanguageModel> {
  const name = env['STATEWARDEN_LLM'] ?? 'local';
  if (name === 'local' || name === '') return extractiveModel();
  if (name === 'gemini') return geminiModel({ apiKey: env['GEMINI_API_KEY'] ?? env['GOOGLE_API_KEY'], model: env['GEMINI_MODEL'] });
  throw new UsageError(`STATEWARDEN_LLM is "${name}"`, 'Use "gemini", or leave it out for the local model.');
}

function inWords(summary: Summary | ChaosSummary, reportPath: string): string {
  const { calls, reused, retried, repeated, interrupted, redone, crashes, shares, reportSha256 } = summary;
  const again = interrupted + redone;
  const lines = [
    `report      ${reportPath}`,
    `sha256      ${reportSha256}`,
    `calls       ${String(calls)} made, ${String(reused)} reused from the ledger, ${String(retried)} retried after an error`,
    `repeated    ${String(repeated)} completed calls made again`,
  ];
  if (shares.length > 1) lines.push(`processes   ${String(shares.length)} had a part in it: ${shares.join(', ')} calls`);
  if (crashes > 0) {
    const detail =
      again === 0
        ? ''
        : `; ${String(again)} calls they cut off were made again with the same key (${String(redone)} had returned but were not recorded yet)`;
    lines.push(`crashes     ${String(crashes)} survived${detail}`);
  }
  if ('identical' in summary)
    lines.push(
      `identical   ${summary.identical ? 'yes: byte for byte the report of an undisturbed run' : 'NO: the report differs from that of an undisturbed run'}`,
    );
  return `\n${lines.join('\n')}\n`;
}

function explain(error: unknown): number {
  const tell = (text: string): unknown => process.stderr.write(`${text}\n`);
  if (error instanceof RunStoppedError) {
    if (!isChild) tell('stopped; the same command goes on from here');
    return 130;
  }
  if (error instanceof UsageError || error instanceof CorpusError || error instanceof BadInputError) {
    tell(`error: ${error.message}\nhint:  ${error.hint}`);
    return 2;
  }
  if (error instanceof RunFailedError) tell(`failed: ${error.message}`);
  else if (error instanceof StatewardenError) tell(`failed: ${error.message}\nhint:   ${error.hint}`);
  else tell(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);
if (isChild) {
  process.off('disconnect', orphaned);
  process.disconnect();
}

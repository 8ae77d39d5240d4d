/** The command: `npm run incident-fleet -- [options]`. Says what happens in plain words and ends with an exit code that means something. */

import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StatewardenError } from 'statewarden';
import { chaos, childMark, type ChaosSummary } from './chaos.js';
import { help, parseOptions } from './options.js';
import { readOutage } from './outage.js';
import type { Output } from './progress.js';
import { summaryInWords } from './report.js';
import { run, RunFailedError, RunStoppedError, type RunRequest, type Summary } from './run.js';
import { UsageError } from './usage-error.js';

const isChild = process.env[childMark] === '1';

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  const { stdout, stderr } = process;
  if (options.help) {
    stdout.write(help);
    return 0;
  }
  const watched: Output = { write: (text) => stderr.write(text), live: stderr.isTTY, columns: (stderr.columns ?? 0) || 100 };
  const told = (line: string): void => void stdout.write(`${line}\n`);
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort());
  process.once('SIGTERM', () => stopping.abort());
  // A fight without its parent is nobody's: it must not go on in the background.
  if (isChild) process.once('disconnect', orphaned);

  const outage = readOutage(resolve(options.outage ?? ownOutage()));
  const { paceMs, kills, seed } = options;
  const request: RunRequest = { dir: resolve(options.dir), outage, paceMs, fresh: options.fresh, watched, told, signal: stopping.signal };
  const childArgs = args.filter((arg) => !['--chaos', '--json', '--fresh'].includes(arg));
  const script = fileURLToPath(import.meta.url);
  const summary: Summary | ChaosSummary = options.chaos
    ? await chaos({ ...request, kills, seed, script, args: childArgs })
    : await run(request);
  if (isChild) process.send?.(summary);
  else {
    for (const line of ['', ...summaryInWords(summary, relative(process.cwd(), summary.boardPath))]) told(line);
    if (options.json) told(JSON.stringify(summary));
  }
  const { incidents, closed, repeated, left } = summary;
  return repeated === 0 && left === 0 && closed === incidents && !('identical' in summary && !summary.identical) ? 0 : 1;
}

/** Beside this file's source, wherever it was built to. */
function ownOutage(): string {
  const places = ['./outage.json', '../../../examples/incident-fleet/outage.json'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return places.find((path) => existsSync(path)) ?? (places[0] as string);
}

function orphaned(): void {
  process.exit(1);
}

function explain(error: unknown): number {
  const tell = (text: string): unknown => process.stderr.write(`${text}\n`);
  if (error instanceof RunStoppedError) {
    if (!isChild) tell('stopped; the same command goes on from here');
    return 130;
  }
  if (error instanceof UsageError) {
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

/** The command: `npm run observability -- [options]`. Collects, runs the newsroom as a process of its own, and ends with the audit: 0 when the trace is whole. */

import { fileURLToPath } from 'node:url';
import { StatewardenError } from 'statewarden';
import { openNewsroom, type NewsroomOrder } from './newsroom.js';
import { help, parseOptions, UsageError } from './options.js';
import { newsroomMark, run } from './run.js';

const told = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  const order = process.env[newsroomMark];
  if (order !== undefined) {
    told(JSON.stringify({ report: await openNewsroom(JSON.parse(order) as NewsroomOrder) }));
    return 0;
  }
  const { dir, json, ...options } = parseOptions(args);
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const summary = await run({ script: fileURLToPath(import.meta.url), dir, tell: told });
  const { faults, lines, roots, spans, traces } = summary;
  told('');
  told(
    `${String(traces)} trace from "${roots.join(', ')}": ${String(spans['1'] ?? 0)} spans of the first life, ${String(spans['2'] ?? 0)} of the second`,
  );
  told(`${String(lines)} lines of agents`);
  for (const fault of faults) told(`fault: ${fault}`);
  told(faults.length === 0 ? 'the trace is whole' : 'the trace is not whole');
  if (json) told(JSON.stringify(summary));
  return faults.length === 0 ? 0 : 1;
}

function explain(error: unknown): number {
  const hinted = error instanceof UsageError || error instanceof StatewardenError;
  process.stderr.write(`error: ${error instanceof Error ? (hinted ? error.message : String(error.stack)) : String(error)}\n`);
  if (hinted) process.stderr.write(`hint:  ${error.hint}\n`);
  return error instanceof UsageError ? 2 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);

/** The command: `npm run loan-saga -- [options]`. Plays the bank, runs the office as a process of its own, and ends with the audit: 0 when the books balance. */

import { fileURLToPath } from 'node:url';
import { StatewardenError } from 'statewarden';
import { boundaries } from './boundaries.js';
import { everywhere } from './everywhere.js';
import { openOffice } from './office.js';
import { help, parseOptions, UsageError } from './options.js';
import { officeMark, run, type OfficeOrder } from './run.js';

const script = fileURLToPath(import.meta.url);
const told = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  const order = process.env[officeMark];
  if (order !== undefined) {
    const { killAt, ...request } = JSON.parse(order) as OfficeOrder;
    const counted = boundaries(killAt, (what) => told(`died ${what}`));
    const outcome = await openOffice({ ...request, boundaries: counted, tell: told });
    told(JSON.stringify({ outcome, boundaries: counted.passed }));
    return 0;
  }
  const { dir, fail, killAt, json, ...options } = parseOptions(args);
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  if (options.everywhere) {
    const live = process.stderr.isTTY;
    const summary = await everywhere(script, fail, (line) => void (live && process.stderr.write(`\r\x1b[K${line}`)));
    if (live) process.stderr.write('\r\x1b[K');
    for (const fault of summary.faults) told(fault);
    const { crashes, runs, surfaced, doubled, unbalanced } = summary;
    told(
      `${String(crashes)} crashes in ${String(runs)} runs: ${String(doubled)} with a doubled effect, ${String(unbalanced)} with books that do not balance;`,
    );
    told(`in ${String(surfaced)} a person was asked about what nobody could know`);
    if (json) told(JSON.stringify(summary));
    return doubled + unbalanced === 0 ? 0 : 1;
  }
  const summary = await run({
    script,
    dir,
    fail: fail === 'none' ? undefined : fail,
    deaths: killAt === undefined ? [] : [{ killAt }],
    tell: told,
  });
  const { decision, why, lives, statement, faults } = summary;
  told('');
  told(`the loan is ${decision}${why === undefined ? '' : `: ${why}`}`);
  told(`executed by the bank: ${statement.executed.map(({ what }) => what).join(', ')}`);
  told(
    `${lives === 1 ? 'one life' : `${String(lives)} lives`} of the office; vault ${String(statement.vault)}, lent ${String(statement.lent)}`,
  );
  for (const fault of faults) told(`fault: ${fault}`);
  told(faults.length === 0 ? 'the books balance' : 'the books do not balance');
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

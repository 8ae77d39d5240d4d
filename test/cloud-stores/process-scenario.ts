/** A life of the crash scenario (`test/crash/scenario.ts`) on Spanner. Failpoints are armed by the environment. */

import { StatewardenError } from 'statewarden';
import { spanner } from 'statewarden/spanner';
import { fileURLToPath } from 'node:url';
import { runScenario } from '../crash/scenario.js';
import { clientOf } from './spanner-emulator.js';

export const spannerScenarioPath = fileURLToPath(import.meta.url);

/** As short as it may be: what is killed holds its agents for so long. */
export const scenarioLeaseMs = 600;

if (process.argv[1] === spannerScenarioPath) {
  const [folder = '', project = '', instance = '', database = '', port = ''] = process.argv.slice(2);
  const store = spanner({ project, instance, database, client: clientOf(Number(port)) });
  await runScenario(folder, 0, store, scenarioLeaseMs).catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? error.code : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
  if (process.exitCode === 1) process.exit();
}

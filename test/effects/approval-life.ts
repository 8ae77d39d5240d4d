/**
 * The process that is killed: on one SQLite file an agent asks for a decision that nobody makes, and is told when its time is over. Run again on the same folder it goes on where it was. It leaves its alerts in `alerts.log` beside
 * the store.
 */

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { approval, createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { caller } from '../runtime/caller.js';

export const approvalLifePath = fileURLToPath(import.meta.url);

/** One life, to its end; resolves to what the agent ended with. */
export async function liveHere(folder: string): Promise<unknown> {
  await using runtime = await createRuntime({
    store: sqlite(join(folder, 'agents.db')),
    alerts: [({ alert, id }) => appendFileSync(join(folder, 'alerts.log'), `${alert} ${id}\n`)],
    agents: { asker: { machine: caller(approval()), version: 1 } },
  });
  const agent = await runtime.spawn('asker', { id: 'a', input: { title: 'Lend?', deadlineMs: 250, remindEveryMs: 100 } });
  return await agent.result();
}

const [, script, folder = ''] = process.argv;
if (script === approvalLifePath) {
  await liveHere(folder).catch((error: unknown) => {
    process.stderr.write(String((error as Error).stack));
    process.exitCode = 1;
  });
}

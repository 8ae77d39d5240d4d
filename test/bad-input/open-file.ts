/** A program of its own: opens the SQLite file named on the command line and prints how that went, as JSON. Run as a user without privileges. */

import { createRuntime, StatewardenError } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

let told: { code: string; message: string; hint: string } = { code: 'OPENED', message: '', hint: '' };
try {
  await (await createRuntime({ store: sqlite(process.argv[2] ?? ''), agents: {} })).close();
} catch (error) {
  if (!(error instanceof StatewardenError)) throw error;
  told = { code: error.code, message: error.message, hint: error.hint };
}
process.stdout.write(JSON.stringify(told));

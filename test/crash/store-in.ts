/**
 * Which store a scenario is on: a SQLite file in its folder, or, where STATEWARDEN_TEST_STORE says `firestore`, a part of an emulated database that is named after the folder. And what the store has when the scenario is over, read without any of the store's code.
 */

import { basename, join } from 'node:path';
import type { Store } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { connect } from '#src/persistence/sqlite/driver.js';

export interface Records {
  readonly agents: readonly { readonly key: number; readonly id: string; readonly sequenceNumber: number }[];
  readonly journal: readonly { readonly agent: number; readonly entries: string; readonly checksum: number }[];
  readonly checkpoints: readonly { readonly agent: number; readonly data: string; readonly checksum: number }[];
  readonly operations: readonly { readonly agent: number; readonly id: string; readonly activity: string; readonly status: string }[];
}

const isFirestore = process.env['STATEWARDEN_TEST_STORE'] === 'firestore';
/** One for each: the emulator's locks do not know one prefix from another. */
const projectOf = (folder: string): string => `scenario-${basename(folder).toLowerCase()}`;

/** SQLite sees at once that a process of this machine is gone; elsewhere its lease has to run out. */
export const scenarioLeaseMs = isFirestore ? 1_000 : 30_000;

export async function storeIn(folder: string): Promise<Store> {
  if (!isFirestore) return sqlite(join(folder, 'agents.db'));
  const { firestore } = await import('statewarden/firestore');
  return firestore({ project: projectOf(folder), prefix: basename(folder) });
}

export async function recordsIn(folder: string): Promise<Records> {
  return isFirestore ? firestoreRecords(folder) : sqliteRecords(join(folder, 'agents.db'));
}

function sqliteRecords(path: string): Records {
  const connection = connect(path);
  const all = <T>(sql: string): T[] => connection.prepare(sql).all() as unknown as T[];
  const records: Records = {
    agents: all('SELECT key, id, sequence_number AS sequenceNumber FROM agents'),
    journal: all('SELECT agent, entries, checksum FROM journal ORDER BY agent, first'),
    checkpoints: all('SELECT agent, data, checksum FROM checkpoints'),
    operations: all('SELECT agent, id, activity, status FROM ledger'),
  };
  connection.close();
  return records;
}

async function firestoreRecords(folder: string): Promise<Records> {
  const { Firestore } = await import('@google-cloud/firestore');
  const database = new Firestore({ projectId: projectOf(folder) });
  const all = async (collection: string): Promise<never[]> =>
    (await database.collection(`statewarden/${basename(folder)}/${collection}`).get()).docs.map((doc) => doc.data()) as never[];
  const records: Records = {
    agents: await all('agents'),
    journal: await all('journal'),
    checkpoints: await all('checkpoints'),
    operations: await all('ledger'),
  };
  await database.terminate();
  return records;
}

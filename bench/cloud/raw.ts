/**
 * A measuring process: what Google's own client reaches at the same server, over the same wire, with commits one after the other: each of one new document or row, or of a batch, as large as an event's entry in the journal. It is the generated client, which the stores use too.
 */

import { status } from '@grpc/grpc-js';
import { answer, parameters } from '../processes/parameters.js';
import { percentile, round } from '../statistics.js';
import { clientOf, type Place } from './places.js';

export interface RawParameters {
  readonly place: Place;
  readonly bytes: number;
  /** How many documents or rows a batch has. */
  readonly batch: number;
  readonly warmMs: number;
  readonly ms: number;
}

export interface RawStage {
  readonly commits: number;
  /** Documents or rows. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface RawFigures {
  readonly one: RawStage;
  readonly batch: RawStage;
  /** Calls that were made again. */
  readonly aborted: number;
}

/** Commits new documents or rows of these names. */
type Commit = (names: readonly string[]) => Promise<unknown>;

const { place, bytes, batch, warmMs, ms } = parameters<RawParameters>();
const data = 'x'.repeat(Math.max(1, bytes));
const patienceMs = 10_000;
let made = 0;
let aborted = 0;

const { commit, close } = place.store === 'firestore' ? await ofFirestore(place) : await ofSpanner(place);
await stage(1, warmMs);
await stage(batch, warmMs);
const one = await stage(1, ms);
const many = await stage(batch, ms);
await close();
answer({ one, batch: many, aborted } satisfies RawFigures);

async function stage(size: number, length: number): Promise<RawStage> {
  const latencies: number[] = [];
  const started = performance.now();
  while (performance.now() - started < length) {
    // As the stores do it: what comes one after the other does not stand side by side.
    const names = Array.from({ length: size }, () =>
      String((made += 1))
        .split('')
        .reverse()
        .join('')
        .padEnd(12, '0'),
    );
    const began = performance.now();
    await insist(() => commit(names));
    latencies.push(performance.now() - began);
  }
  const seconds = (performance.now() - started) / 1_000;
  return {
    commits: latencies.length,
    perSecond: round((latencies.length * size) / seconds),
    p50Ms: round(percentile(latencies, 0.5)),
    p99Ms: round(percentile(latencies, 0.99)),
  };
}

/** ABORTED says that nothing was done: the call is made again, as the client's documentation has it. */
async function insist(call: () => Promise<unknown>): Promise<void> {
  for (const began = performance.now(); ;) {
    try {
      await call();
      return;
    } catch (error) {
      if ((error as { readonly code?: unknown }).code !== status.ABORTED || performance.now() - began > patienceMs) throw error;
      aborted += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

async function ofFirestore({ project }: Place): Promise<{ commit: Commit; close(): Promise<void> }> {
  const {
    default: { v1 },
  } = await import('@google-cloud/firestore');
  const client = new v1.FirestoreClient({ projectId: project, ...clientOf(place) });
  const database = `projects/${project}/databases/(default)`;
  const headers = { Authorization: 'Bearer owner', 'google-cloud-resource-prefix': database };
  return {
    commit: (names) => {
      const writes = names.map((name) => ({
        update: { name: `${database}/documents/raw/${name}`, fields: { data: { stringValue: data } } },
        currentDocument: { exists: false },
      }));
      return client.commit({ database, writes }, { otherArgs: { headers } });
    },
    close: () => client.close(),
  };
}

async function ofSpanner(at: Place & { readonly store: 'spanner' }): Promise<{ commit: Commit; close(): Promise<void> }> {
  const { v1 } = await import('@google-cloud/spanner');
  const client = new v1.SpannerClient({ projectId: at.project, ...clientOf(at) });
  const database = `projects/${at.project}/instances/${at.instance}/databases/${at.database}`;
  const [session] = await client.createSession({ database });
  return {
    commit: (names) => {
      const values = names.map((name) => ({ values: [{ stringValue: name }, { stringValue: data }] }));
      const mutations = [{ insert: { table: 'raw', columns: ['name', 'data'], values } }];
      return client.commit({ session: session.name ?? null, singleUseTransaction: { readWrite: {} }, mutations });
    },
    close: () => client.close(),
  };
}

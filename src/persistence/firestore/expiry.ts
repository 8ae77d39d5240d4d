/** Results in the ledger that are too old: see `OpenedStore.expire`. Each is taken on condition that the operation is as it was read, so that nothing that its agent writes meanwhile is lost. */

import type { AgentKey, Expired, ExpiryPage, OperationRecord } from '../store.js';
import { Batch } from './batch.js';
import type { Cache } from './cache.js';
import type { Calls, Doc } from './calls.js';
import type { Content } from './content.js';
import { isRace } from './faults.js';
import type { Lists } from './lists.js';
import { agentName } from './places.js';
import { agentRecord, isFinal, operationFields, operationRecord } from './rows.js';

interface Parts {
  readonly calls: Calls;
  readonly cache: Cache;
  readonly lists: Lists;
  readonly content: Content;
}

interface Old {
  readonly key: AgentKey;
  readonly doc: Doc;
  readonly operation: OperationRecord;
}

/** Operations that are written together. */
const together = 100;

export async function expireResults({ calls, cache, lists, content }: Parts, { after, limit, before }: ExpiryPage): Promise<Expired> {
  const docs = await lists.ledger(after, limit);
  const keys = [...new Set(docs.map((doc) => doc.fields['agent'] as number))];
  const agents = await calls.get(
    keys.map((key) => calls.path('agents', agentName(key))),
    { select: ['status', 'checkpointSequenceNumber'] },
  );
  const standing = new Map(keys.map((key, index) => [key, agents.docs[index] && agentRecord(agents.docs[index])] as const));
  const steps = new Map<number, Promise<readonly OperationRecord[]>>();
  const old: Old[] = [];
  for (const doc of docs) {
    const operation = operationRecord(doc);
    const key = doc.fields['agent'] as number;
    const agent = standing.get(key);
    if (agent === undefined || !isOld(operation, agent.checkpointSequenceNumber, before)) continue;
    if (operation.saga !== undefined && !isFinal(agent.status)) {
      const others = steps.get(key) ?? content.operations(key);
      steps.set(key, others);
      const { saga } = operation;
      if ((await others).some((step) => step.saga === saga && step.compensates === undefined && step.status === 'succeeded')) continue;
    }
    old.push({ key, doc, operation });
  }
  let expired = 0;
  for (let index = 0; index < old.length; index += together) {
    const part = old.slice(index, index + together);
    if (await take(calls, cache, part)) expired += part.length;
    // An agent has written one of them meanwhile: that one is left to the next round.
    else for (const one of part) if (await take(calls, cache, [one])) expired += 1;
  }
  const last = docs.length < limit ? undefined : docs.at(-1);
  return { expired, next: last && { agent: last.fields['agent'] as number, id: last.fields['id'] as string } };
}

function isOld({ outcome, status, settledIn, settledAt }: OperationRecord, covered: number, before: number): boolean {
  if (outcome === undefined || settledIn === 0 || status === 'held' || status === 'unknown') return false;
  return settledAt !== undefined && settledAt < before && settledIn <= covered;
}

/** All or none. */
async function take(calls: Calls, cache: Cache, part: readonly Old[]): Promise<boolean> {
  const batch = new Batch(calls);
  for (const { key, doc, operation } of part) {
    const fields = operationFields(key, doc.fields['agentId'] as string, { ...operation, outcome: undefined, artifact: undefined });
    batch.put('ledger', doc.name, fields, { expected: doc.updateTime });
    cache.setChunks(calls.path('ledger', doc.name), doc.chunks);
  }
  try {
    await batch.send(cache.chunksOf);
    return true;
  } catch (error) {
    if (isRace(error)) return false;
    throw error;
  }
}

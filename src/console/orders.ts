/** What a page may order, where a runtime is at work: each is the runtime's own call, and answers when that is durable. */

import type { EventObject } from 'xstate';
import { BadInputError } from '../core/errors.js';
import { listSagas } from '../runtime/sagas.js';
import type { Signed } from '../runtime/holds.js';
import type { Runtime } from '../runtime.js';
import { unknownAgent } from './agents.js';
import type { Done } from './api.js';
import type { Source } from './source.js';

export type Body = Readonly<Record<string, unknown>>;

const done: Done = { done: true };

/** @throws what `send` of an agent throws; UnknownAgentError with the ids that come close */
export async function sendOrder(source: Source, runtime: Runtime, id: string, body: Body): Promise<Done> {
  await assertThere(source, id);
  const { event, messageId } = body;
  if (messageId !== undefined && (typeof messageId !== 'string' || messageId === ''))
    throw bad('messageId', 'Give a text, or leave it out.');
  const { sequenceNumber } = await runtime.agent(id).send(event as EventObject, messageId === undefined ? {} : { messageId });
  return sequenceNumber === 0 ? done : { ...done, sequenceNumber };
}

export async function stopOrder(source: Source, runtime: Runtime, id: string): Promise<Done> {
  await assertThere(source, id);
  await runtime.tools.stop(id);
  return done;
}

export async function restartOrder(source: Source, runtime: Runtime, id: string): Promise<Done> {
  await assertThere(source, id);
  await runtime.tools.restart(id);
  return done;
}

async function assertThere(source: Source, id: string): Promise<void> {
  const [record] = await source.store.lookup([id]);
  if (record === undefined) throw await unknownAgent(source, id);
}

export async function redriveOrder(source: Source, runtime: Runtime, body: Body): Promise<Done> {
  const to = textOf(body, 'to');
  if (to !== undefined) await assertThere(source, to);
  const report = await runtime.deadLetters.redrive(positionsOf(body), to === undefined ? {} : { to });
  const kept = Object.entries(report.kept);
  if (kept.length > 0 && report.redriven + report.duplicates === 0) {
    throw new BadInputError(`they stay dead letters: ${kept.map(([reason, count]) => `${String(count)} × ${reason}`).join(', ')}`, {
      hint: 'An agent that has ended or is gone takes no events: give another one.',
    });
  }
  return { ...done, count: report.redriven + report.duplicates };
}

export async function discardOrder(runtime: Runtime, body: Body): Promise<Done> {
  return { ...done, count: await runtime.deadLetters.discard(positionsOf(body)) };
}

export async function approvalOrder(runtime: Runtime, operation: string, body: Body): Promise<Done> {
  const order = oneOf(body, 'order', ['approve', 'reject']);
  const decision = textOf(body, 'value') ?? (order === 'approve' ? 'approved' : 'rejected');
  await runtime.approvals.decide(operation, decision, signedOf(body));
  return done;
}

export async function holdOrder(runtime: Runtime, operation: string, body: Body): Promise<Done> {
  const { holds } = runtime;
  const signed = signedOf(body);
  switch (oneOf(body, 'order', ['done', 'failed', 'retry'])) {
    case 'done':
      await holds.done(operation, body['result'], signed);
      break;
    case 'failed':
      await holds.fail(operation, signed);
      break;
    case 'retry':
      await holds.retry(operation, signed);
      break;
  }
  return done;
}

/** Sagas are named within their agents: without `agent` it must be the only one of its name that is held. */
export async function sagaOrder(runtime: Runtime, saga: string, body: Body): Promise<Done> {
  const order = oneOf(body, 'order', ['resume', 'skip', 'abandon']);
  const agent = textOf(body, 'agent') ?? (await onlyAgentOf(runtime, saga));
  const report = await runtime.sagas[order](agent, saga, signedOf(body));
  return { ...done, count: report.answered.length };
}

async function onlyAgentOf(runtime: Runtime, saga: string): Promise<string> {
  const held = (await listSagas(runtime.store)).filter((one) => one.saga === saga && one.status === 'held');
  const [only] = held;
  if (only !== undefined && held.length === 1) return only.agentId;
  throw new BadInputError(
    held.length === 0
      ? `no saga ${JSON.stringify(saga)} is held`
      : `${String(held.length)} agents have a saga ${JSON.stringify(saga)} that is held`,
    {
      hint: 'Say whose: {"agent": "trips/t-1", …}.',
    },
  );
}

export async function breakerOrder(runtime: Runtime, name: string, body: Body): Promise<Done> {
  if (oneOf(body, 'order', ['open', 'close', 'auto']) === 'open') await runtime.breakers.isolate(name);
  else await runtime.breakers.release(name);
  return done;
}

function positionsOf({ positions }: Body): readonly number[] {
  const isList = Array.isArray(positions) && positions.length > 0 && positions.every((one) => Number.isSafeInteger(one) && one > 0);
  if (!isList || positions.length > 10_000) throw bad('positions', 'Give a list of positions, as the list of dead letters has them.');
  return positions as readonly number[];
}

function signedOf(body: Body): Signed {
  const [by, note] = [textOf(body, 'by'), textOf(body, 'note')];
  if (by === undefined) throw bad('by', 'Say who answers: {"by": "ada@example.com"}.');
  return note === undefined ? { by } : { by, note };
}

function textOf(body: Body, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw bad(name, 'Give a text.');
  return value;
}

function oneOf<const T extends string>(body: Body, name: string, values: readonly T[]): T {
  const found = values.find((value) => value === body[name]);
  if (found === undefined) throw bad(name, `Use one of ${values.join(', ')}.`);
  return found;
}

function bad(name: string, hint: string): BadInputError {
  return new BadInputError(`"${name}" is missing or cannot be used`, { hint });
}

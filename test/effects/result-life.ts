/**
 * The process that is killed: agents on one SQLite file whose calls come to large results, which are kept as artifacts beside it. Run again on the same folder it goes on where it was, until every agent is done or waits for a person.
 * `calls.log` has each call that was carried out, with its key.
 */

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, createRuntime, StatewardenError } from 'statewarden';
import { files } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';

export const resultLifePath = fileURLToPath(import.meta.url);
/** `fetch` may be run twice, `pay` must not, `look` has a key that two agents share. */
export const agentIds = ['fetch-1', 'fetch-2', 'pay-1', 'pay-2', 'look-1', 'look-2'] as const;
export const storeIn = (folder: string): string => join(folder, 'agents.db');
export const artifactsIn = (folder: string): string => join(folder, 'artifacts');
export const callsIn = (folder: string): string => join(folder, 'calls.log');

/** What the call with this input comes to: 40 kB. */
export function resultOf(input: string): string {
  return `${input} `.repeat(40_000 / (input.length + 1));
}

/** One life, to its end. */
async function liveHere(folder: string): Promise<void> {
  const call = (name: string) => (input: string, key: string) => {
    appendFileSync(callsIn(folder), `${name} ${key}\n`);
    return resultOf(input);
  };
  const work = {
    fetch: activity({ name: 'fetch', onUnknown: 'retry', run: (input: string, context) => call('fetch')(input, context.operationId) }),
    pay: activity({ name: 'pay', onUnknown: 'hold', run: (input: string, context) => call('pay')(input, context.operationId) }),
    look: activity({ name: 'look', onUnknown: 'retry', key: () => 'shared', run: () => call('look')('look', 'shared') }),
  };
  const machineOf = (name: keyof typeof work) =>
    setup({
      actors: { work: work[name] },
      types: { context: {} as { input: string; result: string }, input: {} as string, events: {} as { type: 'GO' } },
    }).createMachine({
      context: ({ input }) => ({ input, result: '' }),
      initial: 'calling',
      states: {
        calling: {
          invoke: {
            src: 'work',
            input: ({ context }) => (name === 'look' ? 'look' : context.input),
            onDone: { target: 'got', actions: assign({ result: ({ event }) => event.output }) },
          },
        },
        // From here on only the journal has the result, until the next event.
        got: { on: { GO: 'done' } },
        done: { type: 'final' },
      },
      output: ({ context }) => context.result,
    });
  const artifacts = await files(artifactsIn(folder)).open({ now: Date.now });
  await using runtime = await createRuntime({
    store: sqlite(storeIn(folder)),
    results: { artifacts, inlineBytes: 1_000 },
    agents: {
      fetch: { machine: machineOf('fetch'), version: 1 },
      pay: { machine: machineOf('pay'), version: 1 },
      look: { machine: machineOf('look'), version: 1 },
    },
  });
  for (const id of agentIds) {
    const kind = id.slice(0, id.indexOf('-')) as keyof typeof work;
    await runtime.spawn(kind, { id, input: id });
    const agent = runtime.agent<'fetch'>(id);
    const held = async (): Promise<boolean> => (await runtime.holds.list({ agentId: id })).length > 0;
    for (;;) {
      const { value, status } = await agent.snapshot();
      if (status === 'done' || (await held())) break;
      if (value === 'got') {
        await agent.send({ type: 'GO' });
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

if (process.argv[1] === resultLifePath) {
  await liveHere(process.argv[2] ?? '').catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? `${error.code}: ${error.message}` : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
}

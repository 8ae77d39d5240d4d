/**
 * The process that is killed: an agent on an encrypted store with encrypted results, told words that are easy to find. Run again it goes on where it was. It tells its parent what was acknowledged, and
 * every event of the runtime.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, createRuntime } from 'statewarden';
import { files } from 'statewarden/artifacts';
import { encrypted, encryptedArtifacts, keyFile } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';

export const lifePath = fileURLToPath(import.meta.url);
export const marker = 'plain-marker';

const research = activity({
  name: 'research',
  onUnknown: 'retry',
  run: async (topic: string) => `${marker} result on ${topic} `.repeat(5_000),
});

export const kinds = {
  reader: {
    machine: setup({
      types: {
        context: {} as { words: string[]; found: number; topic: string },
        events: {} as { type: 'READ'; word: string } | { type: 'LATER'; word: string },
        input: {} as { topic: string },
      },
      actors: { research },
      actions: { note: (_, params: { word: string }) => void params },
      delays: { soon: 20 },
    }).createMachine({
      id: 'reader',
      context: ({ input }) => ({ words: [], found: 0, topic: input.topic }),
      initial: 'searching',
      on: {
        READ: {
          actions: [
            assign({ words: ({ context, event }) => [...context.words, event.word] }),
            { type: 'note', params: ({ event }) => ({ word: event.word }) },
          ],
        },
      },
      states: {
        searching: {
          invoke: {
            src: 'research',
            input: ({ context }) => context.topic,
            onDone: { target: 'resting', actions: assign({ found: ({ event }) => event.output.length }) },
          },
        },
        resting: { after: { soon: 'reading' } },
        reading: {},
      },
    }),
    version: 1,
  },
};

export function places(folder: string) {
  const store = encrypted(sqlite(join(folder, 'agents.db')), { keys: keyFile(join(folder, 'keys', 'agents.keys')) });
  return { store, artifacts: encryptedArtifacts(files(join(folder, 'artifacts')), { store }) };
}

if (process.argv[1] === lifePath) {
  const { store, artifacts } = places(process.argv[2] ?? '');
  const results = await artifacts.open({ now: Date.now });
  const runtime = await createRuntime({ store, agents: kinds, results: { artifacts: results, inlineBytes: 1_024 } });
  runtime.events$.subscribe((event) => process.send?.({ event: JSON.stringify(event) }));
  const agent = await runtime.spawn('reader', { id: 'r', input: { topic: `${marker} topic` } });
  for (let n = (await agent.snapshot()).context.words.length; ; n += 1) {
    await agent.send({ type: 'READ', word: `${marker} word ${String(n)}` }, { messageId: `${marker} message ${String(n)}` });
    process.send?.({ acknowledged: n + 1 });
  }
}

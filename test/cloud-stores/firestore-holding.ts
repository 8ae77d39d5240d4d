/** A process that holds agents, each of which tells a file that it is alive, again and again. Its arguments: folder, project, lease in milliseconds, its name, how many agents it makes. */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, createRuntime, type StatewardenError } from 'statewarden';
import { firestore } from 'statewarden/firestore';

export const holdingPath = fileURLToPath(import.meta.url);

/** A sign of life, as seen from outside. */
export interface Said {
  readonly who: string;
  readonly agent: string;
  readonly beat: number;
  readonly at: number;
}

export function lines<T>(folder: string): T[] {
  const path = join(folder, 'said.jsonl');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T);
}

export function holdingKinds(folder: string, who: string) {
  const say = activity({
    name: 'say',
    // Whether it was said just before the end nobody knows: it is said again.
    onUnknown: 'retry',
    run: async ({ agent, beat }: { agent: string; beat: number }) => {
      appendFileSync(join(folder, 'said.jsonl'), `${JSON.stringify({ who, agent, beat, at: Date.now() } satisfies Said)}\n`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    },
  });
  const living = setup({
    types: { context: {} as { id: string; beat: number }, input: {} as { id: string } },
    actors: { say },
  }).createMachine({
    id: 'living',
    context: ({ input }) => ({ id: input.id, beat: 1 }),
    initial: 'saying',
    states: {
      saying: {
        invoke: {
          src: 'say',
          input: ({ context }) => ({ agent: context.id, beat: context.beat }),
          onDone: { target: 'saying', reenter: true, actions: assign({ beat: ({ context }) => context.beat + 1 }) },
        },
      },
    },
  });
  const counter = setup({ types: { context: {} as { count: number }, events: {} as { type: 'ADD' } } }).createMachine({
    id: 'counter',
    context: { count: 0 },
    on: { ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  });
  return { living: { machine: living, version: 1 }, counter: { machine: counter, version: 1 } } as const;
}

if (process.argv[1] === holdingPath) {
  const [folder = '', project = '', leaseMs = '', who = '', many = ''] = process.argv.slice(2);
  const runtime = await createRuntime({
    store: firestore({ project }),
    agents: holdingKinds(folder, who),
    node: { leaseMs: Number(leaseMs), name: who, spread: Number(many) !== 1 },
  });
  if (Number(many) === 1) {
    const agent = await runtime.spawn('counter', { id: 'counter' });
    await agent.send({ type: 'ADD' });
    process.on('message', () => {
      agent.send({ type: 'ADD' }).then(
        () => process.send?.('written'),
        (error: unknown) => process.send?.((error as StatewardenError).code),
      );
    });
  } else {
    const ids = Array.from({ length: Number(many) }, (_, index) => `living-${String(index)}`);
    await Promise.all(ids.map((id) => runtime.spawn('living', { id, input: { id } })));
  }
  process.send?.('holding');
  process.on('disconnect', () => process.exit());
}

/**
 * The process that is killed: a supervision tree at work on one SQLite file, with a worker that is broken by an action and another that is sent poison. Run again on the
 * same folder it goes on where it was, until every child is up, everything is taken and the poison is a dead letter. A presence in each worker tells
 * on one that is up twice.
 */

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, fromCallback, setup } from 'xstate';
import { createRuntime, supervisor, StatewardenError, type Strategy, type SupervisorSpec, type TreeNode } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

export const treeLifePath = fileURLToPath(import.meta.url);
export const workers = ['w', 'a', 'b', 'c'] as const;

export const tree = (strategy: Strategy): SupervisorSpec =>
  supervisor({
    id: 'root',
    intensity: 100,
    children: [
      { id: 'w', kind: 'worker', input: 'w' },
      supervisor({ id: 'team', strategy, intensity: 100, children: workers.slice(1).map((id) => ({ id, kind: 'worker', input: id })) }),
    ],
  });

type WorkerEvent = { type: 'N'; n: number } | { type: 'BREAK' } | { type: 'POISON' };

interface Sent {
  readonly to: (typeof workers)[number];
  readonly messageId: string;
  readonly event: WorkerEvent;
}

const sent = (to: Sent['to'], event: WorkerEvent): Sent => ({
  to,
  event,
  messageId: `${to} ${event.type}${'n' in event ? ` ${String(event.n)}` : ''}`,
});
const first: readonly Sent[] = workers.map((id) => sent(id, { type: 'N', n: 1 }));
/** For each sender in turn what it sends, in order: what has failed is waited for by nobody. */
const senders: readonly (readonly Sent[])[] = [
  [sent('b', { type: 'N', n: 2 }), sent('b', { type: 'POISON' }), sent('b', { type: 'N', n: 3 }), sent('b', { type: 'N', n: 4 })],
  [sent('w', { type: 'N', n: 2 }), sent('w', { type: 'BREAK' }), sent('w', { type: 'N', n: 3 })],
  [sent('c', { type: 'N', n: 2 }), sent('c', { type: 'N', n: 3 })],
];
const last: readonly Sent[] = [sent('a', { type: 'BREAK' }), ...workers.map((id) => sent(id, { type: 'N', n: 5 }))];

/** What each worker takes, in order; BREAK is taken, and its action fails it after that. */
export const expected: Readonly<Record<string, readonly string[]>> = {
  w: ['N 1', 'N 2', 'BREAK', 'N 3', 'N 5'],
  a: ['N 1', 'BREAK', 'N 5'],
  b: ['N 1', 'N 2', 'N 3', 'N 4', 'N 5'],
  c: ['N 1', 'N 2', 'N 3', 'N 5'],
};

const machineOf = (folder: string) => {
  const up = new Map<string, number>();
  return setup({
    types: { context: {} as { id: string }, input: {} as string, events: {} as WorkerEvent },
    actors: {
      presence: fromCallback<WorkerEvent, string>(({ input: id }) => {
        up.set(id, (up.get(id) ?? 0) + 1);
        if (up.get(id) !== 1) appendFileSync(join(folder, 'twice.log'), `${id}\n`);
        return () => void up.set(id, (up.get(id) ?? 0) - 1);
      }),
    },
    actions: {
      break: () => {
        throw new Error('broken');
      },
    },
  }).createMachine({
    id: 'worker',
    context: ({ input }) => ({ id: input }),
    invoke: { src: 'presence', input: ({ context }) => context.id },
    on: {
      N: {},
      BREAK: { actions: 'break' },
      POISON: {
        actions: assign(() => {
          throw new Error('poison');
        }),
      },
    },
  });
};

/** All nodes of a tree. */
export function nodesOf(nodes: readonly TreeNode[]): readonly TreeNode[] {
  return nodes.flatMap((node) => [node, ...nodesOf(node.children ?? [])]);
}

/** One life of the tree, to its end. */
export async function liveHere(folder: string, strategy: Strategy, preparing = false): Promise<void> {
  const late = Date.now() + 10_000;
  const agents = { worker: { machine: machineOf(folder), version: 1 } } as const;
  await using runtime = await createRuntime({ store: sqlite(join(folder, 'agents.db')), agents, node: { leaseMs: 30_000 } });
  await runtime.supervise(tree(strategy));
  const until = async (done: () => Promise<boolean>): Promise<void> => {
    while (!(await done())) {
      if (Date.now() > late) throw new Error(`it does not converge: ${JSON.stringify(await runtime.tree())}`);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  };
  const send = async ({ to, event, messageId }: Sent): Promise<void> => {
    // A dead letter has not been taken: sent again it would be tried again. So whoever does not know what became of it looks, when it can be nowhere else.
    if (event.type === 'POISON') {
      await until(async () => (await runtime.store.counts()).mailbox === 0);
      if ((await runtime.deadLetters.list({ to })).length > 0) return;
    }
    await runtime.agent<'worker'>(to).send(event, { messageId });
    appendFileSync(join(folder, 'acknowledged.log'), `${messageId}\n`);
  };
  for (const one of first) await send(one);
  if (preparing) return;

  const converged = async (): Promise<boolean> => {
    const nodes = nodesOf(await runtime.tree());
    const { mailbox, deadLetters } = await runtime.store.counts();
    const up = nodes.every(({ status, agent }) => status === 'running' && agent === 'active');
    return up && nodes.length === 6 && mailbox === 0 && deadLetters >= 1;
  };
  await Promise.all(
    senders.map(async (events) => {
      for (const one of events) await send(one);
    }),
  );
  await until(converged);
  for (const one of last) await send(one);
  // The failure of an action is met after its event was acknowledged.
  await new Promise((resolve) => setTimeout(resolve, 10));
  await until(converged);
}

const [, script, folder = '', strategy = 'one-for-all', preparing] = process.argv;
if (script === treeLifePath) {
  await liveHere(folder, strategy as Strategy, preparing === 'prepare').catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? `${error.code}: ${error.message}` : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
}

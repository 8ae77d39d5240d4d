/** A node as a process of its own, on any store: agents that do one small piece of work after the other, for ever, each told to a witness before it begins. */

import { once } from 'node:events';
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, createRuntime, type Store } from 'statewarden';
import { Testimony } from './witness.js';

const laborerPath = fileURLToPath(import.meta.url);

/** Where a store is, for another process. */
export type Place =
  | { readonly store: 'sqlite'; readonly path: string }
  | { readonly store: 'firestore'; readonly project: string; readonly emulator: string }
  | { readonly store: 'spanner'; readonly project: string; readonly instance: string; readonly database: string; readonly port: number };

export interface Labor {
  readonly place: Place;
  readonly name: string;
  /** The witness's port. */
  readonly witness: number;
  /** That it makes. */
  readonly agents?: readonly string[];
  readonly workMs: number;
  /** Between two pieces of work; 0: no rest, and no timer. */
  readonly restMs: number;
  /** What is not given is as it is by default. */
  readonly node?: { readonly leaseMs?: number; readonly spread?: boolean };
  /** Its time of day is wrong by so much. */
  readonly skewMs?: number;
}

/** Starts a node. Resolves when its agents are there; `begun` is told of the process before that. */
export async function startLaborer(labor: Labor, begun: (child: ChildProcess) => void): Promise<ChildProcess> {
  // All of it: SDKs make deadlines of `new Date()` and look at them by `Date.now()`.
  const shift = `const skewMs = ${String(labor.skewMs ?? 0)}; globalThis.Date = class extends Date {
    constructor(...parts) { if (parts.length === 0) super(Date.now()); else super(...parts); }
    static now() { return super.now() + skewMs; }
  };`;
  const execArgv = [
    '--no-warnings',
    ...(labor.skewMs === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(shift)}`]),
  ];
  const child = fork(laborerPath, [JSON.stringify(labor)], { execArgv });
  begun(child);
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${labor.name} ended by itself, with ${String(code ?? signal)}`);
  });
  const [said] = (await Promise.race([once(child, 'message'), ended])) as [string];
  ended.catch(() => undefined);
  if (said !== 'up') throw new Error(said);
  return child;
}

export async function storeAt(place: Place): Promise<Store> {
  if (place.store === 'sqlite') return (await import('statewarden/sqlite')).sqlite(place.path);
  if (place.store === 'firestore') return (await import('statewarden/firestore')).firestore(place);
  const { project, instance, database, port } = place;
  const { clientOf } = await import('../cloud-stores/spanner-emulator.js');
  return (await import('statewarden/spanner')).spanner({ project, instance, database, client: clientOf(port) });
}

async function labor({ place, name, witness, agents = [], workMs, restMs, node }: Labor): Promise<void> {
  const testimony = new Testimony(witness, name);
  const work = activity<{ n: number }, number>({
    name: 'work',
    // Whether it was done just before the end nobody knows: it is done again.
    onUnknown: 'retry',
    run: async ({ n }, { agentId, signal }) => {
      await testimony.say('begin', agentId, n);
      await new Promise((resolve) => setTimeout(resolve, workMs));
      await testimony.say('end', agentId, n);
      signal.throwIfAborted();
      return n + 1;
    },
  });
  const machine = setup({ types: { context: {} as { n: number } }, actors: { work } }).createMachine({
    context: { n: 0 },
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'work',
          input: ({ context }) => ({ n: context.n }),
          onDone: {
            target: restMs === 0 ? 'working' : 'resting',
            reenter: true,
            actions: assign({ n: ({ event }) => event.output }),
          },
        },
      },
      resting: { after: { [restMs]: 'working' } },
    },
  });
  const runtime = await createRuntime({
    store: await storeAt(place),
    agents: { laborer: { machine, version: 1 } },
    node: { name, ...node },
  });
  process.once('SIGTERM', () => void runtime.close().then(() => process.exit(0)));
  process.once('disconnect', () => process.exit(1));
  await Promise.all(agents.map((id) => runtime.spawn('laborer', { id })));
  process.send?.('up');
}

if (process.argv[1] === laborerPath) await labor(JSON.parse(process.argv[2] ?? '') as Labor);

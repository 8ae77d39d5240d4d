/** A process with an agent that can be brought into a turn without end, by each way an event can come. Killed by whoever notices. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, createRuntime, fleet, reply, spawnAgent, supervisor, tell, type Runtime } from 'statewarden';
import { encrypted, keyFile } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';

export const looperPath = fileURLToPath(import.meta.url);

/** What loops: nothing in the process that comes after. */
let loops = false;

/** A turn of so much processor time, whatever the clock says. */
function work(ms: number): void {
  const from = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(from);
    if (user + system >= ms * 1_000) return;
  }
}

const answer = activity({ name: 'answer', onUnknown: 'retry', run: async () => 42 });

export const looper = setup({
  types: {
    context: {} as { taken: number },
    events: {} as
      | { type: 'ADD' }
      | { type: 'LOOP'; note?: string }
      | { type: 'ALWAYS' }
      | { type: 'SOON' }
      | { type: 'ASK' }
      | { type: 'WORK'; ms: number },
  },
  actors: { answer },
  guards: { looping: () => loops },
}).createMachine({
  id: 'looper',
  context: { taken: 0 },
  initial: 'ready',
  on: { ADD: { actions: [assign({ taken: ({ context }) => context.taken + 1 }), reply('added')] } },
  states: {
    ready: {
      on: {
        // An assign runs within the turn; a plain action would run after its commit.
        LOOP: { actions: assign(({ context }) => (loops ? work(1e9) : undefined, context)) },
        WORK: { actions: assign(({ context, event }) => (work(event.ms), context)) },
        ALWAYS: 'round',
        SOON: 'waiting',
        ASK: 'asking',
      },
    },
    round: { always: [{ guard: 'looping', target: 'about' }, { target: 'ready' }] },
    about: { always: [{ guard: 'looping', target: 'round' }, { target: 'ready' }] },
    waiting: {
      after: { 50: { target: 'ready', actions: assign(({ context }) => (loops ? work(1e9) : undefined, context)) } },
    },
    asking: {
      invoke: { src: 'answer', onDone: { target: 'ready', actions: assign(({ context }) => (loops ? work(1e9) : undefined, context)) } },
    },
  },
});

/** Loops as soon as it is made. */
const newborn = setup({ types: { context: {} as { n: number } } }).createMachine({
  id: 'newborn',
  context: () => (loops ? work(1e9) : undefined, { n: 0 }),
});

const teller = setup({ types: { events: {} as { type: 'TELL' } | { type: 'BEAR' } } }).createMachine({
  id: 'teller',
  on: {
    TELL: {
      actions: [tell('l', { type: 'ADD' }), tell('l', { type: 'LOOP', note: 'by mail' } as { type: string }), tell('l', { type: 'ADD' })],
    },
    BEAR: { actions: spawnAgent('newborn', { id: 'n' }) },
  },
});

export const agents = {
  looper: { machine: looper, version: 1 },
  newborn: { machine: newborn, version: 1 },
  teller: { machine: teller, version: 1 },
} as const;

export const crew = supervisor({ id: 'team', children: [fleet('crew', { kind: 'looper', size: 1 })] });

/** Encrypted where there is a key file beside it. */
export function open(path: string, turnMs = 400, leaseMs = 5_000): Promise<Runtime<typeof agents>> {
  const keys = `${path}.keys`;
  const store = existsSync(keys) ? encrypted(sqlite(path), { keys: keyFile(keys) }) : sqlite(path);
  return createRuntime({ store, agents, limits: { turnMs }, node: { leaseMs, spread: false } });
}

const [, script, path = '', how = '', turnMs = '400', leaseMs = '5000'] = process.argv;
if (script === looperPath) {
  const runtime = await open(path, Number(turnMs), Number(leaseMs));
  loops = true;
  const supervised = how.startsWith('supervised');
  if (supervised) await runtime.supervise(supervisor({ id: 'team', children: [{ id: 'l', kind: 'looper' }] }));
  const agent = supervised ? runtime.agent<'looper'>('l') : await runtime.spawn('looper', { id: 'l' });
  const other = await runtime.spawn('teller', { id: 't' });
  await agent.send({ type: 'ADD' });
  process.stdout.write('ready\n');
  if (how === 'send') void agent.send({ type: 'LOOP', note: 'by code' });
  if (how === 'long') void agent.send({ type: 'LOOP', note: 'ä'.repeat(100_000) });
  if (how === 'always') void agent.send({ type: 'ALWAYS' });
  if (how === 'timer') await agent.send({ type: 'SOON' });
  if (how === 'supervised send') void agent.send({ type: 'LOOP', note: 'by code' });
  if (how === 'outcome' || how === 'supervised outcome') await agent.send({ type: 'ASK' });
  if (how.startsWith('job')) {
    await runtime.supervise(crew);
    const members = runtime.fleet<'looper'>('crew');
    await members.submit(how === 'job' ? { type: 'LOOP', note: 'a job' } : { type: 'ASK' }, { id: 'bad' });
    await members.submit({ type: 'ADD' }, { id: 'good' });
  }
  if (how === 'mail') await other.send({ type: 'TELL' });
  if (how === 'birth') await other.send({ type: 'BEAR' });
  if (how.startsWith('work')) {
    await agent.send({ type: 'WORK', ms: Number(how.slice(4)) });
    await runtime.close();
    process.stdout.write('done\n');
  }
}

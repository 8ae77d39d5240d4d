/** A member that does what its job says, and a fleet of them. */

import { assign, setup } from 'xstate';
import { activity, ask, askedBy, createRuntime, fleet, memory, reply, supervisor, TerminalError } from 'statewarden';
import type { FleetOptions, FleetSupervision, Runtime, RuntimeOptions, SupervisorSpec } from 'statewarden';

export type Job =
  | { type: 'JOB'; n: number }
  /** Its turn throws until `world.fixed`. */
  | { type: 'POISON'; n: number }
  /** Its activity is done when the world says so, or fails, or never ends. */
  | { type: 'CALL'; n: number; how: 'waits' | 'fails' | 'hangs' }
  | { type: 'LAST'; n: number };

/** What is outside of the agents. */
export class World {
  fixed = false;
  /** Calls that wait, by number of their job. */
  readonly waiting = new Map<number, () => void>();
  readonly calls: number[] = [];
  atOnce = 0;
  most = 0;

  async call(n: number, how: 'waits' | 'fails' | 'hangs'): Promise<number> {
    this.calls.push(n);
    this.atOnce += 1;
    this.most = Math.max(this.most, this.atOnce);
    try {
      if (how === 'fails' && !this.fixed) throw new TerminalError('no such page');
      if (how === 'hangs' && !this.fixed) await new Promise(() => undefined);
      if (how === 'waits') await new Promise<void>((resolve) => this.waiting.set(n, resolve));
      return n;
    } finally {
      this.atOnce -= 1;
    }
  }

  /** Ends every call that waits. */
  release(): void {
    for (const end of this.waiting.values()) end();
    this.waiting.clear();
  }
}

const memberOf = (world: World, version: number) =>
  setup({
    types: {
      context: {} as { n: number; how: 'waits' | 'fails' | 'hangs'; asker: string | undefined; taken: number },
      events: {} as Job,
    },
    actors: {
      call: activity({
        name: 'call',
        onUnknown: 'retry',
        run: ({ n, how }: { n: number; how: 'waits' | 'fails' | 'hangs' }) => world.call(n, how),
      }),
    },
  }).createMachine({
    id: 'member',
    context: { n: 0, how: 'waits', asker: undefined, taken: 0 },
    initial: 'idle',
    states: {
      idle: {
        on: {
          JOB: {
            actions: [
              assign({ taken: ({ context }) => context.taken + 1 }),
              reply(({ context, event }) => ({ n: event.n, taken: context.taken, version })),
            ],
          },
          POISON: {
            actions: [
              assign(({ context }) => {
                if (!world.fixed) throw new Error('poison');
                return context;
              }),
              reply(({ event }) => ({ n: (event as { n: number }).n })),
            ],
          },
          CALL: {
            target: 'calling',
            actions: assign(({ event }) => ({ n: event.n, how: event.how, asker: askedBy(event) })),
          },
          LAST: { target: 'over', actions: assign({ n: ({ event }) => event.n }) },
        },
      },
      calling: {
        invoke: {
          src: 'call',
          input: ({ context }) => ({ n: context.n, how: context.how }),
          onDone: { target: 'idle', actions: reply(({ context }) => ({ n: context.n }), { to: ({ context }) => context.asker }) },
        },
      },
      over: { type: 'final' },
    },
    output: ({ context }) => ({ n: context.n, last: true }),
  });

/** Hands jobs to the fleet from inside, and waits for what comes of them. */
const chief = setup({
  types: { context: {} as { answers: unknown[] }, events: {} as { type: 'GO'; jobs: Job[] } },
  actors: { work: ask() },
}).createMachine({
  id: 'chief',
  context: { answers: [] },
  initial: 'idle',
  states: {
    idle: { on: { GO: 'asking' } },
    asking: {
      invoke: {
        src: 'work',
        input: ({ event }) => ({ to: 'crew', event: event.jobs[0] as Job }),
        onDone: { target: 'idle', actions: assign({ answers: ({ context, event }) => [...context.answers, event.output] }) },
        onError: {
          target: 'idle',
          actions: assign({ answers: ({ context, event }) => [...context.answers, (event.error as Error).message] }),
        },
      },
    },
  },
});

export const kindsWith = (world: World, version = 1) =>
  ({
    member: {
      machine: memberOf(world, version),
      version,
      ...(version === 1 ? {} : { previous: [{ machine: memberOf(world, version - 1), version: version - 1 }] }),
    },
    chief: { machine: chief, version: 1 },
  }) as const;

export type Kinds = ReturnType<typeof kindsWith>;

export const crew = (options: Partial<FleetOptions & FleetSupervision> = {}): SupervisorSpec =>
  supervisor({ id: 'team', children: [fleet('crew', { kind: 'member', size: 3, ...options })] });

export function open(world: World, options: Partial<RuntimeOptions> = {}, version = 1): Promise<Runtime<Kinds>> {
  return createRuntime({ store: memory(), ...options, agents: kindsWith(world, version) });
}

/** A service that a test can take down, agents that call it once each, and a runtime with time of its own. */

import { assign, setup, type AnyActorLogic } from 'xstate';
import {
  activity,
  createRuntime,
  memory,
  type ActivityDefinition,
  type Runtime,
  type RuntimeEvent,
  type RuntimeOptions,
} from 'statewarden';
import { consecutiveBreaker } from 'statewarden/breakers';
import { SimulatedClock } from 'statewarden/testing';

export interface Call {
  readonly n: number;
  readonly at: number;
  readonly key: string;
  readonly attempt: number;
  readonly ok: boolean;
}

export class Service {
  readonly clock: SimulatedClock;
  readonly calls: Call[] = [];
  up = true;
  tookMs = 0;

  constructor(clock: SimulatedClock) {
    this.clock = clock;
  }

  /** Numbers of the calls that were answered, in order. */
  get served(): number[] {
    return this.calls.filter(({ ok }) => ok).map(({ n }) => n);
  }

  async call(n: number, { idempotencyKey, attempt }: { readonly idempotencyKey: string; readonly attempt: number }): Promise<number> {
    const ok = this.up;
    this.calls.push({ n, at: this.clock.now(), key: idempotencyKey, attempt, ok });
    if (this.tookMs > 0) await new Promise<void>((resolve) => this.clock.setTimeout(resolve, this.tookMs));
    if (!ok) throw new Error('the service is down');
    return n * 10;
  }
}

/** Calls `work` with its input once, and ends with the result or the error's code. `LEAVE` gives up. */
export function caller(work: AnyActorLogic, tags: string[] = []) {
  return setup({
    actors: { work },
    types: {
      context: {} as { n: number; result: unknown },
      input: {} as number,
      output: {} as unknown,
      events: {} as { type: 'LEAVE' },
    },
  }).createMachine({
    id: 'caller',
    context: ({ input }) => ({ n: input, result: undefined }),
    initial: 'calling',
    states: {
      calling: {
        tags,
        invoke: {
          src: 'work',
          input: ({ context }: { context: { n: number } }) => context.n,
          onDone: { target: 'end', actions: assign({ result: ({ event }) => event.output as unknown }) },
          onError: { target: 'end', actions: assign({ result: ({ event }) => (event.error as { code?: string }).code ?? 'failed' }) },
        },
        on: { LEAVE: 'left' },
      },
      left: {},
      end: { type: 'final' },
    },
    output: ({ context }: { context: { result: unknown } }) => context.result,
  });
}

/** Opens after two failures, for five seconds at first. */
export const api = () => consecutiveBreaker({ name: 'api', level: 'service', failures: 2 });

type Definition = Partial<ActivityDefinition<number, number>>;

export interface World {
  readonly clock: SimulatedClock;
  readonly service: Service;
  readonly store: RuntimeOptions['store'];
  readonly events: RuntimeEvent[];
  /** Another life, or a node beside. */
  open(definition?: Definition, options?: Partial<RuntimeOptions>): Promise<Runtime<Kinds>>;
}
export type Kinds = Readonly<Record<'caller', { readonly machine: ReturnType<typeof caller>; readonly version: 1 }>>;

export function world(): World {
  const clock = new SimulatedClock();
  const service = new Service(clock);
  const store = memory();
  const events: RuntimeEvent[] = [];
  const random = { next: () => 0.5, id: () => `node-${String((ids += 1))}` };
  let ids = 0;
  const open = async (definition: Definition = {}, options: Partial<RuntimeOptions> = {}) => {
    const work = activity<number, number>({
      name: 'work',
      onUnknown: 'retry',
      run: (n, context) => service.call(n, context),
      retry: { attempts: 5, initialMs: 10, jitter: 'none' },
      ...(options.breakers === undefined ? { breaker: api() } : {}),
      ...definition,
    });
    const runtime = await createRuntime({ clock, random, store, ...options, agents: { caller: { machine: caller(work), version: 1 } } });
    runtime.events$.subscribe((event) => events.push(event));
    return runtime;
  };
  return { clock, service, store, events, open };
}

/** Trips the breaker: two calls that fail. */
export async function takeDown(runtime: Runtime<Kinds>, { clock, service }: World): Promise<void> {
  service.up = false;
  await runtime.spawn('caller', { id: 'first', input: 0 });
  await clock.advance(50);
}

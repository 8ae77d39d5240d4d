/**
 * Supervision trees against a model: whatever their children do, and however often their process ends on the way, each child comes to stand where the rules of
 * OTP put it, runs once, and takes each accepted event once.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { assign, fromCallback, setup } from 'xstate';
import { isSupervisor, resolveChild } from '#src/supervisor/spec.js';
import {
  memory,
  type ChildSpec,
  type RestartType,
  type Strategy,
  type SupervisorRef,
  type SupervisorSpec,
  type TreeNode,
} from 'statewarden';
import { journalOf, Lives, type Ending } from './lives.js';
import { runs, timeoutMs } from './runs.js';

type WorkerEvent = { type: 'N'; name: string } | { type: 'POISON' } | { type: 'END' };

/** How often each worker is up now, and which were up twice at a time. */
class Presences {
  readonly #up = new Map<string, number>();
  readonly twice = new Set<string>();

  come(id: string): () => void {
    const count = (this.#up.get(id) ?? 0) + 1;
    this.#up.set(id, count);
    if (count > 1) this.twice.add(id);
    return () => void this.#up.set(id, (this.#up.get(id) ?? 0) - 1);
  }

  has(id: string): boolean {
    return (this.#up.get(id) ?? 0) > 0;
  }
}

const kindsWith = (presences: Presences) => ({
  worker: {
    version: 1,
    machine: setup({
      types: { context: {} as { id: string }, input: {} as string, events: {} as WorkerEvent },
      actors: { presence: fromCallback<WorkerEvent, string>(({ input }) => presences.come(input)) },
    }).createMachine({
      id: 'worker',
      context: ({ input }) => ({ id: input }),
      initial: 'working',
      states: {
        working: {
          invoke: { src: 'presence', input: ({ context }) => context.id },
          on: {
            N: {},
            END: 'ended',
            POISON: {
              actions: assign(() => {
                throw new Error('poison');
              }),
            },
          },
        },
        ended: { type: 'final' },
      },
    }),
  },
});
type Kinds = ReturnType<typeof kindsWith>;

// ── The model ───────────────────────────────────────────────────────────────────────────────────────────────────────

type Standing = 'up' | 'terminated' | 'ended' | 'gone';

/** A child or a supervisor, as the rules have it. Nobody gives up here. */
class Model {
  readonly id: string;
  readonly restart: RestartType;
  readonly strategy: Strategy | undefined;
  readonly parent: Model | undefined;
  readonly children: readonly Model[];
  standing: Standing = 'up';

  constructor(spec: ChildSpec | SupervisorSpec, parent?: Model) {
    this.id = spec.id;
    this.restart = resolveChild(spec).restart;
    this.parent = parent;
    this.strategy = isSupervisor(spec) ? (spec.strategy ?? 'one-for-one') : undefined;
    this.children = isSupervisor(spec) ? (spec.children ?? []).map((child) => new Model(child, this)) : [];
  }

  get all(): readonly Model[] {
    return [this, ...this.children.flatMap(({ all }) => all)];
  }

  /** It runs: so do all above it. */
  get runs(): boolean {
    return this.standing === 'up' && (this.parent?.runs ?? true);
  }

  failOrEnd(how: 'failed' | 'normal'): void {
    if (this.restart === 'permanent' || (this.restart === 'transient' && how === 'failed')) this.parent?.restartGroup(this);
    else this.standing = this.restart === 'temporary' ? 'gone' : 'ended';
  }

  restartGroup(child: Model): void {
    const from = this.strategy === 'one-for-all' ? 0 : this.children.indexOf(child);
    const group = this.strategy === 'one-for-one' ? [] : this.children.slice(from);
    for (const other of group) if (other !== child) other.stop();
    for (const other of group) if (other.standing === 'terminated') other.start();
    for (const other of group) if (other !== child && other.standing === 'up') other.start();
  }

  /** With its supervisor, or by hand. */
  stop(): void {
    if (this.standing === 'up') for (const child of this.children) child.stop();
    if (this.restart === 'temporary' && this.standing === 'up') this.standing = 'gone';
  }

  start(): void {
    if (this.standing === 'gone') return;
    this.standing = 'up';
    for (const child of this.children) if (child.standing !== 'ended') child.start();
  }
}

// ── What happens ────────────────────────────────────────────────────────────────────────────────────────────────────

interface Happening {
  readonly what: 'N' | 'POISON' | 'END' | 'terminate' | 'restart' | 'time';
  /** Of the workers, or of all. */
  readonly whom: number;
  readonly ending: { readonly ending: Ending; readonly afterMs: number; readonly midway: boolean } | undefined;
}

const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.constantFrom<Happening['what'][]>('N', 'N', 'POISON', 'END', 'terminate', 'restart', 'time'),
  whom: fc.nat({ max: 100 }),
  ending: fc.option(
    fc.record({
      ending: fc.constantFrom<Ending[]>('closed', 'cut', 'killed'),
      afterMs: fc.constantFrom(0, 0, 1, 5),
      midway: fc.boolean(),
    }),
    { nil: undefined, freq: 2 },
  ),
});

type Shape =
  { readonly restart: RestartType; readonly strategy?: undefined } | { readonly strategy: Strategy; readonly inside: readonly Shape[] };
const strategy = fc.constantFrom<Strategy[]>('one-for-one', 'one-for-all', 'rest-for-one');
const leaf: fc.Arbitrary<Shape> = fc.record({
  restart: fc.constantFrom<RestartType[]>('permanent', 'transient', 'transient', 'temporary'),
});
const level = (below: fc.Arbitrary<Shape>): fc.Arbitrary<Shape> =>
  fc.record({
    strategy,
    inside: fc.array(fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 1, arbitrary: below }), { minLength: 1, maxLength: 3 }),
  });
const shape = level(level(leaf));

function specOf(given: Shape, id: string, delayMs: number): ChildSpec | SupervisorSpec {
  if (given.strategy === undefined) return { id, kind: 'worker', input: id, restart: given.restart };
  return {
    id,
    strategy: given.strategy,
    intensity: Infinity,
    ...(delayMs === 0 ? {} : { delay: { initialMs: delayMs, maximumMs: delayMs } }),
    children: given.inside.map((one, index) => specOf(one, `${id}.${String(index)}`, delayMs)),
  };
}

async function overtake(given: Shape, delayMs: number, happenings: readonly Happening[]): Promise<void> {
  const presences = new Presences();
  await using lives = new Lives<Kinds>(memory(), { agents: kindsWith(presences) });
  const spec = specOf(given, 'r', delayMs) as SupervisorSpec;
  const model = new Model(spec);
  const accepted = new Set<string>();
  await lives.start();
  await lives.through(lives.runtime.supervise(spec));
  /** Declared once more without its children, a tree stays as it is. */
  const refOf = async (one: Model): Promise<SupervisorRef<Kinds>> =>
    one.parent === undefined
      ? lives.runtime.supervise({ ...spec, children: [] })
      : (await refOf(one.parent)).supervise({ id: one.id, children: [] });
  /** Long enough for all restarts of a poison. */
  const quiet = (): Promise<void> => lives.clock.advance(500 + 10 * delayMs);

  for (const [index, { what, whom, ending }] of happenings.entries()) {
    const those = model.all.filter((one) => one !== model && (one.children.length === 0 || what === 'terminate' || what === 'restart'));
    const one = those[whom % those.length];
    const messageId = `m${String(index)}`;
    const attempt = async (): Promise<void> => {
      if (one === undefined) return;
      const { runtime } = lives;
      try {
        if (what === 'time') await lives.clock.advance(whom * 10);
        else if (what === 'terminate' || what === 'restart') {
          if (one.parent?.runs === true) await (await refOf(one.parent))[what](one.id);
        } else if (one.runs || what === 'N') {
          const event: WorkerEvent = what === 'N' ? { type: 'N', name: messageId } : { type: what };
          await runtime.agent<'worker'>(one.id).send(event, { messageId });
          accepted.add(`${one.id} ${messageId}`);
        }
      } catch (error) {
        const { code } = error as { code: string };
        expect(code, String((error as Error).stack)).to.be.oneOf([
          'DEAD_LETTER',
          'SUPERVISION',
          'STORE_POISONED',
          'RUNTIME_CLOSED',
          'LEASE_LOST',
        ]);
      }
    };
    const trying = attempt();
    if (ending?.midway === true) {
      await (ending.afterMs === 0 ? undefined : lives.clock.advance(ending.afterMs));
      await lives.restart(ending.ending);
    }
    await (what === 'time' ? trying : lives.through(trying));
    await quiet();
    const letters = await lives.runtime.deadLetters.list();
    // Whoever was cut off does not know what became of it, and says it again.
    if (ending?.midway === true && !letters.some((letter) => letter.messageId === messageId)) {
      await lives.through(attempt());
      await quiet();
    }
    if (ending?.midway === false) {
      await lives.restart(ending.ending);
      await quiet();
    }
    if (one !== undefined) happen(one, what);
    await check(lives, model, presences, `after ${what} of ${one?.id ?? 'none'} (${String(index)})`);
  }
  await checkMail(lives, model, accepted);
}

function happen(one: Model, what: Happening['what']): void {
  const heard = one.parent?.runs === true;
  if (what === 'POISON' && one.runs) one.failOrEnd('failed');
  else if (what === 'END' && one.runs) one.failOrEnd('normal');
  else if (what === 'terminate' && heard) {
    one.stop();
    if (one.standing === 'up') one.standing = 'terminated';
  } else if (what === 'restart' && heard && one.standing !== 'up') one.start();
}

async function check(lives: Lives<Kinds>, model: Model, presences: Presences, when: string): Promise<void> {
  const seen = new Map<string, string>();
  const walk = (node: TreeNode, up: boolean): void => {
    // What is under a supervisor that is down is down with it, or over.
    seen.set(node.id, up ? `${node.status}, ${String(node.agent)}` : node.agent === 'active' ? 'active' : 'down');
    for (const child of node.children ?? []) walk(child, up && node.status === 'running');
  };
  for (const root of await lives.runtime.tree()) walk(root, true);
  const said: Readonly<Record<Standing, string>> = {
    up: 'running, active',
    terminated: 'terminated, suspended',
    ended: 'ended, done',
    gone: 'none',
  };
  const expected = model.all
    .filter(({ standing }) => standing !== 'gone')
    .map((one): [string, string] => [one.id, one.parent?.runs === false ? 'down' : said[one.standing]]);
  expect(Object.fromEntries([...seen].sort()), when).to.deep.equal(Object.fromEntries(expected.sort()));
  expect([...presences.twice], `${when}: up twice`).to.deep.equal([]);
  for (const one of model.all) {
    if (one.strategy === undefined) expect(presences.has(one.id), `${when}: ${one.id} is up`).to.equal(one.runs);
  }
}

/** Each event that was accepted has been taken once, or is a dead letter, or waits for somebody who is down. */
async function checkMail(lives: Lives<Kinds>, model: Model, accepted: ReadonlySet<string>): Promise<void> {
  const { store } = lives.runtime;
  const found: string[] = [];
  for (const letter of await store.deadLetters({ after: 0, limit: 10_000 })) found.push(`${letter.to} ${letter.messageId ?? ''}`);
  for (const one of model.all.filter(({ strategy: supervises }) => supervises === undefined)) {
    for (const { id } of await journalOf(store, one.id)) if (id !== undefined) found.push(`${one.id} ${id}`);
    const [record] = await store.lookup([one.id]);
    const mailbox = record === undefined ? [] : ((await store.inspect(record.key))?.mailbox ?? []);
    if (one.runs) expect(mailbox, `mail of ${one.id}`).to.deep.equal([]);
    for (const { messageId } of mailbox) found.push(`${one.id} ${messageId ?? ''}`);
  }
  expect(found, 'once each').to.deep.equal([...new Set(found)]);
  expect(
    [...accepted].filter((name) => !found.includes(name)),
    'accepted and lost',
  ).to.deep.equal([]);
  expect(await store.check()).to.deep.equal([]);
}

const inner = (restart: RestartType): Shape => ({
  strategy: 'one-for-one',
  inside: [{ strategy: 'one-for-one', inside: [{ restart }] }],
});
const examples: [Shape, number, Happening[]][] = [
  // Sent to when it was forgotten together with its supervisor.
  [
    inner('temporary'),
    0,
    [
      { what: 'terminate', whom: 0, ending: undefined },
      { what: 'N', whom: 0, ending: undefined },
    ],
  ],
  // The supervisor hears of its end while it is brought back.
  [inner('permanent'), 0, [{ what: 'END', whom: 0, ending: { ending: 'cut', afterMs: 0, midway: true } }]],
  [inner('permanent'), 0, [{ what: 'END', whom: 0, ending: { ending: 'killed', afterMs: 0, midway: true } }]],
];

describe('supervision trees', () => {
  it('come to what the rules say, through any life of their process', async () => {
    const property = fc.asyncProperty(shape, fc.constantFrom(0, 0, 20), fc.array(happening, { minLength: 1, maxLength: 8 }), overtake);
    await fc.assert(property, { ...runs(150), examples });
  }).timeout(timeoutMs);
});

/**
 * The team at work, on a terminal: one line for each agent with its state and a bar, redrawn in place; or, when nobody watches, a plain line
 * whenever an agent's state changes. It only looks at committed snapshots: what it shows cannot be lost by a crash.
 */

import type { Observable, Subscription } from 'rxjs';
import type { SnapshotFrom } from 'xstate';
import type { Runtime } from 'statewarden';
import { criticId, plannerId, researcherId, writerId } from './team/events.js';
import type { TeamKinds } from './team/team.js';

export interface Output {
  write(text: string): void;
  /** Lines may be redrawn in place. */
  readonly live: boolean;
  readonly columns: number;
}

interface Row {
  readonly name: string;
  readonly state: string;
  readonly detail: string;
  readonly done: number;
  readonly total: number;
}

type TeamSnapshot<TKind extends keyof TeamKinds> = SnapshotFrom<TeamKinds[TKind]['machine']>;

const redrawMs = 50;
const barLength = 16;

export class Progress {
  readonly #output: Output;
  readonly #rows = new Map<string, Row>();
  readonly #subscriptions: Subscription[] = [];
  #drawn = 0;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Watches all agents of a run, as they appear. */
  watch(runtime: Runtime<TeamKinds>, run: string): void {
    let teamSeen = false;
    this.#follow(runtime.agent<'planner'>(plannerId(run)).snapshots$, (snapshot) => {
      this.#show(plannerId(run), plannerRow(snapshot));
      if (teamSeen || snapshot.context.topics.length === 0 || snapshot.value === 'planning') return;
      teamSeen = true;
      for (const { number, title } of snapshot.context.topics) {
        const id = researcherId(run, number);
        this.#follow(runtime.agent<'researcher'>(id).snapshots$, (state) => this.#show(id, researcherRow(number, title, state)));
      }
      this.#follow(runtime.agent<'critic'>(criticId(run)).snapshots$, (state) => this.#show(criticId(run), criticRow(state)));
      this.#follow(runtime.agent<'writer'>(writerId(run)).snapshots$, (state) => this.#show(writerId(run), writerRow(state)));
    });
    this.#sayRetries(runtime, run);
  }

  /** Where several processes share the team: what this one does of it, a line for each step. To look at an agent would call it here, and they are to stay where they were spread. */
  watchOwn(runtime: Runtime<TeamKinds>, run: string): void {
    const steps = new Map<string, string>();
    const tell = (agentId: string, step: string): void => {
      const name = agentId.slice(run.length + 1);
      if (steps.get(name) === step || !agentId.startsWith(`${run}/`)) return;
      steps.set(name, step);
      this.say(`${name.padEnd(13)} ${step}`);
    };
    this.#subscriptions.push(
      runtime.events$.subscribe((event) => {
        if (event.type === 'activity' && event.phase === 'started') tell(event.agentId, event.activity);
        else if (event.type === 'handed-over') tell(event.agentId, `goes to node ${String(event.node)}`);
        else if (event.type === 'ended') tell(event.agentId, event.status);
      }),
    );
    this.#sayRetries(runtime, run);
  }

  #sayRetries(runtime: Runtime<TeamKinds>, run: string): void {
    this.#subscriptions.push(
      runtime.events$.subscribe((event) => {
        if (event.type !== 'activity' || event.phase !== 'retrying') return;
        this.say(`  ${event.agentId.slice(run.length + 1)}: ${event.activity} failed (${event.error?.message ?? 'unknown'}), trying again`);
      }),
    );
  }

  /** A line above the team's. */
  say(line: string): void {
    if (this.#output.live && this.#drawn > 0) {
      this.#erase();
      this.#output.write(`${line}\n`);
      this.#draw();
    } else this.#output.write(`${line}\n`);
  }

  /** Shows the last state and lets go. Further calls do nothing. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#output.live) {
      this.#erase();
      this.#draw();
    }
    this.#drawn = 0;
  }

  #follow<T>(snapshots: Observable<T>, next: (snapshot: T) => void): void {
    // What goes wrong with an agent is told by the run itself; here it only stops being drawn.
    this.#subscriptions.push(snapshots.subscribe({ next, error: () => undefined }));
  }

  #show(id: string, row: Row): void {
    const before = this.#rows.get(id);
    this.#rows.set(id, row);
    if (this.#output.live) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#erase();
        this.#draw();
      }, redrawMs);
    } else if (before?.state !== row.state)
      this.#output.write(`${row.name.padEnd(13)} ${row.state.padEnd(24)} ${row.detail}`.trimEnd() + '\n');
  }

  #erase(): void {
    if (this.#drawn > 0) this.#output.write(`\u001b[${String(this.#drawn)}A\u001b[0J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const lines = [...this.#rows.values()].map((row) => lineOf(row).slice(0, Math.max(20, this.#output.columns - 1)));
    if (lines.length > 0) this.#output.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }
}

function lineOf({ name, state, detail, done, total }: Row): string {
  const filled = total === 0 ? 0 : Math.round((Math.min(done, total) / total) * barLength);
  return `${name.padEnd(13)} ${'█'.repeat(filled)}${'░'.repeat(barLength - filled)} ${state.padEnd(24)} ${detail}`;
}

function plannerRow({ value, context }: TeamSnapshot<'planner'>): Row {
  const step = ['surveying', 'planning', 'directing', 'finished'].indexOf(value);
  const documents = context.listing.files.length === 0 ? '' : `${String(context.listing.files.length)} documents`;
  const topics = context.topics.length === 0 ? '' : `, ${String(context.topics.length)} topics`;
  return { name: 'planner', state: value, detail: documents + topics, done: step, total: 3 };
}

const researcherStates: Readonly<Record<string, string>> = { underReview: 'with the critic' };

function researcherRow(number: number, title: string, { value, context }: TeamSnapshot<'researcher'>): Row {
  const { position, list, round, accepted } = context;
  const phase: string = value;
  const state = phase === 'finished' || phase === 'dismissed' ? phase : `${researcherStates[phase] ?? phase}, round ${String(round)}`;
  const detail = `${title}${accepted.length === 0 ? '' : `: ${String(accepted.length)} quotes accepted`}`;
  const finished = phase === 'finished';
  return { name: `researcher-${String(number)}`, state, detail, done: finished ? 1 : position, total: finished ? 1 : list.length };
}

function criticRow({ value, context }: TeamSnapshot<'critic'>): Row {
  const { answered, waiting } = context;
  const detail = `${String(answered)} answered${waiting.length === 0 ? '' : `, ${String(waiting.length)} to do`}`;
  return { name: 'critic', state: value, detail, done: answered, total: answered + waiting.length };
}

function writerRow({ value, context }: TeamSnapshot<'writer'>): Row {
  const { findings, sections, topics, sha256 } = context;
  const detail =
    sections.length > 0
      ? `${String(sections.length)} of ${String(topics)} sections written`
      : `${String(findings.length)} of ${String(topics)} findings in`;
  return { name: 'writer', state: value, detail, done: findings.length + sections.length + (sha256 === '' ? 0 : 1), total: 2 * topics + 1 };
}

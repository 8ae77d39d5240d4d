/**
 * The outage, watched. On a terminal the board is redrawn in place, one line for each incident; else there is a plain line whenever an incident's status changes. It only looks at
 * committed snapshots: what it shows cannot be lost by a crash.
 */

import type { Subscription } from 'rxjs';
import type { Runtime } from 'statewarden';
import { rowsOf } from './board.js';
import type { CommanderContext, Row } from './team/commander.js';
import { ids } from './team/events.js';
import type { TeamKinds } from './team/team.js';

export interface Output {
  write(text: string): void;
  /** Lines may be redrawn in place. */
  readonly live: boolean;
  readonly columns: number;
}

const redrawMs = 50;
const barLength = 12;
const share: Readonly<Record<Row['status'], number>> = { open: 0.25, mitigating: 0.6, buried: 0.6, closed: 1 };

export class Progress {
  readonly #output: Output;
  readonly #subscriptions: Subscription[] = [];
  readonly #statuses = new Map<string, Row['status']>();
  #context: CommanderContext = { board: {}, total: undefined };
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  watch(runtime: Runtime<TeamKinds>): void {
    this.#subscriptions.push(
      runtime.events$.subscribe((event) => {
        if (event.type === 'failed') this.say(`  ${event.agentId} failed (${event.reason}): ${event.error.message}`);
        else if (event.type === 'restarted') this.say(`  ${event.agentId} is back after ${event.durationMs.toFixed(0)} ms`);
      }),
    );
  }

  /** As soon as there is a commander. */
  watchBoard(runtime: Runtime<TeamKinds>): void {
    const { snapshots$ } = runtime.agent<'commander'>(ids.commander);
    // What goes wrong with the commander is told by the run itself.
    this.#subscriptions.push(snapshots$.subscribe({ next: ({ context }) => this.#show(context), error: () => undefined }));
  }

  /** A line above the board. */
  say(line: string): void {
    this.#erase();
    this.#output.write(`${line}\n`);
    if (this.#output.live) this.#draw();
  }

  /** Takes the board away and lets go. Further calls do nothing. */
  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#erase();
    this.#context = { board: {}, total: undefined };
  }

  #show(context: CommanderContext): void {
    this.#context = context;
    if (this.#output.live) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#erase();
        this.#draw();
      }, redrawMs);
      return;
    }
    for (const row of rowsOf(context.board)) {
      const { incident, status } = row;
      if (this.#statuses.get(incident.id) === status) continue;
      this.#statuses.set(incident.id, status);
      this.#output.write(`${incident.id.padEnd(16)} ${status.padEnd(11)} ${detailOf(row)}`.trimEnd() + '\n');
    }
  }

  #erase(): void {
    if (this.#drawn > 0) this.#output.write(`\u001b[${String(this.#drawn)}A\u001b[0J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const rows = rowsOf(this.#context.board);
    if (rows.length === 0) return;
    const closed = rows.filter(({ status }) => status === 'closed').length;
    const lines = rows.map(lineOf);
    lines.push(
      `${String(closed)} of ${String(this.#context.total ?? rows.length)} closed${this.#context.total === undefined ? ', reading the log' : ''}`,
    );
    const width = Math.max(20, this.#output.columns - 1);
    this.#output.write(`${lines.map((line) => line.slice(0, width)).join('\n')}\n`);
    this.#drawn = lines.length;
  }
}

function lineOf(row: Row): string {
  const { incident, status } = row;
  const filled = Math.round(share[status] * barLength);
  const bar = '█'.repeat(filled) + '░'.repeat(barLength - filled);
  return `${incident.id.padEnd(16)} sev ${String(incident.severity)}  ${bar} ${status.padEnd(11)} ${detailOf(row)}`;
}

function detailOf({ incident, status, evidence, buried, actions }: Row): string {
  switch (status) {
    case 'open':
      return incident.finding;
    case 'mitigating':
      return evidence;
    case 'buried':
      return `dead letter: ${buried}`;
    case 'closed':
      return actions.join(', ');
  }
}

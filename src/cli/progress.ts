/** A bar for work that may take long: on standard error and only on a terminal, redrawn in place, gone when done. */

import type { Terminal } from './output.js';

const barLength = 24;
/** Work shorter than this shows no bar, and a bar is drawn no more often. */
const intervalMs = 100;

export class Progress {
  readonly #terminal: Terminal;
  readonly #label: string;
  readonly #now: () => number;
  #drawnAt: number;
  #drawn = false;

  constructor(terminal: Terminal, label: string, now: () => number) {
    this.#terminal = terminal;
    this.#label = label;
    this.#now = now;
    this.#drawnAt = now();
  }

  show(done: number, total: number): void {
    if (this.#terminal.isTTY !== true) return;
    const now = this.#now();
    if (now - this.#drawnAt < intervalMs) return;
    this.#drawnAt = now;
    this.#drawn = true;
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const full = Math.round(share * barLength);
    const bar = '█'.repeat(full) + '░'.repeat(barLength - full);
    this.#terminal.write(`\r${this.#label} ${bar} ${String(done)}/${String(total)}\u001B[K`);
  }

  end(): void {
    if (this.#drawn) this.#terminal.write('\r\u001B[K');
    this.#drawn = false;
  }
}

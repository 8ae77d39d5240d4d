/** What a workload is given and what it hands back: figures for results.json and rows for the table. */

import { join } from 'node:path';
import { measure as run, MeasuringChild } from './child.js';
import type { Progress } from './progress.js';
import type { Workspace } from './workspace.js';

export type Figure = number | string | boolean | null | readonly Figure[] | FigureRecord;
export interface FigureRecord {
  readonly [name: string]: Figure;
}

export interface Row {
  readonly workload: string;
  readonly measure: string;
  readonly ours: string;
  /** What it is compared with, and its figure. */
  readonly against: string;
  readonly theirs: string;
  readonly ratio: string;
  readonly goal?: string;
  readonly met?: boolean;
}

export interface Outcome {
  readonly figures: FigureRecord;
  readonly rows: readonly Row[];
  /** One line each, below the table. */
  readonly notes?: readonly string[];
}

export interface Workload {
  readonly id: string;
  readonly title: string;
  run(context: Context): Promise<Outcome>;
}

export class Context {
  readonly workspace: Workspace;
  readonly progress: Progress;
  readonly quick: boolean;
  readonly peers: boolean;
  readonly #compiled: string;
  readonly #sources: string;

  constructor(options: { workspace: Workspace; progress: Progress; quick: boolean; peers: boolean; compiled: string; sources: string }) {
    this.workspace = options.workspace;
    this.progress = options.progress;
    this.quick = options.quick;
    this.peers = options.peers;
    this.#compiled = options.compiled;
    this.#sources = options.sources;
  }

  /** One or the other, for a full run or a quick one. */
  size(full: number, quick: number): number {
    return this.quick ? quick : full;
  }

  /** Runs a measuring process with a folder of its own. */
  measure<T>(script: string, parameters: object, { execArgv = [] as readonly string[] } = {}): Promise<T> {
    return this.workspace.within((folder) => run<T>({ script: this.#script(script), parameters: { folder, ...parameters }, execArgv }));
  }

  /** Starts a measuring process that is killed by the caller. */
  start(script: string, parameters: object): MeasuringChild {
    return new MeasuringChild({ script: this.#script(script), parameters });
  }

  /** Runs a peer, with the packages of the bench folder; or says why it did not run. */
  async peer<T>(name: string, stage: string, parameters: object): Promise<T | { readonly notRun: string }> {
    if (!this.peers) return { notRun: '--no-peers' };
    const script = join(this.#sources, 'peers', `${name}.mjs`);
    try {
      return await this.progress.during(stage, () =>
        this.workspace.within((folder) => run<T>({ script, parameters: { folder, ...parameters }, cwd: this.#sources })),
      );
    } catch (error) {
      return { notRun: error instanceof Error ? error.message : String(error) };
    }
  }

  #script(name: string): string {
    return join(this.#compiled, 'processes', `${name}.js`);
  }
}

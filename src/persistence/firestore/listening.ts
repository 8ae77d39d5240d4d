/** Hears of mail as it comes: Firestore tells of new documents of the mailbox that are for this node, or for nobody's agents. What its own node posted is no news. After a fault it listens anew; mail from in between comes with the first answer. */

import { sleep, systemClock } from '../../core/clock.js';
import type { AgentKey } from '../store.js';
import type { ListeningClient } from './client.js';

export interface ListeningOptions {
  readonly client: ListeningClient;
  /** Path of the mailbox collection within the database. */
  readonly path: string;
  readonly node: number;
  /** Who posts here. */
  readonly by: string;
  /** Those of these agents, whom nobody was thought to hold, that are not another live node's. */
  readonly free: (agents: readonly AgentKey[]) => Promise<readonly AgentKey[]>;
  readonly listener: (agents: readonly AgentKey[]) => void;
}

const againMs = 1_000;

export class Listening {
  readonly #options: ListeningOptions;
  #stop: (() => void) | undefined;
  #stopped = false;

  constructor(options: ListeningOptions) {
    this.#options = options;
    this.#start();
  }

  #start(): void {
    const { client, path, node, by } = this.#options;
    this.#stop = client
      .collection(path)
      .where('node', 'in', [node, 0])
      .onSnapshot(
        (snapshot) => {
          const mail = snapshot
            .docChanges()
            .filter(({ type }) => type === 'added')
            .map(({ doc }) => doc.data())
            .filter((data) => data['by'] !== by);
          const agents = (of: boolean): AgentKey[] => [
            ...new Set(mail.filter((data) => (data['node'] === node) === of).map((data) => data['agent'] as number)),
          ];
          this.#tell(agents(true));
          const others = agents(false);
          // Whoever holds one of them by now is told by its own listener.
          if (others.length > 0) {
            this.#options.free(others).then(
              (free) => this.#tell(free),
              () => this.#tell(others),
            );
          }
        },
        () => void this.#again(),
      );
  }

  #tell(agents: readonly AgentKey[]): void {
    if (agents.length > 0 && !this.#stopped) this.#options.listener(agents);
  }

  async #again(): Promise<void> {
    this.#stop?.();
    await sleep(systemClock, againMs);
    if (!this.#stopped) this.#start();
  }

  stop(): void {
    this.#stopped = true;
    this.#stop?.();
  }
}

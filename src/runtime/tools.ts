/**
 * What tools that stand beside a runtime need of it, as the console does: names, and a look at an agent that changes nothing. A process may ask to be told of every runtime that is made in it, through a symbol of the global
 * registry: `statewarden dev` does, so that neither the program nor the runtime has to know of the console.
 */

import type { AnyMachineSnapshot } from 'xstate';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import { BadInputError, UnknownAgentError } from '../core/errors.js';
import type { AgentRecord, AgentStatus } from '../persistence/store.js';
import { supervisorKind } from '../supervisor/machine.js';
import type { Node } from './node.js';
import type { ResolvedOptions } from './options.js';
import { Reference } from './reference.js';
import { Supervisor } from './supervisor-ref.js';

/** An agent in memory as it was committed last. */
export interface Peeked {
  readonly kind: string;
  readonly version: number;
  readonly sequenceNumber: number;
  readonly status: AgentStatus;
  readonly snapshot: AnyMachineSnapshot;
}

export interface RuntimeTools {
  /** For people: `sqlite:./agents.db`. */
  readonly storeName: string;
  /** The user's kinds that are registered. */
  readonly kinds: readonly string[];
  /** Where archived agents are. */
  readonly artifacts: ArtifactStore | undefined;
  /**
   * An agent that is in this memory; undefined when it is not. Unlike `snapshot()` it brings nothing into memory and writes no checkpoint: turns that are journaled and in no checkpoint yet
   * may come out differently after a crash.
   */
  peek(id: string): Peeked | undefined;
  /** Ends an agent; one that has a supervisor is taken down by it and stays so until it is restarted. @throws UnknownAgentError, SupervisionError */
  stop(id: string): Promise<void>;
  /** Has an agent's supervisor bring it back; one that is up is taken down first. It goes on where it stood. @throws UnknownAgentError, BadInputError for one without a supervisor, SupervisionError */
  restart(id: string): Promise<void>;
  /** Called when the runtime is about to close, which waits for it. Returns how to take it back. */
  whenClosing(callback: () => Promise<void> | void): () => void;
}

export class NodeTools implements RuntimeTools {
  readonly storeName: string;
  readonly artifacts: ArtifactStore | undefined;
  readonly #node: Node;
  readonly #options: ResolvedOptions;
  readonly #closing = new Set<() => Promise<void> | void>();

  constructor(node: Node, options: ResolvedOptions) {
    this.#node = node;
    this.#options = options;
    this.storeName = options.store.name;
    this.artifacts = options.archive.artifacts;
  }

  get kinds(): readonly string[] {
    return [...this.#node.kinds.names];
  }

  peek(id: string): Peeked | undefined {
    const agent = this.#node.resident(id);
    if (agent?.committed === undefined || agent.committedSequenceNumber === 0) return undefined;
    const { kind, registration, committedSequenceNumber: sequenceNumber, committed: snapshot } = agent;
    const status = agent.sequenceNumber === sequenceNumber ? agent.status : 'active';
    return { kind, version: registration.version, sequenceNumber, status, snapshot };
  }

  async stop(id: string): Promise<void> {
    const record = await this.#recordOf(id);
    if (record.kind === supervisorKind) await new Supervisor(this.#node, this.#options, id).shutdown();
    else if (record.supervisor === undefined) await new Reference(this.#node, this.#options, id).stop();
    else await new Supervisor(this.#node, this.#options, record.supervisor).terminate(id);
  }

  async restart(id: string): Promise<void> {
    const record = await this.#recordOf(id);
    if (record.supervisor === undefined) {
      throw new BadInputError(`agent ${JSON.stringify(id)} has no supervisor that could restart it`, {
        hint: 'One that is parked starts again with the runtime, when its machine fits.',
      });
    }
    const supervisor = new Supervisor(this.#node, this.#options, record.supervisor);
    const child = (await supervisor.which()).find((one) => one.id === id);
    if (child?.status === 'running') {
      if (child.restart === 'temporary') {
        throw new BadInputError(`agent ${JSON.stringify(id)} is a temporary child: once it is down it is forgotten`, {
          hint: 'Stop it, and spawn another.',
        });
      }
      await supervisor.terminate(id);
    }
    await supervisor.restart(id);
  }

  async #recordOf(id: string): Promise<AgentRecord> {
    this.#node.assertOpen();
    const [record] = await this.#node.store.lookup([id]);
    if (record !== undefined) return record;
    throw new UnknownAgentError(`there is no agent ${JSON.stringify(id)}`, { hint: '`statewarden ls` lists the agents.' });
  }

  whenClosing(callback: () => Promise<void> | void): () => void {
    this.#closing.add(callback);
    return () => void this.#closing.delete(callback);
  }

  /** A tool that fails must not keep the runtime open. */
  async close(): Promise<void> {
    const callbacks = [...this.#closing];
    this.#closing.clear();
    await Promise.allSettled(callbacks.map(async (callback) => callback()));
  }
}

/** Where a process leaves a function that is told of each runtime. */
export const witness = Symbol.for('statewarden.witness');

/** Resolves when the witness has done what it wants to do before the program goes on. @throws what it throws */
export async function tellWitness(runtime: unknown): Promise<void> {
  const told = (globalThis as { [witness]?: unknown })[witness];
  if (typeof told === 'function') await (told as (runtime: unknown) => unknown)(runtime);
}

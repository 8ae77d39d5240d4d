/** Agents that are being made. Invariant: one id is made once at a time, and whoever asks for it meanwhile waits for that. */

import { Agent } from '../actors/agent.js';
import type { AgentHost } from '../actors/host.js';
import type { Registration } from '../actors/registration.js';
import type { AgentRecord, OpenedStore } from '../persistence/store.js';
import { assertKind, type Kinds } from './kinds.js';
import type { Residents } from './residents.js';

export interface BirthsOptions {
  readonly host: AgentHost;
  readonly store: OpenedStore;
  readonly kinds: Kinds;
  readonly residents: Residents;
  /** After each. */
  readonly made: () => void;
}

export class Births {
  readonly #options: BirthsOptions;
  readonly #underWay = new Map<string, Promise<AgentRecord | undefined>>();
  /** Whom to tell of an older agent with the same id. */
  readonly #older = new Map<Agent, (record: AgentRecord) => void>();

  constructor(options: BirthsOptions) {
    this.#options = options;
  }

  underWay(id: string): Promise<unknown> | undefined {
    return this.#underWay.get(id);
  }

  /** Makes an agent; resolves to the record of the one that has the id already, if there is one. @throws KindConflictError */
  async make(kind: string, id: string, input: unknown, supervisor: string | undefined): Promise<AgentRecord | undefined> {
    const { kinds, residents, store } = this.#options;
    const { key, registration } = kinds.newAgent(kind, id);
    const known = residents.get(id);
    const underWay = this.#underWay.get(id);
    if (underWay !== undefined) {
      const record = await underWay;
      assertKind(id, kind, record?.kind ?? residents.get(id)?.kind ?? kind);
      return record ?? (await store.lookup([id]))[0];
    }
    if (known !== undefined) {
      assertKind(id, kind, known.kind);
      return (await store.lookup([id]))[0];
    }
    const made = this.#make(registration, key, id, input, supervisor);
    this.#underWay.set(id, made);
    try {
      const record = await made;
      if (record !== undefined) assertKind(id, kind, record.kind);
      return record;
    } finally {
      this.#underWay.delete(id);
      this.#options.made();
    }
  }

  async #make(
    registration: Registration,
    key: number,
    id: string,
    input: unknown,
    supervisor: string | undefined,
  ): Promise<AgentRecord | undefined> {
    const { host, residents } = this.#options;
    const span = host.tracing?.birth(registration.kind, id);
    const agent = new Agent(host, registration, { key, id, fence: 1, sequenceNumber: 0, supervisor, trace: span?.trace }, false);
    residents.add(agent);
    try {
      agent.begin(input, true);
      const record = await new Promise<AgentRecord | undefined>((resolve, reject) => {
        this.#older.set(agent, resolve);
        agent.whenDurable(1).then(() => resolve(undefined), reject);
      });
      if (record !== undefined) span?.existed();
      else if (host.observed) host.tell({ type: 'spawned', agentId: id, kind: registration.kind });
      return record;
    } catch (error) {
      span?.failed(error);
      agent.gone = true;
      residents.remove(agent);
      throw error;
    } finally {
      span?.ended();
      this.#older.delete(agent);
    }
  }

  /** The id turned out to be in use. */
  exists(agent: Agent, record: AgentRecord): void {
    this.#options.residents.remove(agent);
    this.#older.get(agent)?.(record);
  }
}

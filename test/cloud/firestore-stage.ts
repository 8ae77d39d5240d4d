/** One Firestore project for each test: stores on it, by way of a wire that counts, and commits to try them with. */

import { Firestore } from '@google-cloud/firestore';
import { firestore, type FirestoreOptions } from 'statewarden/firestore';
import { numberName } from '#src/persistence/firestore/places.js';
import type { AgentCommit, OpenedStore, Store } from '#src/persistence/store.js';
import { segment } from '#src/testing/store-cases/scene.js';
import { firestoreEmulator, newProject } from './firestore-emulator.js';
import { FirestoreWire } from './firestore-wire.js';

export class FirestoreStage {
  readonly project = newProject();
  readonly wire: FirestoreWire;
  readonly #host: string;
  readonly #opened: OpenedStore[] = [];
  #keys = 0;

  private constructor(host: string, wire: FirestoreWire) {
    this.#host = host;
    this.wire = wire;
  }

  static async set(): Promise<FirestoreStage> {
    const { host } = await firestoreEmulator();
    return new FirestoreStage(host, await new FirestoreWire(host).start());
  }

  store(more: Partial<FirestoreOptions> = {}): Store {
    return firestore({ project: this.project, emulator: this.wire.host, ...more });
  }

  async open(more: Partial<FirestoreOptions> = {}, ttlMs = 5_000): Promise<OpenedStore> {
    const one = await this.store(more).open({ lease: { name: 'node', ttlMs }, now: Date.now });
    this.#opened.push(one);
    return one;
  }

  async observe(): Promise<OpenedStore> {
    const one = await this.store().open({ now: Date.now });
    this.#opened.push(one);
    return one;
  }

  birth(one: OpenedStore, id: string, more: Partial<AgentCommit> = {}): AgentCommit {
    this.#keys += 1;
    return {
      key: one.node * 2 ** 32 + this.#keys,
      id,
      fence: 1,
      expected: 0,
      sequenceNumber: 1,
      at: Date.now(),
      create: { kind: 'counter', version: 1, input: undefined },
      segment: segment(1),
      ...more,
    };
  }

  /** The turn after another one's commit. */
  turn({ key, id, fence, sequenceNumber }: AgentCommit, more: Partial<AgentCommit> = {}): AgentCommit {
    const next = sequenceNumber + 1;
    return { key, id, fence, expected: sequenceNumber, sequenceNumber: next, at: Date.now(), segment: segment(next), ...more };
  }

  /** How many documents a collection has, by another client. */
  async documents(collection: string): Promise<number> {
    const database = new Firestore({ projectId: this.project, host: this.#host, ssl: false });
    try {
      return (await database.collection(`statewarden/default/${collection}`).count().get()).data().count;
    } finally {
      await database.terminate();
    }
  }

  /** Puts one agent's mail into another one's mailbox, by another client: as what came in when nobody should have let it. */
  async misdeliver(from: number, to: { readonly key: number; readonly id: string }): Promise<void> {
    const database = new Firestore({ projectId: this.project, host: this.#host, ssl: false });
    try {
      const mailbox = database.collection('statewarden/default/mailbox');
      for (const { ref, data } of (await mailbox.where('agent', '==', from).get()).docs.map((doc) => ({
        ref: doc.ref,
        data: doc.data(),
      }))) {
        await mailbox.doc(numberName(to.key, data['position'] as number)).create({ ...data, agent: to.key, to: to.id });
        await ref.delete();
      }
    } finally {
      await database.terminate();
    }
  }

  async strike(): Promise<void> {
    this.wire.weather = () => undefined;
    for (const one of this.#opened) await one.close();
    this.wire.stop();
  }
}

/** Firestore stores that are broken on purpose: the suites must see it. */

import { expect } from 'chai';
import { describeStore } from 'statewarden/testing';
import { StoreUnavailableError } from 'statewarden';
import { Calls, type CallsOptions, type ProtoWrite } from '#src/persistence/firestore/calls.js';
import { connect } from '#src/persistence/firestore/client.js';
import { isRace } from '#src/persistence/firestore/faults.js';
import { FirestoreStore } from '#src/persistence/firestore/opened.js';
import type { Store } from '#src/persistence/store.js';
import { applied } from '#src/testing/store-cases/scene.js';
import { status } from '@grpc/grpc-js';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { FirestoreStage } from '../cloud/firestore-stage.js';

type Sent = ReturnType<Calls['commit']>;

/** It expects nothing of the documents that it writes. */
class Careless extends Calls {
  override commit(writes: readonly ProtoWrite[], transaction?: Uint8Array): Sent {
    return super.commit(
      writes.map(({ currentDocument: _, ...write }) => write),
      transaction,
    );
  }
}

/** It sends its writes one by one, and goes on when one is refused. */
class Piecemeal extends Calls {
  override async commit(writes: readonly ProtoWrite[], transaction?: Uint8Array): Sent {
    if (transaction !== undefined) await this.rollback(transaction);
    const sent: Awaited<Sent>[] = [];
    let refusal: unknown;
    for (const write of writes) {
      try {
        sent.push(await super.commit([write]));
      } catch (error) {
        if (!isRace(error)) throw error;
        refusal ??= error;
      }
    }
    const last = sent.at(-1);
    if (refusal !== undefined || last === undefined) throw refusal;
    return { commitTime: last.commitTime, updateTimes: sent.flatMap(({ updateTimes }) => updateTimes) };
  }
}

/** It takes a lost answer for a failure, and tries again by itself. */
class Stubborn extends Calls {
  override async commit(writes: readonly ProtoWrite[], transaction?: Uint8Array): Sent {
    try {
      return await super.commit(writes, transaction);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      return super.commit(writes, transaction);
    }
  }
}

function broken(host: () => string, project: string, make: new (options: CallsOptions) => Calls, leaseTime: 'clock' | 'server'): Store {
  return {
    name: 'broken',
    capabilities: { durable: true, shared: true },
    open: async ({ lease, now }) => {
      const place = { project, database: '(default)' };
      const connection = await connect({ ...place, preferRest: false, emulator: host(), settings: {} });
      const calls = new make({ ...place, name: 'broken', connection, prefix: 'default', timeoutMs: 10_000, onCall: undefined });
      const opened = new FirestoreStore({ calls, connection, lease, now, leaseTime, mustExist: false });
      await opened.open();
      return opened;
    },
  };
}

describeFirestore('a broken Firestore store', function () {
  this.timeout(120_000);
  let host = '';

  before(async () => ({ host } = await firestoreEmulator()));

  /** Titles of cases of the conformance suite that it fails. */
  async function failed(make: new (options: CallsOptions) => Calls, wanted: RegExp): Promise<string[]> {
    const cases: [string, () => Promise<void>][] = [];
    const it = Object.assign((title: string, test: () => Promise<void>) => void cases.push([title, test]), { skip: () => undefined });
    describeStore('broken', () => ({ store: broken(() => host, newProject(), make, 'clock') }), {
      describe: (_, body) => body(),
      it,
    });
    const faults: string[] = [];
    for (const [title, test] of cases.filter(([name]) => wanted.test(name))) {
      const timeout = new Promise((_, reject) => void setTimeout(() => reject(new Error('it takes too long')), 10_000).unref());
      await Promise.race([test(), timeout]).catch(() => faults.push(title));
    }
    return faults;
  }

  it('that ignores what it expects fails where messages are taken and agents are taken over', async () => {
    const faults = await failed(Careless, /refuses to take a message|takes over from a node/);
    expect(faults).to.have.length(2);
  });

  it('that writes piece by piece fails where a commit is refused', async () => {
    const faults = await failed(Piecemeal, /refuses to take a message|when the id is in use|takes over from a node/);
    expect(faults.length).to.be.at.least(2);
  });

  it('that tries again by itself says that a commit was refused which was written', async () => {
    const stage = await FirestoreStage.set();
    const one = await broken(() => stage.wire.host, stage.project, Stubborn, 'server').open({
      lease: { name: 'n', ttlMs: 5_000 },
      now: Date.now,
    });
    try {
      const first = stage.birth(one, 'a');
      await applied(one, first);
      let lost = 0;
      stage.wire.weather = (method) => (method === 'Commit' && (lost += 1) === 1 ? { lose: status.UNAVAILABLE } : undefined);
      expect(await one.commit([stage.turn(first)])).to.deep.equal([{ outcome: 'refused', fence: 1, sequenceNumber: 2 }]);
    } finally {
      await one.close();
      await stage.strike();
    }
  });
});

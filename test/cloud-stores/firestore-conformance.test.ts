import { Firestore } from '@google-cloud/firestore';
import { firestore } from 'statewarden/firestore';
import { describeStore } from 'statewarden/testing';
import { status } from '@grpc/grpc-js';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { FirestoreWire } from '../cloud/firestore-wire.js';

describeFirestore('Firestore', function () {
  this.timeout(30_000);
  let host = '';
  let wire: FirestoreWire;

  before(async function () {
    this.timeout(60_000);
    ({ host } = await firestoreEmulator());
    wire = await new FirestoreWire(host).start();
  });
  after(() => wire.stop());

  /** The wire speaks gRPC only. */
  function loseAnswer(): void {
    wire.weather = (method) => {
      if (method !== 'Commit') return undefined;
      wire.weather = () => undefined;
      return { lose: status.UNAVAILABLE };
    };
  }

  // Some cases move their clock: leases go by it in the first two.
  for (const [how, preferRest, leaseTime] of [
    ['', false, 'clock'],
    [' over HTTP/1.1', true, 'clock'],
    [" with leases by the server's time", false, 'server'],
  ] as const) {
    describeStore(`firestore()${how}`, () => {
      const project = newProject();
      const store = firestore({ project, leaseTime, emulator: 'unset:1' });
      return {
        store: {
          ...store,
          open: (options) => firestore({ project, preferRest, leaseTime, emulator: preferRest ? host : wire.host }).open(options),
        },
        ownTime: leaseTime === 'server',
        ...(preferRest ? {} : { loseAnswer }),
        corrupt: async (what, agent) => {
          const database = new Firestore({ projectId: project, host, ssl: false });
          const collection = database.collection(`statewarden/default/${what === 'journal' ? 'journal' : 'checkpoints'}`);
          const { docs } = await collection.where('agent', '==', agent).get();
          const doc = docs.find((found) => what === 'checkpoint' || found.get('firstSequenceNumber') === 1);
          const field = what === 'journal' ? 'entries' : 'data';
          await doc?.ref.update({ [field]: `${String(doc.get(field))} ` });
          await database.terminate();
        },
      };
    });
  }
});

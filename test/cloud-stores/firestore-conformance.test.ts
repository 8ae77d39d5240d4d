import { Firestore } from '@google-cloud/firestore';
import { firestore } from 'statewarden/firestore';
import { describeStore } from 'statewarden/testing';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';

describeFirestore('Firestore', function () {
  this.timeout(30_000);
  let host = '';

  before(async function () {
    this.timeout(60_000);
    ({ host } = await firestoreEmulator());
  });

  // The cases move their clock: leases go by it here. That they go by the server's own otherwise is tried elsewhere.
  for (const preferRest of [false, true]) {
    describeStore(`firestore()${preferRest ? ' over HTTP/1.1' : ''}`, () => {
      const project = newProject();
      const store = firestore({ project, leaseTime: 'clock', emulator: 'unset:1' });
      return {
        store: { ...store, open: (options) => firestore({ project, preferRest, leaseTime: 'clock', emulator: host }).open(options) },
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

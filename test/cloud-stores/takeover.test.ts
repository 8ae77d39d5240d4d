/** Processes on Firestore and on Spanner, with the default lease: what becomes of agents when a process is killed, stands still, or has a wrong clock. How fast it goes `npm run bench:takeover` measures. */

import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { pairsTakeOver } from '../cluster/pair.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

const timeoutMs = 200_000;

describeFirestore('A pair of processes on Firestore', function () {
  this.timeout(timeoutMs);
  pairsTakeOver(async () => ({ store: 'firestore', project: newProject(), emulator: (await firestoreEmulator()).host }));
});

describeSpanner('A pair of processes on Spanner', function () {
  this.timeout(timeoutMs);
  let emulator: SpannerEmulator;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());
  pairsTakeOver(async () => {
    const { project, instance, database } = await emulator.database();
    return { store: 'spanner', project, instance, database, port: emulator.port };
  });
});

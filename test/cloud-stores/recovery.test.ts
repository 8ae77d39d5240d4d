/** All that comes back when a process does (`test/recovery`), on Firestore and on Spanner. */

import { firestore } from 'statewarden/firestore';
import type { Store } from 'statewarden';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { scenarios as callbacks } from '../recovery/scenarios/callbacks.js';
import { scenarios as children } from '../recovery/scenarios/children.js';
import { scenarios as invocations } from '../recovery/scenarios/invocations.js';
import { scenarios as states } from '../recovery/scenarios/states.js';
import { scenarios as timers } from '../recovery/scenarios/timers.js';
import { recoversOn } from '../recovery/ways.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

describeFirestore('On Firestore', function () {
  this.timeout(60_000);
  const made = async (): Promise<Store> =>
    firestore({ project: newProject(), emulator: (await firestoreEmulator()).host, leaseTime: 'clock' });
  describe('states come back', () => recoversOn(made, states));
  describe('timers come back', () => recoversOn(made, timers));
  describe('invocations come back', () => recoversOn(made, invocations));
  describe('children come back', () => recoversOn(made, children));
  describe('callbacks come back', () => recoversOn(made, callbacks));
});

describeSpanner('On Spanner', function () {
  this.timeout(60_000);
  let emulator: SpannerEmulator;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());
  // Its emulator is slow: those that depend most on what a store gives back.
  const made = (): Store => emulator.store({ leaseTime: 'injected' });
  describe('timers come back', () => recoversOn(made, timers));
  describe('children come back', () => recoversOn(made, children));
});

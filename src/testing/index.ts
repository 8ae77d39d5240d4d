/** Tools for testing with Statewarden: the conformance suites of stores and artifact stores, stores that fail on demand, a clock that moves when it is told to. */

export { type ArtifactsFixture } from './artifact-cases/scene.js';
export { describeArtifacts } from './describe-artifacts.js';
export { describeStore, type TestRunner } from './describe-store.js';
export { faultyStore, type Fault, type FaultyMethod, type FaultyStore } from './faulty-store.js';
export { SimulatedClock, settled, type SimulatedClockOptions } from './simulated-clock.js';
export { type StoreFixture } from './store-cases/scene.js';

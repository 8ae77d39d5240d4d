/** Tools for testing with Statewarden: stores that fail on demand. */

export { faultyStore, type Fault, type FaultyMethod, type FaultyStore } from './faulty-store.js';

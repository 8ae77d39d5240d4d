/** `statewarden/inspector`: live agents in the Stately inspector. */

export { stately, type StatelyOptions } from './stately.js';
export { secretKeys, type SanitiseOptions } from './sanitise.js';
export type { InspectObserver, Inspector, OpenInspection } from './live.js';
export type { OutboxLimits } from './outbox.js';
export type { RelayOptions } from './relay.js';

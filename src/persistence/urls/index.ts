/** Stores by their URL, as the command line takes them: for programs that are told where to keep their agents. A driver is loaded when its scheme is met, the package of a cloud when the store is opened. */

export { artifactsAt } from './artifacts-url.js';
export { storeAt, type StoreAtOptions } from './store-url.js';

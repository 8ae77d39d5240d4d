/** `statewarden/console`: the console of a runtime, in a browser on this machine. */

export { serveConsole, serveStore, type ConsoleOptions, type ServedConsole, type StoreConsoleOptions } from './server.js';
export type { RedactRule } from './shown.js';

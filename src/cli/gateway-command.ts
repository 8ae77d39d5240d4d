/** The declaration of `statewarden gateway`. */

import type { CAC } from 'cac';
import type { Output } from './output.js';

/** Flags without a value. */
export const gatewayFlags: readonly string[] = ['--require-key', '--log', '--accept-loss', '--trust-restarts'];

interface Typed {
  /** As typed, before `--`. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly output: () => Output;
}

export function addGatewayCommand(cli: CAC, { args, env, output }: Typed): void {
  cli
    .command('gateway', 'Deduplicate HTTP requests by their idempotency key before a service that knows no keys, until stopped')
    .option('--upstream <url>', 'The service, http: or https: (or STATEWARDEN_GATEWAY_UPSTREAM)')
    .option('--port <n>', '0: any that is free (or PORT)', { default: 8080 })
    .option('--host <address>', 'Where to listen; 0.0.0.0: everywhere', { default: '127.0.0.1' })
    .option('--header <name>', 'Where the key stands', { default: 'Idempotency-Key' })
    .option('--methods <list>', 'What is deduplicated', { default: 'POST,PATCH,PUT,DELETE' })
    .option('--require-key', 'Refuse these with 400 when they have no key')
    .option('--scope-header <name>', 'Says whose keys they are; none: all are of one', { default: 'Authorization' })
    .option('--not-stored-header <name>', 'With "false" upstream says that it did not carry out the operation', {
      default: 'Idempotency-Stored',
    })
    .option('--on-unknown <how>', 'hold, or release: forward again what may have been carried out', { default: 'hold' })
    .option('--ttl <seconds>', 'A key is forgotten after it', { default: 86_400 })
    .option('--wait <seconds>', 'A duplicate waits so long for the first', { default: 60 })
    .option('--timeout <seconds>', 'So long upstream has for a whole answer', { default: 30 })
    .option('--lease <seconds>', 'After so long without a sign a gateway counts as gone', { default: 15 })
    .option('--max-body <bytes>', 'Answers up to this size are kept', { default: 1_048_576 })
    .option('--max-request <bytes>', 'Requests with a key may be so large', { default: 10_485_760 })
    .option('--trust-restarts', 'Redis keeps all it acknowledges over restarts, although it does not say so')
    .option('--accept-loss', 'Go on after a loss in Redis; without --upstream: only that')
    .option('--log', 'A line of JSON on standard error for each request')
    .example('  $ statewarden gateway --upstream http://localhost:9000 --store memory:')
    .example('  $ statewarden gateway --upstream https://pay.example --store redis://localhost:6379 --require-key --log')
    .action(async () =>
      (await import('./commands/gateway.js')).gateway({ args, env, output: output(), aside: process.stderr, onStop: onStopSignal }),
    );
}

/** Calls back when the process is told to end. */
export function onStopSignal(stop: () => void): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
}

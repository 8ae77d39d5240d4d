/**
 * `statewarden gateway --upstream URL --store redis://…|memory:`: a gateway on a port, until it is told to stop (SIGTERM, SIGINT). With `--accept-loss`
 * and no `--upstream` it only tells Redis, and with it all gateways on it, that a loss is accepted. Upstream, store and port may stand in the environment.
 */

import { BadInputError } from '../../core/errors.js';
import { createGateway, memoryKeys, redisKeys, serveGateway, type GatewayOptions, type KeyStore } from '../../gateway/index.js';
import { numberOption, textOption } from '../options.js';
import type { Output, Terminal } from '../output.js';
import type { ExitCode } from '../session.js';
import { UsageError } from '../usage-error.js';

export interface GatewayCommand {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly output: Output;
  readonly aside: Terminal;
  /** Calls back once, when the process is to stop. */
  readonly onStop: (stop: () => void) => void;
}

const storeHint = 'Give --store redis://host:6379, or --store memory: to try it out.';

/** @throws UsageError, and what the store has to say. */
export async function gateway({ args, env, output, aside, onStop }: GatewayCommand): Promise<ExitCode> {
  const text = (name: string): string | undefined => textOption(args, name);
  const store = storeOf(text('store') ?? env['STATEWARDEN_GATEWAY_STORE'], args);
  const upstream = text('upstream') ?? env['STATEWARDEN_GATEWAY_UPSTREAM'];
  if (upstream === undefined) {
    if (!args.includes('--accept-loss'))
      throw new UsageError('--upstream is missing', 'Give the service: --upstream http://localhost:9000.');
    return acceptLoss(store, output);
  }
  const options = optionsOf(args, upstream, store);
  const host = text('host') ?? '127.0.0.1';
  const port = portOf(text('port'), env['PORT']);
  const served = createChecked({
    ...options,
    ...(args.includes('--log') ? { log: (line) => void aside.write(`${JSON.stringify(line)}\n`) } : {}),
  });
  await served.open();
  const server = await serveGateway(served, { port, host }).catch(async (error: unknown) => {
    await served.close();
    throw whyNot(error as NodeJS.ErrnoException, host, port);
  });
  const { state, detail, warnings } = await served.health();
  for (const warning of warnings) aside.write(`warning: ${warning}\n`);
  if (state !== 'ready') aside.write(`warning: requests with a key are refused: ${detail}\n`);
  if (output.json) output.document({ url: server.url, upstream: new URL(upstream).href, store: store.name, warnings });
  else output.line(`${server.url} → ${new URL(upstream).href}, keys in ${store.name}`);
  await new Promise<void>(onStop);
  await server.close();
  return 0;
}

async function acceptLoss(store: KeyStore, output: Output): Promise<ExitCode> {
  await store.open();
  const { state, detail } = await store.health();
  await store.close();
  if (output.json) output.document({ store: store.name, state, detail });
  else output.line(state === 'ready' ? `${store.name}: gateways go on` : `${store.name}: ${detail}`);
  return state === 'ready' ? 0 : 1;
}

/** @throws UsageError */
function storeOf(url: string | undefined, args: readonly string[]): KeyStore {
  if (url === undefined) throw new UsageError('--store is missing', storeHint);
  if (url === 'memory:') {
    if (args.includes('--accept-loss')) throw new UsageError('--accept-loss is for a Redis', 'Memory that is gone has nothing to accept.');
    return memoryKeys();
  }
  // Not with what was typed: it may have a password in it.
  if (!/^rediss?:\/\//.test(url)) throw new UsageError('the gateway has no such store', storeHint);
  try {
    return redisKeys(url, { acceptLoss: args.includes('--accept-loss'), trustRestarts: args.includes('--trust-restarts') });
  } catch (error) {
    throw asUsage(error);
  }
}

/** @throws UsageError */
function optionsOf(args: readonly string[], upstream: string, store: KeyStore): GatewayOptions {
  const text = (name: string): string | undefined => textOption(args, name);
  const seconds = (name: string, least: number, otherwise: number): number => numberOption(args, name, least, otherwise) * 1_000;
  const onUnknown = text('on-unknown') ?? 'hold';
  if (onUnknown !== 'hold' && onUnknown !== 'release') throw new UsageError(`--on-unknown is "${onUnknown}"`, 'Use hold or release.');
  const methods = text('methods');
  const named = { header: text('header'), scopeHeader: text('scope-header'), notStoredHeader: text('not-stored-header') };
  return {
    upstream,
    store,
    requireKey: args.includes('--require-key'),
    onUnknown,
    ttlMs: seconds('ttl', 1, 86_400),
    waitMs: seconds('wait', 0, 60),
    timeoutMs: seconds('timeout', 1, 30),
    leaseMs: seconds('lease', 1, 15),
    maximumAnswerBytes: numberOption(args, 'max-body', 0, 1_048_576),
    maximumRequestBytes: numberOption(args, 'max-request', 0, 10_485_760),
    ...(methods === undefined ? {} : { methods: methods.split(',').map((method) => method.trim()) }),
    ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)),
  };
}

/** `--port`, or `PORT` as Cloud Run sets it. @throws UsageError */
function portOf(option: string | undefined, fromEnvironment: string | undefined): number {
  const [name, given] = option === undefined ? ['PORT', fromEnvironment ?? '8080'] : ['--port', option];
  const port = Number(given);
  if (/^\d+$/.test(given) && port <= 65_535) return port;
  throw new UsageError(`${name} is "${given}"`, 'Give a number from 0 (any that is free) to 65535.');
}

/** @throws UsageError */
function createChecked(options: GatewayOptions): ReturnType<typeof createGateway> {
  try {
    return createGateway(options);
  } catch (error) {
    throw asUsage(error);
  }
}

function asUsage(error: unknown): unknown {
  return error instanceof BadInputError ? new UsageError(error.message, error.hint) : error;
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const place = `${host}:${String(port)}`;
  if (error.code === 'EADDRINUSE') {
    return new BadInputError(`${place} is in use`, { hint: 'Give another one with --port, or 0 for any that is free.', cause: error });
  }
  if (error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new BadInputError(`${place} cannot be listened on (${error.code})`, { hint: 'Give another --host or --port.', cause: error });
  }
  return error;
}

/** The entry `statewarden/gateway`: deduplicates HTTP requests by their idempotency key before a service that knows no keys. */

export { createGateway, type Connection, type Gateway, type GatewayStats } from './gateway.js';
export type { GatewayOptions, LogLine } from './options.js';
export type { Outcome } from './reply.js';
export {
  ClaimsLostError,
  type Claim,
  type DoneReason,
  type Ending,
  type KeyStore,
  type Standing,
  type StoreHealth,
  type UnknownReason,
} from './key-store.js';
export { memoryKeys, type MemoryKeysOptions } from './memory-keys.js';
export { redisKeys, type RedisKeysOptions } from './redis-keys.js';
export { serveGateway, type Served, type ServeOptions } from './serve.js';

/**
 * Where the libraries are that this is measured against: in bench/node_modules, installed by the bench when it needs them. Only the
 * little of their interfaces that is used here is declared: the sources must compile without them.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

export const repository = resolve(import.meta.dirname, '../../../..');
const bench = join(repository, 'bench');
const require = createRequire(join(bench, 'package.json'));

export interface OpossumBreaker {
  readonly closed: boolean;
  readonly halfOpen: boolean;
  fire(...values: unknown[]): Promise<unknown>;
  shutdown(): void;
}

export type Opossum = new (action: (...values: never[]) => Promise<unknown>, options?: Record<string, unknown>) => OpossumBreaker;

export interface CockatielPolicy {
  execute<T>(run: (context: { readonly signal: AbortSignal }) => Promise<T>): Promise<T>;
}

export interface CockatielBreaker extends CockatielPolicy {
  /** 0 closed, 1 open, 2 half-open, 3 isolated. */
  readonly state: number;
}

export interface Cockatiel {
  readonly handleAll: object;
  circuitBreaker(policy: object, options: Record<string, unknown>): CockatielBreaker;
  bulkhead(limit: number, queue?: number): CockatielPolicy;
  timeout(ms: number, strategy: string): CockatielPolicy;
  wrap(...policies: CockatielPolicy[]): CockatielPolicy;
  readonly ConsecutiveBreaker: new (failures: number) => object;
  readonly SamplingBreaker: new (options: { threshold: number; duration: number; minimumRps?: number }) => object;
}

export function opossum(): Opossum {
  return require('opossum') as Opossum;
}

export async function cockatiel(): Promise<Cockatiel> {
  return (await import(pathToFileURL(require.resolve('cockatiel')).href)) as Cockatiel;
}

/** As installed. */
export function peerVersion(name: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(bench, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

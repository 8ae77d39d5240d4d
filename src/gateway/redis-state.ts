/**
 * What a Redis says of itself that matters to the promise: which process it is, whether a restart of it can lose what it acknowledged, whether it
 * may throw keys away when memory is short. Managed ones refuse `CONFIG`: then what is not known counts as not so.
 */

import type { RedisLink } from './redis-link.js';

export interface ThingsSaid {
  readonly runId: string;
  /** A restart loses nothing that was acknowledged, and nobody takes its place who may know less. */
  readonly durable: boolean;
  readonly appendOnly: boolean;
  /** Of `appendfsync`; undefined: it does not say. */
  readonly fsync: string | undefined;
  readonly replicas: number;
  /** It may throw keys away; undefined: it does not. */
  readonly evicts: string | undefined;
}

export async function thingsSaid(link: Pick<RedisLink, 'call'>): Promise<ThingsSaid> {
  const info = String(await link.call(['INFO']));
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const fsync = await link.call(['CONFIG', 'GET', 'appendfsync']).then(
    (reply) => (reply as readonly Buffer[])[1]?.toString(),
    () => undefined,
  );
  const appendOnly = field('aof_enabled') === '1';
  const replicas = Number(field('connected_slaves') ?? 0);
  const policy = field('maxmemory_policy') ?? 'noeviction';
  const evicting = Number(field('maxmemory') ?? 0) > 0 && policy !== 'noeviction';
  return {
    runId: field('run_id') ?? '',
    durable: appendOnly && fsync === 'always' && replicas === 0,
    appendOnly,
    fsync,
    replicas,
    evicts: evicting ? `it may throw keys away (maxmemory-policy is ${policy}, not noeviction)` : undefined,
  };
}

/** In words, for operators. */
export function weaknesses({ durable, appendOnly, fsync, replicas, evicts }: ThingsSaid, trusted: boolean): string[] {
  const found = evicts === undefined ? [] : [evicts];
  if (durable || trusted) return found;
  const why = !appendOnly
    ? 'appendonly is off'
    : fsync === undefined
      ? 'it does not say what appendfsync is'
      : fsync === 'always'
        ? `it has ${String(replicas)} replica${replicas === 1 ? '' : 's'}, which may take its place with less than it acknowledged`
        : `appendfsync is ${fsync}`;
  return [
    ...found,
    `Redis is not known to keep all it acknowledges (${why}): after a restart of it requests with a key are refused until --accept-loss`,
  ];
}

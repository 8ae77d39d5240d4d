/** What breakers are made with: the options all kinds share, their defaults and checks. */

import { systemClock, type Clock } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import { systemRandom, type Random } from '../core/random.js';
import type { Learning } from './adaptive-tripwire.js';
import { StandardBreaker } from './breaker.js';
import type { Classify } from './classification.js';
import type { Breaker, BreakerLevel } from './contract.js';
import type { Tripwire } from './tripwire.js';
import { defaultWindow, type RollingWindow, type WindowSize } from './window.js';

export interface BreakerOptions {
  /** Unique among the breakers that are used together; in lists and errors. */
  readonly name: string;
  /** Default `call`. */
  readonly level?: BreakerLevel;
  /** The service or stage it belongs to: a breaker of a higher level. Its leave is needed too, and asked for first. */
  readonly within?: Breaker;
  /** What an outcome says of the service. Default: see `classification.ts`. */
  readonly classify?: Classify;
  readonly open?: Partial<OpenPeriods>;
  /** Opens while such a share of the breakers within it is open: 0 to 1. Default: 0.5 for a stage, else never. */
  readonly openChildren?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface OpenPeriods {
  /** Of the first open period; each further one is twice as long. Default 5,000. */
  readonly initialMs: number;
  /** Of any; nodes that share what they see ask in turn, so each waits that many times as long. Below it a period is no longer than a fortieth of the outage so far, or three times the first. Default 60,000. */
  readonly maximumMs: number;
  /** A `Retry-After` beyond it is taken for this. Default 3,600,000. */
  readonly maximumRetryAfterMs: number;
}

/** What a breaker is, apart from where and when it runs: a runtime makes its own from it. */
export interface BreakerDefinition {
  readonly kind: 'consecutive' | 'sliding-window' | 'adaptive';
  readonly name: string;
  readonly level: BreakerLevel;
  readonly within: BreakerDefinition | undefined;
  readonly window: WindowSize;
  readonly classify: Classify | undefined;
  readonly open: OpenPeriods;
  readonly openChildren: number | undefined;
  /** What a breaker, or all keys of a registry together, learn with; undefined: a kind that does not learn. */
  readonly learning: ((clock: Clock, shared: boolean) => Learning) | undefined;
  readonly tripwire: (window: RollingWindow, learning: Learning | undefined) => Tripwire;
}

export const levels: readonly BreakerLevel[] = ['call', 'service', 'stage'];

const openDefaults: OpenPeriods = { initialMs: 5_000, maximumMs: 60_000, maximumRetryAfterMs: 3_600_000 };

/** @throws BadInputError */
export function define(
  maker: string,
  options: BreakerOptions,
  kind: Pick<BreakerDefinition, 'kind' | 'tripwire'> & Partial<Pick<BreakerDefinition, 'window' | 'learning'>>,
): BreakerDefinition {
  const { name, level = 'call', within, classify } = options;
  const wrong = (option: string, value: unknown, hint: string): BadInputError => badOption(`${maker} "${name}"`, option, value, hint);
  if (!levels.includes(level)) throw wrong('level', level, `Use one of ${levels.join(', ')}.`);
  if (classify !== undefined && typeof classify !== 'function') throw wrong('classify', classify, 'Give a function of the outcome.');
  const open = { ...openDefaults, ...options.open };
  if (!(open.initialMs > 0 && open.initialMs < Infinity))
    throw wrong('open.initialMs', open.initialMs, 'Give milliseconds greater than 0.');
  for (const option of ['maximumMs', 'maximumRetryAfterMs'] as const) {
    const value = open[option];
    if (!(value >= open.initialMs && value < Infinity))
      throw wrong(`open.${option}`, value, 'Give milliseconds, not less than open.initialMs.');
  }
  const openChildren = options.openChildren ?? (level === 'stage' ? 0.5 : undefined);
  if (openChildren !== undefined && !(openChildren > 0 && openChildren <= 1)) {
    throw wrong('openChildren', openChildren, 'Give a share greater than 0, up to 1.');
  }
  return {
    ...kind,
    name,
    level,
    within: within === undefined ? undefined : checkWithin(within, name, level, wrong),
    window: kind.window ?? defaultWindow,
    learning: kind.learning,
    classify,
    open,
    openChildren,
  };
}

/** A breaker that stands alone, or within the one that was given. */
export function make(definition: BreakerDefinition, options: BreakerOptions): StandardBreaker {
  const { clock = systemClock, random = systemRandom, within } = options;
  return new StandardBreaker(definition, { clock, random }, { within: within as StandardBreaker | undefined });
}

/** @throws BadInputError */
export function checkName(maker: string, options: { readonly name?: unknown } | undefined): void {
  const name = options?.name;
  if (typeof name !== 'string' || name === '' || name.length > 200 || /[\p{Cc}\p{Cs}]/u.test(name)) {
    throw new BadInputError(`${maker} needs a name: ${JSON.stringify(name) ?? 'undefined'} is none`, {
      hint: `Use 1 to 200 characters without control characters: ${maker.replace('()', '')}({ name: 'search-api' }).`,
    });
  }
}

export function badOption(where: string, option: string, value: unknown, hint: string): BadInputError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new BadInputError(`${where}: ${option} is ${shown}`, { hint });
}

/** @throws BadInputError */
export function checkShare(where: string, option: string, value: number): void {
  if (!(value > 0 && value <= 1)) throw badOption(where, option, value, 'Give a share greater than 0, up to 1.');
}

/** @throws BadInputError */
export function checkCount(where: string, option: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 1)) throw badOption(where, option, value, 'Give a whole number from 1.');
}

/** @throws BadInputError */
export function checkMs(where: string, option: string, value: number): void {
  if (!(value > 0 && value < Infinity)) throw badOption(where, option, value, 'Give milliseconds greater than 0.');
}

function checkWithin(
  within: Breaker,
  name: string,
  level: BreakerLevel,
  wrong: (option: string, value: unknown, hint: string) => BadInputError,
): BreakerDefinition {
  if (!(within instanceof StandardBreaker))
    throw wrong('within', typeof within, 'Give a breaker that one of the functions of this package has made.');
  if (levels.indexOf(within.level) <= levels.indexOf(level)) {
    throw wrong(
      'within',
      `${within.name} (${within.level})`,
      `A ${level} stands within a breaker of a higher level: call ⊂ service ⊂ stage.`,
    );
  }
  for (let outer: BreakerDefinition | undefined = within.definition; outer !== undefined; outer = outer.within) {
    if (outer.name === name)
      throw wrong('name', name, `The ${outer.level} that it stands within has this name already: give each its own.`);
  }
  return within.definition;
}

/** Options that cannot be used are refused when a breaker is made, with the place and the value. */

import { expect } from 'chai';
import {
  adaptiveBreaker,
  allOf,
  breakerRegistry,
  bulkhead,
  consecutiveBreaker,
  retryBudget,
  slidingWindowBreaker,
  type SavedBreaker,
} from '#src/breakers/index.js';
import { failing } from '../bad-input/failing.js';
import { HandClock, monday } from './by-hand.js';

const name = 'api';
const clock = new HandClock();
const call = consecutiveBreaker({ name: 'a call', clock });
const service = consecutiveBreaker({ name: 'a service', level: 'service', clock });
const stage = consecutiveBreaker({ name: 'a stage', level: 'stage', clock });
const foreign = { ...service };

type Maker = (options: never) => unknown;
type Row = readonly [string, object | undefined, string];

const nameless = (maker: string): readonly Row[] => [
  ['no options', undefined, `${maker}() needs a name: undefined is none`],
  ['no name', {}, `${maker}() needs a name: undefined is none`],
  ['an empty name', { name: '' }, `${maker}() needs a name: "" is none`],
  ['a number for a name', { name: 5 }, `${maker}() needs a name: 5 is none`],
  ['a name with a line break', { name: 'a\nb' }, `${maker}() needs a name: "a\\nb" is none`],
  ['a name that is too long', { name: 'x'.repeat(201) }, `${maker}() needs a name: "xxx`],
];

/** What all kinds of breakers share. */
const shared = (maker: string): readonly Row[] => [
  ...nameless(maker),
  ['a level that is none', { name, level: 'system' }, `${maker} "api": level is "system"`],
  ['what is no breaker around it', { name, within: 'service' }, `${maker} "api": within is "string"`],
  ['a breaker that somebody else has made around it', { name, within: foreign }, `${maker} "api": within is "object"`],
  ['a breaker of its own level around it', { name, within: call }, `${maker} "api": within is "a call (call)"`],
  ['a breaker of a lower level around it', { name, level: 'stage', within: service }, `${maker} "api": within is "a service (service)"`],
  ['the name of what it stands within', { name: 'a stage', within: stage }, `${maker} "a stage": name is "a stage"`],
  ['no function for classify', { name, classify: {} }, `${maker} "api": classify is [object Object]`],
  ['an open period of 0', { name, open: { initialMs: 0 } }, `${maker} "api": open.initialMs is 0`],
  ['an open period that is NaN', { name, open: { initialMs: NaN } }, `${maker} "api": open.initialMs is NaN`],
  ['a longest period under the first', { name, open: { initialMs: 10, maximumMs: 9 } }, `${maker} "api": open.maximumMs is 9`],
  ['an endless period', { name, open: { maximumMs: Infinity } }, `${maker} "api": open.maximumMs is Infinity`],
  [
    'a longest Retry-After under the first period',
    { name, open: { maximumRetryAfterMs: 1 } },
    `${maker} "api": open.maximumRetryAfterMs is 1`,
  ],
  ['a share of children of 0', { name, openChildren: 0 }, `${maker} "api": openChildren is 0`],
  ['a share of children over 1', { name, level: 'stage', openChildren: 1.1 }, `${maker} "api": openChildren is 1.1`],
];

const makers: readonly (readonly [string, Maker, readonly Row[]])[] = [
  [
    'consecutiveBreaker',
    consecutiveBreaker,
    [
      ...shared('consecutiveBreaker'),
      ['no failures', { name, failures: 0 }, 'consecutiveBreaker "api": failures is 0'],
      ['a part of a failure', { name, failures: 2.5 }, 'consecutiveBreaker "api": failures is 2.5'],
      ['a text for a count', { name, failures: '5' }, 'consecutiveBreaker "api": failures is "5"'],
    ],
  ],
  [
    'slidingWindowBreaker',
    slidingWindowBreaker,
    [
      ...shared('slidingWindowBreaker'),
      ['a rate of 0', { name, failureRate: 0 }, 'slidingWindowBreaker "api": failureRate is 0'],
      ['a rate over 1', { name, failureRate: 50 }, 'slidingWindowBreaker "api": failureRate is 50'],
      ['a slow rate that is NaN', { name, slowRate: NaN }, 'slidingWindowBreaker "api": slowRate is NaN'],
      ['no calls', { name, minimumCalls: 0 }, 'slidingWindowBreaker "api": minimumCalls is 0'],
      ['no window', { name, windowMs: 0 }, 'slidingWindowBreaker "api": windowMs is 0'],
      ['an endless window', { name, windowMs: Infinity }, 'slidingWindowBreaker "api": windowMs is Infinity'],
      ['a negative slowness', { name, slowMs: -1 }, 'slidingWindowBreaker "api": slowMs is -1'],
    ],
  ],
  [
    'adaptiveBreaker',
    adaptiveBreaker,
    [
      ...shared('adaptiveBreaker'),
      ['a profile that is none', { name, profile: 'strict' }, 'adaptiveBreaker "api", profile: "strict" is no profile'],
      ['a profile without a limit', { name, profile: { margin: 0.1, deviations: 3 } }, 'adaptiveBreaker "api", profile: {"margin":0.1,'],
      [
        'a function that knows no profile',
        { name, profile: () => 5, clock },
        'adaptiveBreaker "api", what profile() returned: 5 is no profile',
      ],
      ['a time zone that is none', { name, timeZone: 'Mars' }, 'there is no time zone "Mars"'],
      ['a slowness of 0', { name, slowMs: 0 }, 'adaptiveBreaker "api": slowMs is 0'],
    ],
  ],
  [
    'bulkhead',
    bulkhead,
    [
      ...nameless('bulkhead'),
      ['no concurrency', { name }, 'bulkhead "api": concurrency is undefined'],
      ['a concurrency of 0', { name, concurrency: 0 }, 'bulkhead "api": concurrency is 0'],
      ['a wait of 0', { name, concurrency: 1, retryAfterMs: 0 }, 'bulkhead "api": retryAfterMs is 0'],
    ],
  ],
  [
    'retryBudget',
    retryBudget,
    [
      ...nameless('retryBudget'),
      ['a ratio of 0', { name, ratio: 0 }, 'retryBudget "api": ratio is 0'],
      ['a ratio over 1', { name, ratio: 1.5 }, 'retryBudget "api": ratio is 1.5'],
      ['a negative minimum', { name, minimumPerSecond: -1 }, 'retryBudget "api": minimumPerSecond is -1'],
      ['an endless minimum', { name, minimumPerSecond: Infinity }, 'retryBudget "api": minimumPerSecond is Infinity'],
      ['a maximum under 1', { name, maximum: 0.5 }, 'retryBudget "api": maximum is 0.5'],
    ],
  ],
  [
    'breakerRegistry',
    (options: { pattern: never; maximum: never } | undefined) => breakerRegistry(options?.pattern as never, options as never),
    [
      ['no pattern', undefined, 'breakerRegistry(): pattern is "undefined"'],
      ['a pattern that somebody else has made', { pattern: foreign }, 'breakerRegistry(): pattern is "object"'],
      ['a maximum of 0', { pattern: call, maximum: 0 }, 'registry "a call": maximum is 0'],
      ['a maximum that is no whole number', { pattern: call, maximum: 1.5 }, 'registry "a call": maximum is 1.5'],
    ],
  ],
  [
    'allOf',
    (guards: readonly never[] | undefined) => allOf(...(guards ?? [])),
    [
      ['no guards', undefined, 'allOf() was given no guards'],
      ['what is no guard', [call, {}], 'allOf(): argument 2 is no guard'],
      ['undefined', [undefined], 'allOf(): argument 1 is no guard'],
    ],
  ],
];

for (const [maker, make, rows] of makers) {
  describe(`${maker}()`, () => {
    for (const [title, options, message] of rows) {
      it(`refuses ${title}`, async () => {
        expect((await failing('BAD_INPUT', () => make(options as never))).message).to.include(message);
      });
    }
  });
}

describe('a breaker that is to be restored', () => {
  const saved: SavedBreaker = {
    format: 1,
    state: 'open',
    reason: 'failures',
    since: monday,
    openUntil: monday + 5_000,
    reopened: 1,
    troubleSince: monday,
    savedAt: monday,
    memory: undefined,
  };
  const rows: readonly (readonly [string, unknown, string])[] = [
    ['nothing', undefined, 'format is undefined'],
    ['null', null, 'format is undefined'],
    ['another format', { ...saved, format: 2 }, 'format is 2'],
    ['no state', { ...saved, state: undefined }, 'state is undefined'],
    ['a state that is none', { ...saved, state: 'half-open' }, 'state is "half-open"'],
    ...(['since', 'openUntil', 'reopened', 'troubleSince', 'savedAt'] as const).flatMap((field) => [
      [`no ${field}`, { ...saved, [field]: undefined }, `${field} is undefined`] as const,
      [`a ${field} that JSON has lost`, { ...saved, [field]: null }, `${field} is null`] as const,
      [`a text for ${field}`, { ...saved, [field]: '5' }, `${field} is "5"`] as const,
    ]),
  ];
  for (const [title, given, message] of rows) {
    it(`refuses ${title}, and stays as it was`, async () => {
      const breaker = consecutiveBreaker({ name, clock: new HandClock() });
      expect((await failing('BAD_INPUT', () => breaker.restore(given as SavedBreaker))).message).to.include(message);
      expect(breaker.state).to.equal('closed');
    });
  }

  it('goes on from what is right', () => {
    const breaker = consecutiveBreaker({ name, clock: new HandClock() });
    breaker.restore(saved);
    expect(breaker.state).to.equal('open');
    expect(breaker.waitMs()).to.equal(5_000);
  });
});

describe('a key of a registry', () => {
  for (const key of ['', undefined, 5]) {
    it(`is refused when it is ${JSON.stringify(key) ?? 'undefined'}`, async () => {
      const registry = breakerRegistry(call, { clock });
      expect((await failing('BAD_INPUT', () => registry.get(key as string))).message).to.include('registry "a call": key is ');
      expect(registry.size).to.equal(0);
    });
  }
});

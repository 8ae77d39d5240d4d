/**
 * The outage script: which services there are, what their log says, and what goes wrong with those who come to help. Read once, checked whole; what is
 * wrong with it is said with its place in the file.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { UsageError } from './usage-error.js';

export interface Service {
  readonly name: string;
  /** 1: customers notice at once. */
  readonly tier: 1 | 2 | 3;
  /** Names of the services that it calls. */
  readonly needs: readonly string[];
  /** What its responder has done, in order. */
  readonly runbook: readonly string[];
}

/** What goes wrong with the responder of a service, or with the worker that does something for it. */
export interface Fault {
  readonly who: 'responder' | 'worker';
  readonly service: string;
  /** `crash`: its activity throws. `hang`: it never answers. `poison`: the machine throws when it takes the event. */
  readonly fault: 'crash' | 'hang' | 'poison';
  readonly times: number | 'until-fixed';
  readonly message: string;
}

export interface Outage {
  readonly name: string;
  /** Path of the log. */
  readonly log: string;
  /** How many pages the people on call put up with. */
  readonly pages: number;
  readonly services: readonly Service[];
  readonly faults: readonly Fault[];
  /** Of script and log: another outage has another one. */
  readonly sha256: string;
}

/** @throws UsageError */
export function readOutage(path: string): Outage {
  const text = readText(path, 'the outage script');
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${(error as Error).message}`, 'See examples/incident-fleet/outage.json for one that is.');
  }
  const file = new Place(data, basename(path));
  const services = file.get('services').list(readService);
  if (services.length === 0) file.get('services').fail('is empty', 'Name at least one service.');
  const names = services.map(({ name }) => name);
  for (const [index, { name, needs }] of services.entries()) {
    const place = file.get('services').at(index);
    if (names.indexOf(name) !== index) place.get('name').fail(`"${name}" is there twice`, 'Give each service a name of its own.');
    for (const need of needs) place.get('needs').oneOf(need, names);
  }
  const log = resolve(dirname(path), file.get('log').string());
  const logText = readText(log, `the log that ${basename(path)} names`);
  return {
    name: file.get('name').string(),
    log,
    pages: file.get('pages').whole(1, 1_000),
    services,
    faults: file.get('faults').list((place) => readFault(place, names)),
    sha256: createHash('sha256').update(text).update(logText).digest('hex'),
  };
}

function readService(place: Place): Service {
  const name = place.get('name').string();
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) place.get('name').fail(`is "${name}"`, 'Use small letters, digits and hyphens.');
  return {
    name,
    tier: place.get('tier').whole(1, 3) as Service['tier'],
    needs: place.get('needs').list((need) => need.string()),
    runbook: place.get('runbook').list((step) => step.string()),
  };
}

const most = 2;

function readFault(place: Place, names: readonly string[]): Fault {
  const [who, service, fault] = [place.get('who').string(), place.get('service').string(), place.get('fault').string()];
  place.get('who').oneOf(who, ['responder', 'worker']);
  place.get('service').oneOf(service, names);
  place.get('fault').oneOf(fault, ['crash', 'hang', 'poison']);
  const times = place.get('times').value === 'until-fixed' ? 'until-fixed' : place.get('times').whole(1, most);
  if (fault === 'poison' && times !== 'until-fixed') place.get('times').fail(`is ${String(times)}`, 'A poison is there "until-fixed".');
  if (fault !== 'poison' && times === 'until-fixed' && who === 'responder')
    place.get('times').fail('is "until-fixed"', `A responder that never comes up ends the whole tree: give a number from 1 to ${most}.`);
  return { who, service, fault, times, message: place.get('message').string() } as Fault;
}

/** A value of the script and where it stands: `outage.json: services[2].tier`. */
class Place {
  constructor(
    readonly value: unknown,
    readonly path: string,
    readonly root = true,
  ) {}

  fail(what: string, hint: string): never {
    throw new UsageError(`${this.path} ${what}`, hint);
  }

  get(key: string): Place {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      this.fail('is no object', `Give { "${key}": … }.`);
    return new Place((this.value as Record<string, unknown>)[key], `${this.path}${this.root ? ': ' : '.'}${key}`, false);
  }

  at(index: number): Place {
    return new Place((this.value as unknown[])[index], `${this.path}[${String(index)}]`, false);
  }

  list<T>(read: (place: Place) => T): T[] {
    if (!Array.isArray(this.value)) this.fail(this.value === undefined ? 'is missing' : 'is no list', 'Give a list, or [] for none.');
    return this.value.map((_, index) => read(this.at(index)));
  }

  string(): string {
    if (typeof this.value !== 'string' || this.value === '')
      this.fail(this.value === undefined ? 'is missing' : `is ${JSON.stringify(this.value)}`, 'Give a text that is not empty.');
    return this.value;
  }

  whole(least: number, most: number): number {
    const value = this.value as number;
    if (!Number.isInteger(value) || value < least || value > most)
      this.fail(
        value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`,
        `Give a whole number from ${String(least)} to ${String(most)}.`,
      );
    return value;
  }

  oneOf(value: string, values: readonly string[]): void {
    if (!values.includes(value)) this.fail(`names "${value}"`, `One of ${values.join(', ')}.`);
  }
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${what}: ${(error as Error).message}`, 'Name an outage script with --outage FILE.');
  }
}

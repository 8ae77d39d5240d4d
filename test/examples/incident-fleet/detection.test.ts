import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { examine, type Habits, type Signal } from '../../../examples/incident-fleet/anomalies.js';
import { sortIn, type Incident, type Latest } from '../../../examples/incident-fleet/incidents.js';
import { parseLine, readWindow } from '../../../examples/incident-fleet/log-window.js';
import type { Service } from '../../../examples/incident-fleet/outage.js';

const start = Date.parse('2026-01-01T00:00:00Z');
const stamp = (seconds: number): string => new Date(start + seconds * 1_000).toISOString();

describe('the detector', () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'detector-'));
    path = join(dir, 'a.log');
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  function signalsOf(lines: readonly string[], services: readonly string[]): Signal[] {
    writeFileSync(path, lines.join('\n'));
    const found: Signal[] = [];
    let habits: Habits = {};
    for (let offset = 0, last = false; !last;) {
      const window = readWindow(path, offset);
      const seen = examine(habits, window, services);
      habits = seen.habits;
      found.push(...seen.signals);
      ({ next: offset, last } = window);
    }
    return found;
  }
  const every10s = (from: number, to: number, line: (at: string) => string): string[] =>
    Array.from({ length: (to - from) / 10 }, (_, index) => line(stamp(from + 10 * index)));

  it('reads time, service, failure and duration, and passes over what is no line', () => {
    expect(parseLine(`${stamp(1)} api INFO GET / 503 12ms trace=1`)).to.deep.include({
      at: start + 1_000,
      service: 'api',
      failed: true,
      took: 12,
    });
    expect(parseLine(`${stamp(1)} db ERROR out of memory`)).to.deep.include({ failed: true, took: undefined });
    expect(parseLine('    at Pool.acquire (index.js:45)')).to.equal(undefined);
  });

  it('reads a log window by window: every line once, whatever lies between and however long it is', () => {
    const lines = every10s(0, 3_000, (at) => `${at} api INFO ${'ä'.repeat(200)} 200 5ms`);
    writeFileSync(path, lines.flatMap((line) => [line, '    a line of a stack']).join('\n'));
    let count = 0;
    for (let offset = 0, last = false; !last;) {
      const window = readWindow(path, offset);
      expect(new Set(window.lines.map(({ at }) => Math.floor(at / 30_000)))).to.have.property('size', 1);
      count += window.lines.length;
      ({ next: offset, last } = window);
    }
    expect(count).to.equal(lines.length);
  });

  it('tells of errors, of slowness and of silence, measured against what was before', () => {
    const good = (service: string) => (at: string) => `${at} ${service} INFO GET / 200 20ms`;
    const lines = [
      ...every10s(0, 90, good('a')),
      ...every10s(90, 120, (at) => `${at} a ERROR boom`),
      ...every10s(0, 90, good('b')),
      ...every10s(90, 120, (at) => `${at} b WARN GET / 200 900ms`),
      ...every10s(0, 60, good('c')),
      ...every10s(0, 120, good('d')),
    ].sort();
    expect(
      signalsOf(lines, ['a', 'b', 'c', 'd', 'never-there']).map(({ service, kind, at }) => [service, kind, (at - start) / 1_000]),
    ).to.have.deep.members([
      ['a', 'errors', 90],
      ['b', 'slow', 90],
      ['c', 'silent', 90],
    ]);
  });

  it('finds nothing in an empty log', () => {
    expect(signalsOf([''], ['a'])).to.deep.equal([]);
  });
});

describe('triage', () => {
  const services: readonly Service[] = [
    { name: 'db', tier: 1, needs: [], runbook: [] },
    { name: 'api', tier: 2, needs: ['db'], runbook: [] },
    { name: 'web', tier: 3, needs: ['api', 'web'], runbook: [] },
  ];
  function sort(...signals: readonly (readonly [service: string, at: number, kind?: Signal['kind']])[]): Incident[] {
    let latest: Latest = {};
    return signals.map(([service, at, kind = 'errors']) => {
      const { incident } = sortIn(latest, { service, kind, at: at * 1_000, offset: 0, finding: '' }, services);
      latest = { ...latest, [service]: incident };
      return incident;
    });
  }

  it('takes signals of a service as one incident until there was quiet', () => {
    expect(sort(['db', 0], ['db', 120], ['db', 270]).map(({ id, alerts }) => [id, alerts])).to.deep.equal([
      ['db-1', 1],
      ['db-1', 2],
      ['db-2', 1],
    ]);
  });

  it('ranks by tier, slowness a step below, and never lowers', () => {
    expect(sort(['db', 0, 'slow'], ['db', 30], ['db', 60, 'slow'], ['web', 60]).map(({ severity }) => severity)).to.deep.equal([
      2, 1, 1, 3,
    ]);
  });

  it('names as the cause the nearest incident among what a service needs, as long as it goes on', () => {
    expect(sort(['db', 0], ['web', 30], ['api', 60], ['web', 240], ['api', 500]).map(({ cause }) => cause)).to.deep.equal([
      undefined,
      'db-1',
      'db-1',
      undefined,
      undefined,
    ]);
  });
});

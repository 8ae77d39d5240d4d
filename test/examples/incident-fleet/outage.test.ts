import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readOutage } from '../../../examples/incident-fleet/outage.js';
import { UsageError } from '../../../examples/incident-fleet/usage-error.js';

const service = { name: 'api', tier: 1, needs: [] as string[], runbook: ['restart it'] };
const fault = { who: 'worker', service: 'api', fault: 'crash', times: 1, message: 'no' };
const script = { name: 'a test', log: 'a.log', pages: 1, services: [service], faults: [fault] };

describe('an outage script', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'outage-'));
    writeFileSync(join(dir, 'a.log'), '');
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  function read(text: string) {
    writeFileSync(join(dir, 'a.json'), text);
    return readOutage(join(dir, 'a.json'));
  }

  it('is read, with its log beside it', () => {
    expect(read(JSON.stringify(script))).to.deep.include({ ...script, log: join(dir, 'a.log') });
    expect(readOutage('examples/incident-fleet/outage.json').services).to.have.length(8);
  });

  for (const [what, broken, message] of [
    ['no object', [], 'a.json is no object'],
    ['no name', { ...script, name: undefined }, 'a.json: name is missing'],
    ['no services', { ...script, services: undefined }, 'a.json: services is missing'],
    ['an empty list of services', { ...script, services: [] }, 'a.json: services is empty'],
    ['a tier that is none', { ...script, services: [{ ...service, tier: 7 }] }, 'a.json: services[0].tier is 7'],
    ['a name that is no id', { ...script, services: [{ ...service, name: 'My API' }] }, 'a.json: services[0].name is "My API"'],
    ['a service twice', { ...script, services: [service, service] }, 'a.json: services[1].name "api" is there twice'],
    ['a need that is not there', { ...script, services: [{ ...service, needs: ['db'] }] }, 'a.json: services[0].needs names "db"'],
    ['an empty step', { ...script, services: [{ ...service, runbook: [''] }] }, 'a.json: services[0].runbook[0] is ""'],
    ['half a page', { ...script, pages: 0.5 }, 'a.json: pages is 0.5'],
    ['a fault of nobody', { ...script, faults: [{ ...fault, who: 'cat' }] }, 'a.json: faults[0].who names "cat"'],
    ['a fault for no service', { ...script, faults: [{ ...fault, service: 'db' }] }, 'a.json: faults[0].service names "db"'],
    ['a fault without end', { ...script, faults: [{ ...fault, times: 9 }] }, 'a.json: faults[0].times is 9'],
    ['a poison that passes', { ...script, faults: [{ ...fault, fault: 'poison' }] }, 'a.json: faults[0].times is 1'],
    [
      'a responder that never comes up',
      { ...script, faults: [{ ...fault, who: 'responder', times: 'until-fixed' }] },
      'a.json: faults[0].times is "until-fixed"',
    ],
  ] as const) {
    it(`with ${what} is refused, with its place`, () => {
      expect(() => read(JSON.stringify(broken)))
        .to.throw(UsageError, message)
        .with.property('hint')
        .that.is.not.equal('');
    });
  }

  it('that is no JSON, or is not there, or has no log, is refused', () => {
    expect(() => read('{')).to.throw(UsageError, 'is no JSON');
    expect(() => readOutage(join(dir, 'none.json'))).to.throw(UsageError, 'cannot read the outage script');
    expect(() => read(JSON.stringify({ ...script, log: 'none.log' }))).to.throw(UsageError, 'cannot read the log that a.json names');
  });
});

/** Lines as Cloud Logging reads them, with nothing of what agents know. */

import { expect } from 'chai';
import { assign, log, setup } from 'xstate';
import { createRuntime, memory, type RuntimeEvent } from 'statewarden';
import { cloudLogging, severityOf } from 'statewarden/logging';
import { Spans } from '../opentelemetry/spans.js';

type Line = Readonly<Record<string, unknown>> & { readonly severity: string; readonly message: string };

class Lines {
  readonly all: Line[] = [];
  write(text: string): void {
    this.all.push(JSON.parse(text) as Line);
  }
  /** Those of an event's type. */
  of(type: string): Line[] {
    return this.all.filter((line) => (line['statewarden'] as { readonly type?: string } | undefined)?.type === type);
  }
}

const secret = 'sk-very-secret';
const machine = setup({
  types: { context: {} as { readonly key: string }, events: {} as { type: 'GO'; key: string } | { type: 'SAY' } | { type: 'BREAK' } },
}).createMachine({
  context: { key: secret },
  on: {
    GO: { actions: assign({ key: ({ event }) => event.key }) },
    SAY: { actions: log('a word') },
    BREAK: {
      actions: assign(() => {
        throw new TypeError('it broke');
      }),
    },
  },
});

describe('cloudLogging()', function () {
  this.timeout(30_000);
  let lines: Lines;
  beforeEach(() => (lines = new Lines()));

  it('writes what a runtime tells, with its place in the trace and none of what its agents know', async () => {
    const spans = new Spans();
    spans.register();
    try {
      const logs = cloudLogging({ level: 'debug', destination: lines, projectId: 'my-project', labels: { service: 'crew' } });
      const runtime = await createRuntime({
        store: memory(),
        agents: { saver: { machine, version: 1 } },
        telemetry: spans.telemetry,
        logger: logs.logger,
      });
      runtime.events$.subscribe(logs.events);
      const agent = await runtime.spawn('saver', { id: 's-1' });
      await agent.send({ type: 'GO', key: secret });
      await agent.send({ type: 'SAY' });
      await agent.send({ type: 'BREAK' });
      await agent.send({ type: 'GO', key: secret }).catch(() => undefined);
      await runtime.close();
      const spawn = spans.one('spawn saver').spanContext();
      const turns = spans.named('turn saver GO').map((span) => span.spanContext().spanId);
      const [, turn] = lines.of('turn');
      expect(turn).to.include({
        severity: 'DEBUG',
        'logging.googleapis.com/trace': `projects/my-project/traces/${spawn.traceId}`,
        'logging.googleapis.com/spanId': turns[0],
        'logging.googleapis.com/trace_sampled': true,
      });
      expect(turn?.['logging.googleapis.com/labels']).to.deep.equal({
        service: 'crew',
        'statewarden.event': 'turn',
        'statewarden.agent': 's-1',
        'statewarden.kind': 'saver',
      });
      expect(turn?.['time']).to.match(/^\d{4}-\d\d-\d\dT.*Z$/);
      const [ended] = lines.of('ended');
      expect(ended).to.include({ severity: 'ERROR', message: 'ended s-1: error: it broke' });
      expect(ended?.['error']).to.include({ name: 'TypeError', message: 'it broke' });
      expect((ended?.['error'] as { stack: string }).stack).to.match(/^TypeError: it broke\n {4}at /);
      const said = lines.all.find(({ message }) => message.includes('a word'));
      expect(said).to.include({
        severity: 'INFO',
        'logging.googleapis.com/spanId': spans.one('turn saver SAY').spanContext().spanId,
      });
      expect(lines.of('dead-letter')[0]).to.include({ severity: 'ERROR', message: 'dead letter for s-1: GO, agent-ended' });
      expect(JSON.stringify(lines.all)).not.to.include(secret);
      // Whatever has an agent has a trace.
      const placeless = lines.all.filter(
        (line) => 'agentId' in ((line['statewarden'] as object | undefined) ?? {}) && line['logging.googleapis.com/trace'] === undefined,
      );
      expect(placeless).to.deep.equal([]);
    } finally {
      await spans.unregister();
    }
  });

  it('writes nothing that matters less than asked for', async () => {
    const logs = cloudLogging({ level: 'warning', destination: lines });
    const of = (event: object): void => logs.events({ at: 1, ...event } as RuntimeEvent);
    of({ type: 'turn', agentId: 'a', kind: 'k', sequenceNumber: 1, event: 'GO', durationMs: 1 });
    of({ type: 'restarted', agentId: 'a', kind: 'k', supervisor: 's', durationMs: 1 });
    of({ type: 'slow-turn', agentId: 'a', kind: 'k', event: 'GO', durationMs: 900 });
    of({ type: 'store', state: 'poisoned', error: new Error('disk') });
    logs.logger('said');
    expect(lines.all.map(({ severity }) => severity)).to.deep.equal(['WARNING', 'CRITICAL']);
    expect(lines.all[1]?.message).to.equal('store: poisoned: disk');
    expect(lines.all[1]).not.to.have.property('logging.googleapis.com/trace');
  });

  it("puts the program's own lines where the program is", async () => {
    const spans = new Spans();
    spans.register();
    try {
      const logs = cloudLogging({ destination: lines });
      await spans.within('request', async (span) => {
        logs.pino.info({ order: 7 }, 'taken');
        expect(lines.all[0]).to.include({
          severity: 'INFO',
          message: 'taken',
          order: 7,
          'logging.googleapis.com/spanId': span.spanContext().spanId,
        });
      });
    } finally {
      await spans.unregister();
    }
  });

  it('takes anything a machine logs', () => {
    const logs = cloudLogging({ destination: lines });
    const round: Record<string, unknown> = {};
    round['round'] = round;
    logs.logger('a', 1, round, undefined, new Error('no'));
    expect(lines.all[0]?.message).to.equal('a 1 [object Object] undefined no');
    expect(lines.all[0]?.['error']).to.include({ message: 'no' });
  });

  it('has a severity for all that is told, as the page on it says', () => {
    const event = (type: string, rest: object = {}): RuntimeEvent => ({ type, at: 1, ...rest }) as never;
    expect(severityOf(event('recovery', { outcome: 'parked' }))).to.equal('ERROR');
    expect(severityOf(event('activity', { phase: 'retrying' }))).to.equal('WARNING');
    expect(severityOf(event('breaker', { to: 'open' }))).to.equal('WARNING');
    expect(severityOf(event('breaker', { to: 'closed' }))).to.equal('NOTICE');
    expect(severityOf(event('dispatch', { error: new Error('no') }))).to.equal('WARNING');
  });

  it('refuses a level that it does not know', () => {
    expect(() => cloudLogging({ level: 'loud' as never }))
      .to.throw()
      .with.property('code', 'BAD_INPUT');
  });
});

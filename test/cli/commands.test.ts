/** The command line on a store that a runtime made: what it prints, its JSON, its exit codes. */

import { expect } from 'chai';
import { tmpdir } from 'node:os';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { connect } from '#src/persistence/sqlite/driver.js';
import { parsed, statewarden, type Ran } from './command-line.js';
import { agents, park, sampleStore, type SampleStore } from './sample-store.js';

describe('statewarden', () => {
  let sample: SampleStore;
  const run = (...args: string[]): Promise<Ran> => statewarden([...args, '--store', sample.path]);

  beforeEach(async () => {
    sample = await sampleStore();
  });
  afterEach(() => sample.remove());

  describe('ls', () => {
    it('lists agents in order of id', async () => {
      const { code, stdout, stderr } = await run('ls');
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      const [head, ...lines] = stdout.trimEnd().split('\n');
      expect(head?.trim().split(/\s+/)).to.deep.equal(['ID', 'KIND', 'STATUS', 'STATE', 'EVENTS', 'UPDATED']);
      expect(lines.map((line) => line.split(/\s+/).slice(0, 5))).to.deep.equal([
        ['clerk', 'clerk@1', 'active', 'resting', '2'],
        ['orders/o-1', 'order@1', 'active', 'open', '2'],
        ['orders/o-2', 'order@1', 'done', 'closed', '2'],
        ['orders/o-30', 'order@1', 'active', 'paying', '2'],
      ]);
    });

    it('filters by kind, status and prefix', async () => {
      const ids = async (...args: string[]): Promise<string[]> =>
        (parsed((await run('ls', '--json', ...args)).stdout)['agents'] as { id: string }[]).map(({ id }) => id);
      expect(await ids('--kind', 'clerk')).to.deep.equal(['clerk']);
      expect(await ids('--status', 'done')).to.deep.equal(['orders/o-2']);
      expect(await ids('--prefix', 'orders/', '--status', 'active')).to.deep.equal(['orders/o-1', 'orders/o-30']);
      expect(await ids('--kind', 'nobody')).to.deep.equal([]);
    });

    it('says where to go on after the limit', async () => {
      const first = parsed((await run('ls', '--limit', '3', '--json')).stdout);
      expect(first['next']).to.equal('orders/o-2');
      const rest = parsed((await run('ls', '--limit=3', '--after', 'orders/o-2', '--json')).stdout);
      expect(rest['next']).to.equal(null);
      expect((rest['agents'] as { id: string }[]).map(({ id }) => id)).to.deep.equal(['orders/o-30']);
      expect((await run('ls', '--limit', '3')).stdout).to.include('--after "orders/o-2"');
    });

    it('fits its table into the width it is given, and leaves a pipe whole lines', async () => {
      const { stdout } = await statewarden(['ls', '--store', sample.path], { env: { COLUMNS: '50' } });
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).to.be.at.most(50);
      expect(stdout).not.to.include('\u001B[');
    });

    it('has stable names in JSON', async () => {
      const [, order] = parsed((await run('ls', '--json')).stdout)['agents'] as Record<string, unknown>[];
      expect(order).to.include({
        id: 'orders/o-1',
        kind: 'order',
        version: 1,
        status: 'active',
        state: 'open',
        outcome: null,
        sequenceNumber: 2,
      });
      expect(order).to.include.keys('checkpointSequenceNumber', 'busy', 'owner', 'fence', 'createdAt', 'updatedAt');
    });
  });

  describe('show', () => {
    it('shows state, context, children, timers and mail, and says when the journal is ahead', async () => {
      const { code, stdout } = await run('show', 'orders/o-1');
      expect(code).to.equal(0);
      expect(stdout).to.match(/^state +open$/m);
      expect(stdout).to.match(/^mailbox +1 event waiting$/m);
      expect(stdout).to.match(/^checkpoint +at event 1, .*; 1 event in the journal since$/m);
      expect(stdout).to.include('Context (as of event 1, 1 event ago)');
      expect(stdout).to.include("items: [ 'tea' ], since: 1970-01-01T00:00:00.000Z");
      expect(stdout).to.match(/^packer +packer +active +packing$/m);
      expect(stdout).to.match(/\(in 24 h\) +xstate\.after\.86400000\S+ +\(root\) +deadline$/m);
    });

    it('shows open activities with their attempts and next retry', async () => {
      const { stdout } = await run('show', 'orders/o-30');
      expect(stdout).to.match(/^pay +intended +1 +in (60 min|1 h) .*Error: the bank is closed$/m);
      const { activities } = parsed((await run('show', 'orders/o-30', '--json')).stdout) as { activities?: Record<string, unknown>[] };
      expect(activities).to.have.length(1);
      expect(activities?.[0]).to.include({ activity: 'pay', status: 'intended', failedAttempts: 1, userKey: null });
      expect(activities?.[0]?.['nextRetryAt']).to.be.a('number');
    });

    it('keeps in JSON what JSON has no word for', async () => {
      const shown = parsed((await run('show', 'orders/o-1', '--json')).stdout);
      expect(shown['context']).to.deep.equal({ items: ['tea'], since: { $sw: 'date', v: 0 } });
      expect(shown['eventsSinceCheckpoint']).to.equal(1);
      expect(shown['children']).to.deep.equal([{ path: 'packer', src: 'packer', status: 'active', state: 'packing' }]);
      expect((shown['mailbox'] as unknown[])[0]).to.include({ messageId: 'm-2', from: null });
    });

    it('shows the output of an agent that is done', async () => {
      expect((await run('show', 'orders/o-2')).stdout).to.match(/^output +0$/m);
    });

    it('completes an id that only one agent begins with', async () => {
      const { code, stdout, stderr } = await run('show', 'orders/o-3');
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: 'orders/o-3 is orders/o-30\n' });
      expect(stdout).to.match(/^id +orders\/o-30$/m);
    });

    it('names the ids that come close to a wrong one', async () => {
      expect(await run('show', 'order/o-1')).to.deep.include({
        code: 1,
        stdout: '',
        stderr: 'UNKNOWN_AGENT: no agent has the id "order/o-1"\nhint: Did you mean "orders/o-1", "orders/o-2", "orders/o-30"?\n',
      });
      expect((await run('show', 'orders/')).stderr).to.include('Did you mean "orders/o-1"');
      expect((await run('show', 'nothing-like-it')).stderr).to.include('statewarden ls');
    });
  });

  describe('journal', () => {
    it('lists events with time, origin and payload', async () => {
      const { code, stdout } = await run('journal', 'orders/o-1');
      expect(code).to.equal(0);
      const lines = stdout.trimEnd().split('\n');
      expect(lines[1]).to.match(/^ +1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\(start\) +{ items: \[ 'tea' \] }$/);
      expect(lines[2]).to.match(/^ +2 .* ADD +#m-1 +{ item: 'cup' }$/);
    });

    it('pages by sequence number', async () => {
      const first = parsed((await run('journal', 'orders/o-1', '--limit', '1', '--json')).stdout);
      expect(first['next']).to.equal(1);
      const { events, next } = parsed((await run('journal', 'orders/o-1', '--after', '1', '--json')).stdout) as {
        events?: unknown[];
        next?: unknown;
      };
      expect(next).to.equal(null);
      expect(events).to.have.length(1);
      expect(events?.[0]).to.include({ sequenceNumber: 2, kind: 'event', type: 'ADD', messageId: 'm-1', to: '', from: null });
      expect((await run('journal', 'orders/o-1', '--after', '2')).stdout).to.equal('no events after 2\n');
    });

    it('refuses a segment whose checksum is wrong', async () => {
      damage(sample.path, 'UPDATE journal SET checksum = checksum + 1');
      const { code, stderr } = await run('journal', 'orders/o-1', '--json');
      expect(code).to.equal(1);
      expect(parsed(stderr)['error']).to.include({ code: 'CORRUPT_RECORD' });
    });
  });

  describe('send', () => {
    it('puts an event into the mailbox, where the next runtime finds it', async () => {
      const { code, stdout } = await run('send', 'orders/o-1', '{"type":"ADD","item":"saucer"}');
      expect(code).to.equal(0);
      expect(stdout).to.equal('accepted: in the mailbox of orders/o-1; no runtime is up, it is taken when one starts\n');
      await using runtime = await createRuntime({ store: sqlite(sample.path), agents });
      const { context } = await runtime
        .agent<'order'>('orders/o-1')
        .waitFor((snapshot) => (snapshot as { context: { items: string[] } }).context.items.length === 4);
      expect((context as { items: string[] }).items).to.deep.equal(['tea', 'cup', 'jug', 'saucer']);
    });

    it('reaches an agent that a runtime runs now', async () => {
      await using runtime = await createRuntime({ store: sqlite(sample.path), agents });
      const agent = runtime.agent<'order'>('orders/o-1');
      await agent.snapshot();
      const { stdout } = await run('send', 'orders/o-1', 'CLOSE');
      expect(stdout).to.equal('accepted: in the mailbox of orders/o-1\n');
      expect(await agent.result()).to.equal(3);
    });

    it('takes a message id once, whatever it looks like', async () => {
      expect(parsed((await run('send', 'orders/o-1', 'PAY', '--message-id', '007', '--json')).stdout)).to.include({
        outcome: 'accepted',
        messageId: '007',
      });
      const again = await run('send', 'orders/o-1', 'PAY', '--message-id', '007', '--json');
      expect(again.code).to.equal(0);
      expect(parsed(again.stdout)).to.include({ outcome: 'duplicate', sequenceNumber: 0 });
      expect(parsed((await run('send', 'orders/o-1', 'PAY', '--message-id', '7', '--json')).stdout)).to.include({ outcome: 'accepted' });
      expect((await run('send', 'orders/o-1', 'ADD', '--message-id', 'm-1')).stdout).to.equal(
        'duplicate: that message id was taken as event 2\n',
      );
    });

    it('keeps an event for a finished agent as a dead letter, and fails', async () => {
      const { code, stdout } = await run('send', 'orders/o-2', 'ADD');
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: 'dead letter: orders/o-2 has ended (done)\n' });
      expect((await run('dead-letters')).stdout).to.match(/orders\/o-2 .* agent-ended +{ type: 'ADD' }$/m);
    });

    it('does not shorten ids, and keeps no dead letter for a mistyped one', async () => {
      const { code, stderr } = await run('send', 'orders/o-3', 'ADD');
      expect(code).to.equal(1);
      expect(stderr).to.include('UNKNOWN_AGENT').and.to.include('Did you mean "orders/o-30"?');
      expect(parsed((await run('dead-letters', '--json')).stdout)['deadLetters']).to.have.length(1);
    });

    for (const [event, code] of [
      ['{"type":', 'USAGE'],
      ['{"kind":"ADD"}', 'BAD_EVENT'],
      ['["ADD"]', 'BAD_EVENT'],
      ['xstate.init', 'BAD_EVENT'],
      ['*', 'BAD_EVENT'],
      [' ', 'BAD_EVENT'],
    ] as const) {
      it(`refuses ${JSON.stringify(event)} as an event`, async () => {
        const ran = await run('send', 'orders/o-1', event, '--json');
        expect({ code: ran.code, stdout: ran.stdout }).to.deep.equal({ code: 2, stdout: '' });
        const { error } = parsed(ran.stderr) as { error?: Record<string, string> };
        expect(error?.['code']).to.equal(code);
        expect(error?.['hint']).not.to.equal('');
      });
    }
  });

  describe('dead-letters', () => {
    it('lists them with the reason', async () => {
      const { code, stdout } = await run('dead-letters');
      expect(code).to.equal(0);
      expect(stdout).to.match(/ warehouse +orders\/o-2 +no-such-agent +{ type: 'SHIP' }$/m);
      const { deadLetters, next } = parsed((await run('dead-letters', '--json')).stdout) as { deadLetters?: unknown[]; next?: unknown };
      expect(next).to.equal(null);
      expect(deadLetters?.[0]).to.deep.include({ to: 'warehouse', from: 'orders/o-2', reason: 'no-such-agent', event: { type: 'SHIP' } });
    });

    it('takes the store as its last word, with or without an action', async () => {
      const plain = (await run('dead-letters', '--json')).stdout;
      for (const words of [[sample.path], ['ls', sample.path]]) {
        expect((await statewarden(['dead-letters', ...words, '--json'])).stdout, words.join(' ')).to.equal(plain);
      }
    });

    it('groups them, shows one, and says when there is none', async () => {
      expect((await run('dead-letters', 'ls', '--groups')).stdout).to.match(/^[0-9a-f]{8} +1 +1 agent .+ no-such-agent +SHIP$/m);
      const { groups } = parsed((await run('dead-letters', '--groups', '--json')).stdout) as { groups?: { group: string }[] };
      expect(groups?.[0]).to.include({ reason: 'no-such-agent', type: 'SHIP', count: 1, receivers: 1 });
      const { stdout } = await run('dead-letters', 'show', '1');
      expect(stdout)
        .to.match(/^to +warehouse$/m)
        .and.to.match(/^from +orders\/o-2$/m)
        .and.to.include("{ type: 'SHIP' }");
      const { code, stderr } = await run('dead-letters', 'show', '1', '9', '--json');
      expect(code).to.equal(1);
      expect(parsed(stderr)['error']).to.include({ code: 'BAD_INPUT', message: 'there is no dead letter 9' });
      expect((await run('dead-letters', '--type', 'OTHER')).stdout).to.equal('no dead letters\n');
    });

    it('redrives them: kept as long as nobody takes them, into another agent’s mailbox, or where they were to go', async () => {
      const kept = await run('dead-letters', 'redrive', '--to', 'warehouse');
      expect(kept).to.include({ code: 1, stdout: 'redriven: 0 events\nkept: 1 event (no-such-agent); see --into\n' });
      const redriven = await run('dead-letters', 'redrive', '1', '--into', 'orders/o-1', '--rate', '5', '--json');
      expect(redriven.code).to.equal(0);
      expect(parsed(redriven.stdout)).to.deep.equal({ redriven: 1, duplicates: 0, kept: {}, absent: 0 });
      expect((await run('dead-letters')).stdout).to.equal('no dead letters\n');
      expect((await run('show', 'orders/o-1', '--json')).stdout).to.include('"SHIP"');
    });

    it('discards them', async () => {
      expect(await run('dead-letters', 'discard', '--all')).to.include({ code: 0, stdout: 'discarded: 1 event\n' });
      expect(parsed((await run('dead-letters', 'discard', '1', '--json')).stdout)).to.deep.equal({ discarded: 0 });
    });

    it('does nothing with all of them unless told so, and nothing that is not understood', async () => {
      const wrong: readonly (readonly [string, ...string[]])[] = [
        ['which dead letters to redrive', 'redrive'],
        ['which dead letters to discard', 'discard'],
        ['exclude one another', 'redrive', '1', '--all'],
        ['exclude one another', 'discard', '--all', '--to', 'warehouse'],
        ['which dead letter', 'show'],
        ['"redriv" is no action', 'redriv', '1'],
        ['"lss" is no action', 'lss'],
        ['"1" is no action', '1'],
        ['"x" is no action', 'show', 'x', '1'],
      ];
      for (const [message, ...words] of wrong) {
        const { code, stderr } = await run('dead-letters', ...words);
        expect([code, stderr], words.join(' ')).to.satisfy(([code, stderr]: [number, string]) => code === 2 && stderr.includes(message));
        expect(stderr).to.match(/^hint: .+$/m);
      }
      const unknown = await run('dead-letters', 'redrive', '1', '--into', 'orders/o-11');
      expect(unknown.code).to.equal(1);
      expect(unknown.stderr).to.include('UNKNOWN_AGENT').and.to.include('orders/o-1');
      expect(parsed((await run('dead-letters', '--json')).stdout)['deadLetters']).to.have.length(1);
    });
  });

  describe('doctor', () => {
    it('finds a store that waits for a runtime sound, and says what waits', async () => {
      const { code, stdout } = await run('doctor');
      expect(code).to.equal(0);
      expect(stdout).to.match(/^integrity +sound$/m);
      expect(stdout).to.match(/^agents +4 \(3 active, 1 done\)$/m);
      expect(stdout).to.match(/^nodes +none is up$/m);
      expect(stdout).to.include('nothing is wrong');
    });

    it('lists inline actions, which nothing records', async () => {
      const place = 'machine "packer", state "packing", entry';
      const { stdout } = await run('doctor');
      expect(stdout).to.include(`  order: ${place}`).and.to.include('notice: 1 inline action, run at most once and lost in a crash.');
      const { inlineActions } = parsed((await run('doctor', '--json')).stdout);
      expect(inlineActions).to.deep.equal([{ kind: 'order', version: 1, places: [place] }]);
    });

    it('takes the store as its last word', async () => {
      const { code, stdout } = await statewarden(['doctor', sample.path], { cwd: tmpdir() });
      expect(code).to.equal(0);
      expect(stdout).to.include('nothing is wrong');
    });

    it('knows the nodes that are up', async () => {
      await using runtime = await createRuntime({ store: sqlite(sample.path), agents, node: { name: 'the-node' } });
      await runtime.agent('orders/o-30').snapshot();
      const { code, stdout } = await run('doctor', '--json');
      expect(code).to.equal(0);
      const { nodes, orphanedActivities, healthy } = parsed(stdout) as {
        nodes?: { live: unknown[] };
        orphanedActivities?: unknown[];
        healthy?: boolean;
      };
      expect(nodes?.live[0]).to.include({ name: 'the-node', pid: process.pid });
      expect(orphanedActivities).to.deep.equal([]);
      expect(healthy).to.equal(true);
    });

    it('fails on a parked agent and tells why it is', async () => {
      await park(sample.path);
      const { code, stdout } = await run('doctor');
      expect(code).to.equal(1);
      expect(stdout)
        .to.include('problem: 1 agent parked')
        .and.to.match(/^ {2}clerk \(clerk\): .*state "resting" is gone/m);
      const { parked } = parsed((await run('doctor', '--json')).stdout) as { parked?: Record<string, unknown>[] };
      expect(parked?.[0]).to.include({ id: 'clerk', kind: 'clerk', version: 1 });
      expect((await run('show', 'clerk')).stdout).to.match(/^reason +SnapshotVersionError: /m);
    });

    it('fails on damaged records and names each', async () => {
      damage(sample.path, "UPDATE checkpoints SET checksum = checksum + 1 WHERE agent = (SELECT key FROM agents WHERE id = 'clerk')");
      const { code, stdout } = await run('doctor', '--json');
      expect(code).to.equal(1);
      const { healthy, faults, findings } = parsed(stdout) as { healthy?: boolean; faults?: string[]; findings?: { code: string }[] };
      expect(healthy).to.equal(false);
      expect(faults).to.have.length(1);
      expect(faults?.[0]).to.match(/"clerk".*wrong checksum/);
      expect(findings?.map((finding) => finding.code)).to.deep.equal(['DAMAGED']);
    });
  });
});

function damage(path: string, sql: string): void {
  const connection = connect(path);
  connection.exec(sql);
  connection.close();
}

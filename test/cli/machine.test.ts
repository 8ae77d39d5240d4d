/** `statewarden machine` shows the machines of a store without their code. */

import { expect } from 'chai';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setup } from 'xstate';
import { chartOf, createRuntime, type MachineChart } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { inFolder } from '../bad-input/failing.js';
import { parsed, statewarden, type Ran } from './command-line.js';

const first = setup({}).createMachine({
  id: 'order',
  initial: 'open',
  states: {
    open: { on: { PAY: 'packing' }, after: { 86_400_000: 'closed' } },
    packing: { type: 'parallel', states: { box: { initial: 'empty', states: { empty: { on: { PUT: 'full' } }, full: {} } }, papers: {} } },
    closed: { type: 'final' },
  },
});
const second = setup({}).createMachine({
  id: 'order',
  initial: 'open',
  states: { open: { on: { PAY: 'closed', CANCEL: 'closed' } }, closed: { type: 'final' } },
});

interface Place {
  readonly folder: string;
  readonly path: string;
  readonly run: (...args: string[]) => Promise<Ran>;
}

/** Two versions of a kind; `o-1` packs, under the first. */
async function place(work: (place: Place) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const path = join(folder, 'agents.db');
    {
      await using runtime = await createRuntime({ store: sqlite(path), agents: { order: { machine: first, version: 1 } } });
      const agent = await runtime.spawn('order', { id: 'orders/o-1' });
      await agent.send({ type: 'PAY' });
    }
    {
      const agents = {
        order: { machine: second, version: 2, previous: [{ machine: first, version: 1 }] },
        clerk: { machine: second, version: 1 },
      };
      await using runtime = await createRuntime({ store: sqlite(path), agents });
      await runtime.spawn('clerk', { id: 'clerk' });
    }
    await work({ folder, path, run: (...args) => statewarden(['machine', ...args], { cwd: folder }) });
  });
}

describe('statewarden machine', function () {
  this.timeout(120_000);

  it('lists the machines with their versions and how many states they have', () =>
    place(async ({ run, folder }) => {
      const { code, stdout } = await run();
      expect(code).to.equal(0);
      expect(stdout)
        .to.match(/^KIND +VERSION +STATES +SCHEMA$/m)
        .and.match(/^order +1 +7 +[0-9a-f]{16}$/m)
        .and.match(/^order +2 +2 +[0-9a-f]{16}$/m)
        .and.match(/^clerk +1 +2 /m);
      const { machines } = parsed((await run('./agents.db', '--json')).stdout) as { machines: { kind: string; states: number }[] };
      expect(machines.filter(({ kind }) => kind === 'order').map(({ states }) => states)).to.deep.equal([7, 2]);
      expect((await statewarden(['machine', 'agents.db'], { cwd: folder })).stdout).to.equal(stdout);
    }));

  it('shows one: the newest, or the version that is asked for', () =>
    place(async ({ run }) => {
      expect((await run('order')).stdout).to.match(
        /^order@2 {2}2 states, 2 transitions, schema [0-9a-f]{16}\n\norder {2}→ open\n {2}open\n {6}PAY → closed\n/,
      );
      expect((await run('order', './agents.db', '--version', '1')).stdout)
        .to.include('after 1 d → closed')
        .and.include('packing  (parallel)');
      const json = await run('order', '--version=1', '--json');
      const document = parsed(json.stdout) as unknown as { kind: string; version: number; chart: MachineChart };
      expect(document).to.include({ kind: 'order', version: 1 });
      expect(document.chart).to.deep.equal(chartOf(first));
      expect(JSON.parse((await run('order', '--format', 'json')).stdout)).to.deep.equal(chartOf(second));
      expect((await run('order', '--format', 'mermaid')).stdout).to.match(/^stateDiagram-v2\n/);
    }));

  it('draws one, into a file too, with what is active in an agent', () =>
    place(async ({ folder, run }) => {
      const dim = await run('order', '--version', '1', '--format', 'svg');
      expect(dim.stdout)
        .to.match(/^<svg [^]*<\/svg>\n$/)
        .and.not.match(/class="[^"]*sw-active"/);
      // An agent's machine is that of its version.
      const lit = await run('--agent', 'orders/o', '--format', 'svg', '--out', 'o.svg');
      expect(lit).to.deep.equal({ code: 0, stdout: '', stderr: 'orders/o is orders/o-1\nwritten to o.svg\n' });
      const active = [...readFileSync(join(folder, 'o.svg'), 'utf8').matchAll(/sw-active" data-state="([^"]*)"/g)].map(([, id]) => id);
      expect(active).to.deep.equal(['order', 'order.packing', 'order.packing.box', 'order.packing.box.empty', 'order.packing.papers']);
      expect((await run('order', '--agent', 'orders/o-1')).stdout)
        .to.match(/^ +● empty$/m)
        .and.match(/^ +full$/m);
      expect(parsed((await run('--agent', 'orders/o-1', '--json')).stdout)['active']).to.deep.equal(active);
      const told = parsed((await run('order', '--format', 'svg', '--json')).stdout);
      expect(told['format']).to.equal('svg');
      expect(told['text']).to.match(/^<svg /);
    }));

  it('says what differs between two versions, and what a checkpoint would refuse', () =>
    place(async ({ run }) => {
      const { code, stdout } = await run('order', '--compare', '1');
      expect(code).to.equal(0);
      expect(stdout.split('\n').slice(0, 6)).to.deep.equal([
        'order@1 → order@2: 5 differences',
        '- state "open": delay after 1 d  [refuses checkpoints]',
        '~ state "open": transition PAY → closed, was PAY → packing',
        '- state "open": transition after 1 d → closed',
        '+ state "open": transition CANCEL → closed',
        '- state "packing" (parallel)  [refuses checkpoints]',
      ]);
      const json = parsed((await run('order', '--compare', '1', '--json')).stdout) as { refuses: boolean; differences: unknown[] };
      expect(json.refuses).to.equal(true);
      expect(json.differences[0]).to.deep.equal({ change: 'removed', of: 'delay', state: 'open', before: 'after 1 d', refuses: true });
      expect((await run('order', '--compare', 'clerk@1')).stdout).to.equal('clerk@1 → order@2: nothing differs\n');
    }));

  it('names what is near to what there is not, with a code and a hint', () =>
    place(async ({ folder, run }) => {
      const failing = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await run(...args);
        expect(stdout).to.equal('');
        return `${code} ${stderr}`;
      };
      expect(await failing('ordr')).to.equal('1 UNKNOWN_KIND: no machine of kind "ordr" is in this store\nhint: Did you mean "order"?\n');
      expect(await failing('nothing-like-it')).to.include('hint: List the kinds with `statewarden machine`.');
      expect(await failing('order', '--version', '7')).to.equal('1 UNKNOWN_VERSION: kind "order" has no version 7\nhint: It has 1, 2.\n');
      expect(await failing('order', '--compare', '9')).to.match(/^1 UNKNOWN_VERSION/);
      expect(await failing('clerk', '--agent', 'orders/o-1')).to.match(
        /^1 KIND_CONFLICT: agent "orders\/o-1" is a "order", not a "clerk"\nhint: /,
      );
      expect(await failing('order', '--agent', 'nobody')).to.match(/^1 UNKNOWN_AGENT/);
      mkdirSync(join(folder, 'taken'));
      for (const out of ['nowhere/o.svg', 'taken']) {
        expect(await failing('order', '--format', 'svg', '--out', out)).to.match(
          /^1 FILE_NOT_WRITTEN: .*\nhint: Give --out another place\.\n$/,
        );
      }
      expect(await failing('order', '--format', 'pdf')).to.match(
        /^2 USAGE: there is no format "pdf"\nhint: Use one of json, mermaid, svg\.\n$/,
      );
      for (const args of [
        ['order', '--version', 'x'],
        ['order', '--version'],
        ['--format', 'svg'],
        ['order', 'agents.db', 'more'],
        ['order', '--compare', '1', '--format', 'svg'],
      ]) {
        expect(await failing(...args), args.join(' ')).to.match(/^2 USAGE: /);
      }
    }));

  it('says of a machine that an older version has stored that there is no chart of it, and how there will be one', () =>
    place(async ({ path, run }) => {
      const opened = await sqlite(path).open({ now: () => 0 });
      await opened.saveMachines([{ kind: 'old', version: 1, schema: '00ff', definition: '{"id":"old","root":{"type":"atomic"}}' }]);
      await opened.close();
      expect((await run()).stdout).to.match(/^old +1 +\? /m);
      const { code, stderr } = await run('old', '--format', 'svg');
      expect(code).to.equal(1);
      expect(stderr).to.equal(
        'CHART_MISSING: the store has no chart of old@1\nhint: It was stored by an older Statewarden; the chart is written when a runtime of this version that has the machine starts.\n',
      );
    }));

  it('tells the structures apart that ran under one version', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      for (const machine of [first, second]) {
        await using runtime = await createRuntime({
          store: sqlite(path),
          agents: { order: { machine: machine as typeof first, version: 1 } },
        });
        await runtime.spawn('order', { id: machine === first ? 'one' : 'two' });
      }
      const run = (...args: string[]): Promise<Ran> => statewarden(['machine', ...args], { cwd: folder });
      const both = await run('order');
      const schemas = [...both.stderr.matchAll(/1\/([0-9a-f]{16})/g)].map(([, schema]) => schema as string);
      expect(both.stderr).to.match(/^version 1 was 2 machines: /);
      for (const schema of new Set(schemas)) {
        const { stdout, stderr } = await run('order', '--version', `1/${schema.slice(0, 8)}`);
        expect(stderr).to.equal('');
        expect(stdout).to.include(`schema ${schema}`);
      }
      expect((await run('--agent', 'one')).stdout).to.include('packing');
      expect((await run('--agent', 'two')).stdout).to.not.include('packing');
      expect((await run('order', '--version', '1/beef')).stderr).to.match(
        /^UNKNOWN_VERSION: .* a schema that begins beef\nhint: It has 1\//,
      );
    }));
});

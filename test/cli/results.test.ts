/** What the command line says of results that are kept as artifacts: their names and sizes, never their content. */

import { expect } from 'chai';
import { join } from 'node:path';
import { setup } from 'xstate';
import { activity, createRuntime } from 'statewarden';
import { memoryArtifacts } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';
import { inFolder } from '../crash/lives.js';
import { parsed, statewarden } from './command-line.js';

const fetchPage = activity({ name: 'fetch-page', onUnknown: 'retry', run: () => 'x'.repeat(100_000) });
const machine = setup({ actors: { fetchPage } }).createMachine({
  initial: 'fetching',
  states: { fetching: { invoke: { src: 'fetchPage', onDone: 'fetched' } }, fetched: {} },
});

describe('the command line', () => {
  it('names results that are artifacts, and those that are forgotten', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const run = (...args: string[]) => statewarden([...args, '--store', path]);
      const artifacts = await memoryArtifacts().open({ now: Date.now });
      const agents = { page: { machine, version: 1, checkpoints: 'every-turn' } } as const;
      {
        await using runtime = await createRuntime({ store: sqlite(path), agents, results: { artifacts } });
        await runtime.spawn('page', { id: 'p-1' });
        await runtime.agent('p-1').waitFor((snapshot) => snapshot.value === 'fetched');
      }
      const [{ id } = { id: '' }] = (await artifacts.list({ limit: 1 })).artifacts;
      const shown = await run('show', 'p-1');
      expect(shown.stdout).to.match(new RegExp(`^fetch-page +97\\.7 KiB .*${id}`, 'm'));
      expect(parsed((await run('show', 'p-1', '--json')).stdout)['results']).to.have.lengthOf(1);
      expect((await run('journal', 'p-1')).stdout).to.include(`artifact ${id.slice(0, 12)}… of 97.7 KiB`);
      expect(
        (parsed((await run('journal', 'p-1', '--json')).stdout)['events'] as { artifact: string | null }[]).map((event) => event.artifact),
      ).to.deep.equal([null, id]);
      const store = await sqlite(path).open({ now: Date.now });
      expect((await store.expire({ before: Infinity, limit: 10 })).expired).to.equal(1);
      await store.close();
      expect((await run('show', 'p-1')).stdout).to.not.include('artifacts');
      expect((await run('journal', 'p-1')).stdout).to.include('(forgotten)');
    }));
});

/** The process that is killed: it has the first life of every scenario of a file, tells when that is done, and waits for its end. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import { faultyStore } from 'statewarden/testing';
import { epoch, open } from './ways.js';
import { World, type Scenario } from './world.js';

const [file = '', folder = ''] = process.argv.slice(2);
const { scenarios } = (await import(`./scenarios/${file}.js`)) as { readonly scenarios: readonly Scenario[] };

const ended = await Promise.all(
  scenarios.map(async (scenario, index) => {
    const log = join(folder, `${String(index)}.log`);
    writeFileSync(log, '');
    const store = faultyStore(sqlite(join(folder, `${String(index)}.db`)));
    const world = new World(log, store, 1, epoch);
    const runtime = await open(store, scenario, world);
    await scenario.before(runtime, world);
    return world.clock.now();
  }),
);
process.send?.(ended);
// An orphan ends by itself.
process.on('disconnect', () => process.exit(1));

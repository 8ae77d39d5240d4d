import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import { describeStore } from 'statewarden/testing';
import { connect } from '#src/persistence/sqlite/driver.js';

describeStore('sqlite()', () => {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-conformance-'));
  const path = join(folder, 'agents.db');
  return {
    store: sqlite(path),
    corrupt: (what, agent) => {
      const connection = connect(path);
      const column = what === 'journal' ? 'entries' : 'data';
      const table = what === 'journal' ? 'journal' : 'checkpoints';
      connection
        .prepare(`UPDATE ${table} SET ${column} = ${column} || ' ' WHERE agent = ? ${what === 'journal' ? 'AND first = 1' : ''}`)
        .run(agent);
      connection.close();
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory } from 'statewarden';
import { encrypted } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';
import { describeStore } from 'statewarden/testing';
import { connect } from '#src/persistence/sqlite/driver.js';
import { testKeys } from '../persistence/encryption/keys.js';

describeStore('encrypted(memory())', () => ({ store: encrypted(memory(), { keys: testKeys() }) }));

describeStore('encrypted(sqlite())', () => {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-conformance-'));
  const path = join(folder, 'agents.db');
  return {
    store: encrypted(sqlite(path), { keys: testKeys() }),
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

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory } from 'statewarden';
import { files, memoryArtifacts } from 'statewarden/artifacts';
import { encrypted, encryptedArtifacts } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';
import { describeArtifacts, describeStore } from 'statewarden/testing';
import { sealedLength } from '#src/persistence/encryption/sealed-content.js';
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

describeArtifacts('encryptedArtifacts(memoryArtifacts())', () => ({
  artifacts: encryptedArtifacts(memoryArtifacts(), { store: encrypted(memory(), { keys: testKeys() }) }),
}));

describeArtifacts('encryptedArtifacts(files())', () => {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-conformance-'));
  const directory = join(folder, 'artifacts');
  const store = encrypted(memory(), { keys: testKeys() });
  return {
    artifacts: encryptedArtifacts(files(directory), { store }),
    // Each case has one artifact of a length at a time.
    damage: ({ bytes }, how) => {
      const length = sealedLength(bytes);
      for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))) {
        if (!statSync(path).isFile() || statSync(path).size !== length) continue;
        if (how === 'shorten') truncateSync(path, length - 1);
        else if (how === 'lengthen') appendFileSync(path, 'x');
        else {
          const content = readFileSync(path);
          content[Math.floor(length / 2)]! ^= 1;
          writeFileSync(path, content);
        }
      }
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
});

import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { files, memoryArtifacts } from 'statewarden/artifacts';
import { describeArtifacts } from 'statewarden/testing';

describeArtifacts('memoryArtifacts()', () => ({ artifacts: memoryArtifacts() }));

describeArtifacts('files()', () => {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-conformance-'));
  const directory = join(folder, 'artifacts');
  return {
    artifacts: files(directory),
    damage: ({ id, bytes }, how) => {
      const path = join(directory, id.slice(0, 2), id);
      if (how === 'shorten') truncateSync(path, bytes - 1);
      else if (how === 'lengthen') appendFileSync(path, 'x');
      else {
        const content = readFileSync(path);
        content[Math.floor(bytes / 2)]! ^= 1;
        writeFileSync(path, content);
      }
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
});

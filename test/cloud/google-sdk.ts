/** What is to be found in the Google Cloud SDK whose `gcloud` is on the PATH: its emulators, and of what version they are. */

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

export function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Its folder. */
export function sdkFolder(): string | undefined {
  const gcloud = onPath('gcloud');
  return gcloud && dirname(dirname(realpathSync(gcloud)));
}

export function componentVersion(sdk: string, component: string): string {
  try {
    const manifest = readFileSync(join(sdk, '.install', `${component}.snapshot.json`), 'utf8');
    const { components } = JSON.parse(manifest) as {
      readonly components: readonly { readonly id: string; readonly version: { readonly version_string: string } }[];
    };
    return components.find(({ id }) => id === component)?.version.version_string ?? 'of unknown version';
  } catch {
    return 'of unknown version';
  }
}

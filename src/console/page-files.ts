/** The page as it was built, file by file. Only names that were found in its folder are served: what is asked for is never made into a path. */

import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PageFile {
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Its name changes with what is in it. */
  readonly immutable: boolean;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.cjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.map': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** As esbuild and scripts/build-page.mjs name what they write. */
const hashed = /-(?:[A-Z0-9]{8}|[0-9a-f]{10})\.[a-z0-9]+(?:\.map)?$/;

export const pageFolder = fileURLToPath(new URL('page/', import.meta.url));

export class PageFiles {
  readonly #folder: string;
  readonly #files = new Map<string, PageFile>();
  #names: ReadonlySet<string> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Whether the page has been built; looked for again until it has. */
  get isBuilt(): boolean {
    return this.#listed().has('index.html');
  }

  /** `name`: from the page's folder on, with `/`. What is not known is looked for once more: it may have been built anew meanwhile. */
  get(name: string): PageFile | undefined {
    const kept = this.#files.get(name);
    if (kept !== undefined) return kept;
    if (!this.#listed().has(name) && !this.#list().has(name)) return undefined;
    const immutable = hashed.test(name);
    let body: Uint8Array<ArrayBuffer>;
    try {
      body = new Uint8Array(readFileSync(join(this.#folder, name)));
    } catch {
      return undefined; // gone since it was listed
    }
    const file = { type: types[extname(name)] ?? 'application/octet-stream', body, immutable };
    // Without a name of its own content, a file may be another one after the next build.
    if (immutable) this.#files.set(name, file);
    return file;
  }

  #listed(): ReadonlySet<string> {
    return this.#names?.has('index.html') === true ? this.#names : this.#list();
  }

  #list(): ReadonlySet<string> {
    try {
      this.#names = new Set(namesIn(this.#folder, '').filter((name) => extname(name) in types));
    } catch {
      this.#names = new Set();
    }
    return this.#names;
  }
}

/** Level by level: a recursive `readdir` goes through links in newer Nodes, out of the folder. */
function namesIn(folder: string, above: string): string[] {
  return readdirSync(join(folder, above), { withFileTypes: true }).flatMap((entry) => {
    const name = `${above}${entry.name}`;
    return entry.isDirectory() ? namesIn(folder, `${name}/`) : entry.isFile() ? [name] : [];
  });
}

export const notBuilt = `The console's page has not been built here.

What it shows is served under /api/, for example /api/about and /api/agents.
In the sources of statewarden: npm run build. In an installed package the page is in dist/console/page: install it again.
`;

/**
 * A real browser: Debian's Chromium, headless, or the one that `CHROMIUM` names. Where there is none the tests that need it are pending and say why, unless `STATEWARDEN_REQUIRE` lists
 * `chromium`: then they fail. Pictures of what was seen are kept in the folder that `STATEWARDEN_SCREENSHOTS` names.
 */

import { accessSync, constants, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const paths = ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) => folders.map((folder) => join(folder, name)));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** For `before`: skips what needs a browser where there is none. */
export async function openBrowser(test: Mocha.Context): Promise<Browser> {
  const path = findChromium();
  if (path === undefined) {
    if ((process.env['STATEWARDEN_REQUIRE'] ?? '').split(',').includes('chromium'))
      throw new Error('there is no chromium on the PATH, and it is required');
    process.stdout.write('pending: no chromium on the PATH (STATEWARDEN_REQUIRE=chromium makes that a failure)\n');
    return test.skip();
  }
  return chromium.launch({ executablePath: path, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

const pictures = resolve(process.env['STATEWARDEN_SCREENSHOTS'] ?? join(tmpdir(), 'statewarden-screenshots'));

export async function keepPicture(page: Page, name: string): Promise<void> {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** A page, and what it should not have done. */
export interface Visit extends AsyncDisposable {
  readonly page: Page;
  /** Errors of the page, refusals of the content security policy, requests to elsewhere. */
  readonly faults: readonly string[];
  /** Failures that are part of the test. */
  expect(pattern: RegExp): void;
}

export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(45_000);
  const page = await context.newPage();
  const seen: string[] = [];
  const expected: RegExp[] = [];
  page.on('pageerror', (error) => seen.push(`error: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && seen.push(`console: ${message.text()}`));
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith(new URL(url).origin) && !asked.startsWith('data:')) seen.push(`request: ${asked}`);
  });
  await page.goto(url);
  return {
    page,
    get faults() {
      return seen.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
    },
    expect: (pattern) => void expected.push(pattern),
    [Symbol.asyncDispose]: () => context.close(),
  };
}

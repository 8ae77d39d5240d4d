/** How soon a person sees an agent's page: a browser with nothing in its cache, each time in a context of its own, on a console that has read nothing yet. */

import { chromium } from 'playwright-core';

export interface Paint {
  /** First contentful paint, milliseconds from the beginning of the navigation. */
  readonly first: number;
  /** Until the agent's state and context are there. */
  readonly shown: number;
  /** Until its chart is drawn. */
  readonly drawn: number;
}

const selectors = { shown: '.panel-body', drawn: '.chart-area[data-drawn]' };

const watch = `
  globalThis.seen = {};
  new MutationObserver(() => {
    for (const [name, selector] of Object.entries(${JSON.stringify(selectors)}))
      if (seen[name] === undefined && document.querySelector(selector) !== null) seen[name] = performance.now();
  }).observe(document, { subtree: true, childList: true, attributes: true });
`;

export async function paints(
  executablePath: string,
  times: number,
  open: () => Promise<{ url: string; close(): Promise<void> }>,
): Promise<Paint[]> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  try {
    const taken: Paint[] = [];
    for (let time = 0; time < times; time += 1) {
      const { url, close } = await open();
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      const page = await context.newPage();
      // Noted by the page itself: whoever asks from outside asks now and then.
      await page.addInitScript(watch);
      await page.goto(url, { waitUntil: 'commit' });
      await page.locator(selectors.drawn).waitFor();
      const { shown, drawn } = await page.evaluate(() => (globalThis as unknown as { seen: Record<keyof typeof selectors, number> }).seen);
      const first = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN);
      taken.push({ first, shown, drawn });
      await context.close();
      await close();
    }
    return taken;
  } finally {
    await browser.close();
  }
}

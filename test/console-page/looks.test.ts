/** What every view looks like: light and dark, on a desk and on a phone. Pictures of each are kept; what can be asserted is: nothing is cut off, nothing is asked of elsewhere, text can be told from its ground. */

import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { serveConsole } from 'statewarden/console';
import { beyondScreen, faintTexts } from './browser-side.js';
import { keepPicture, openBrowser, visit } from './chromium.js';
import { openShop } from './fleet.js';
import { openShopConsole, type Shop } from './shop-console.js';

const views: Readonly<Record<string, { readonly hash: string; readonly ready: string }>> = {
  agents: { hash: '#/agents', ready: '[data-agent="orders/ada"]' },
  tree: { hash: '#/tree', ready: '[role=treeitem]' },
  breakers: { hash: '#/breakers', ready: '[data-breaker]' },
  letters: { hash: '#/letters', ready: '[data-letter]' },
  people: { hash: '#/people', ready: '.person' },
  runtime: { hash: '#/runtime', ready: '.series' },
  agent: { hash: '#/agents/orders%2Fada', ready: '.chart-area[data-drawn]' },
  failed: { hash: '#/agents/orders%2Feve', ready: '.chart-area[data-drawn]' },
  past: { hash: '#/agents/orders%2Fada?at=5', ready: '.chart.past .chart-area[data-drawn] .sw-lit' },
};

/** Views of a store with nothing but one agent that does nothing, and what each says then. */
const bare: Readonly<Record<string, { readonly hash: string; readonly says: string }>> = {
  'no-agent': { hash: '#/agents?prefix=zzz', says: 'None of the 1 in the store' },
  'no-tree': { hash: '#/tree', says: 'Supervisors and their children appear here' },
  'no-letters': { hash: '#/letters', says: 'Events that no agent could take wait here' },
  'no-people': { hash: '#/people', says: 'Approvals, calls of which nobody knows' },
  'no-calls': { hash: '#/breakers', says: 'All calls pass.' },
  'no-such-agent': { hash: '#/agents/nobody', says: 'No agent has the id "nobody".' },
};

describe('the looks of the page', () => {
  let browser: Browser;
  let shop: Shop;

  before(async function () {
    browser = await openBrowser(this);
    shop = await openShopConsole();
  });
  after(async () => {
    await browser?.close();
    await shop?.[Symbol.asyncDispose]();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [device, viewport] of [
      ['desk', { width: 1280, height: 800 }],
      ['phone', { width: 360, height: 740 }],
    ] as const) {
      it(`are whole in ${colorScheme} on a ${device}`, async () => {
        await using visited = await visit(browser, shop.console.url, {
          colorScheme,
          viewport,
          deviceScaleFactor: device === 'phone' ? 2 : 1,
        });
        const { page } = visited;
        for (const [name, { hash, ready }] of Object.entries(views)) {
          await page.goto('about:blank');
          await page.goto(`${shop.console.url}${hash}`);
          await page.locator(ready).first().waitFor();
          await page.locator('.line-mark.open').waitFor();
          expect(await page.getAttribute('html', 'data-theme')).to.equal(colorScheme);
          await keepPicture(page, `${name}-${colorScheme}-${device}`);
          const beyond = await page.evaluate(beyondScreen);
          expect(beyond, `${name} is wider than the screen`).to.be.at.most(0);
          expect(await page.evaluate(faintTexts), name).to.deep.equal([]);
        }
        visited.expect(/about:blank/);
        expect(visited.faults).to.deep.equal([]);
      });
    }
  }

  it('say what would be there where there is nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'statewarden-bare-'));
    try {
      await using runtime = await openShop(join(folder, 'agents.db'));
      await runtime.spawn('pulse', { id: 'p-1' } as never);
      const { url } = await serveConsole(runtime, { port: 0 });
      await using visited = await visit(browser, url, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
      visited.expect(/about:blank|404/);
      const { page } = visited;
      for (const [name, { hash, says }] of Object.entries(bare)) {
        await page.goto('about:blank');
        await page.goto(`${url}${hash}`);
        await page.getByText(says).waitFor();
        await keepPicture(page, name);
        expect(await page.evaluate(beyondScreen), name).to.be.at.most(0);
        expect(await page.evaluate(faintTexts), name).to.deep.equal([]);
      }
      expect(visited.faults).to.deep.equal([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

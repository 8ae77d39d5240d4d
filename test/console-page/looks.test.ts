/** What every view looks like: light and dark, on a desk and on a phone. Pictures of each are kept; what can be asserted is: nothing is cut off, nothing is asked of elsewhere, text can be told from its ground. */

import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { beyondScreen, faintTexts } from './browser-side.js';
import { keepPicture, openBrowser, visit } from './chromium.js';
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
});

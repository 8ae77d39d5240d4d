/** A server that goes and comes back, a store without a runtime, and more agents than fit into a page. */

import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { serveConsole, serveStore } from 'statewarden/console';
import { withoutPauses } from './browser-side.js';
import { keepPicture, openBrowser, visit, type Visit } from './chromium.js';
import { openShopConsole, token, type Shop } from './shop-console.js';

describe('the line of the page', () => {
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

  /** Where nothing is yet; requests that fail are part of what is tried. */
  const openEmpty = async (): Promise<Visit> => {
    const visited = await visit(browser, 'about:blank');
    visited.expect(/ERR_|Failed to (load|fetch)|^request: |about:blank/);
    return visited;
  };

  it('is said to be broken, is taken up again, and what came meanwhile is there', async () => {
    await using visited = await visit(browser, `${shop.console.url}#/agents/shop%2Fpulse`);
    visited.expect(/ERR_CONNECTION|Failed to load|ERR_INCOMPLETE/);
    const { page } = visited;
    await page.locator('.chart-area[data-drawn]').waitFor();
    await page.locator('.line-mark.open').waitFor();
    const { port } = shop.console;
    await shop.console.close();
    await page.locator('.lost-notice').waitFor();
    await keepPicture(page, 'line-lost');
    await shop.send('shop/pulse', 'BEAT');
    shop.console = await serveConsole(shop.runtime, { port, token });
    await page.locator('.lost-notice').waitFor({ state: 'detached' });
    await page.locator('[data-state="pulse.tock"].sw-active').waitFor();
    await page.locator('[data-turn="2"]').waitFor();
    expect(visited.faults).to.deep.equal([]);
  });

  for (const [what, files] of [
    ['the code that draws', '**/assets/drawing-*.js'],
    ['the layout', '**/assets/elk-*.cjs'],
  ] as const) {
    it(`draws a chart although ${what} could not be fetched at first`, async () => {
      await using visited = await openEmpty();
      const { page } = visited;
      let asked = 0;
      await page.route(files, (route) => ((asked += 1) > 1 ? route.continue() : route.abort()));
      await page.goto(`${shop.console.url}#/agents/shop%2Fpulse`);
      await page.locator('.trouble', { hasText: `${what} could not be fetched` }).waitFor();
      await page.locator('.chart-area[data-drawn]').waitFor();
      await page.locator('.chart .trouble').waitFor({ state: 'detached' });
      expect(asked).to.equal(2);
      expect(visited.faults).to.deep.equal([]);
    });

    it(`draws a chart for which ${what} could not be fetched when it is told to, and when the line is back`, async () => {
      await using visited = await openEmpty();
      const { page } = visited;
      await page.addInitScript(withoutPauses);
      await page.route(files, (route) => route.abort());
      await page.goto(`${shop.console.url}#/agents/shop%2Fpulse`);
      await page.locator('.chart .trouble').waitFor();
      await keepPicture(page, 'not-drawn');
      await page.unroute(files);
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.locator('.chart-area[data-drawn]').waitFor();

      await page.route(files, (route) => route.abort());
      await page.goto('about:blank');
      await page.goto(`${shop.console.url}#/agents/shop%2Fpulse`);
      await page.locator('.chart .trouble').waitFor();
      await page.locator('.line-mark.open').waitFor();
      const { port } = shop.console;
      await shop.console.close();
      await page.unroute(files);
      shop.console = await serveConsole(shop.runtime, { port, token });
      await page.locator('.chart-area[data-drawn]').waitFor();
      expect(visited.faults).to.deep.equal([]);
    });
  }

  it('leads to a store alone: everything is shown, and each button says why it does nothing', async () => {
    const served = await serveStore(shop.runtime.store, { port: 0, storeName: 'sqlite:agents.db', keepAlive: false });
    try {
      await using visited = await visit(browser, `${served.url}#/agents/orders%2Fada`);
      const { page } = visited;
      await page.locator('.chart-area[data-drawn]').waitFor();
      await page.locator('[data-state="order.ready"].sw-active').waitFor();
      await page.locator('.line-mark', { hasText: 'at rest' }).waitFor();
      const send = page.getByRole('button', { name: 'Send' });
      expect(await send.getAttribute('aria-disabled')).to.equal('true');
      await send.click({ force: true });
      await page.locator('.notice', { hasText: 'Read-only' }).waitFor();
      expect(await page.getByRole('dialog').count()).to.equal(0);
      // That there is no code is how it is here, nothing that has gone wrong.
      const note = page.locator('.timeline [role=note]');
      expect(await note.innerText()).to.match(/^The code of kind "order" is not here: turns are shown without/);
      await keepPicture(page, 'store-alone');
      await page.keyboard.press('ArrowLeft');
      await page.locator('.scrubber.past').waitFor();
      await page.locator('.panel-body [role=note]').waitFor();
      expect(await page.getByRole('alert').count()).to.equal(0);
      await keepPicture(page, 'store-alone-past');
      visited.expect(/404/);
      expect(visited.faults).to.deep.equal([]);
    } finally {
      await served.close();
    }
  });

  it('brings a long list page by page: rows out of sight are not in the page', async () => {
    const ids = Array.from({ length: 1_200 }, (_, index) => `many/${String(index).padStart(4, '0')}`);
    await Promise.all(ids.map((id) => shop.runtime.spawn('pulse', { id } as never)));
    await using visited = await visit(browser, `${shop.console.url}#/agents?prefix=many/`);
    const { page } = visited;
    await page.locator('[data-agent="many/0000"]').waitFor();
    const list = page.getByRole('list', { name: 'Agents' });
    for (let tries = 0; (await page.locator('[data-agent="many/1199"]').count()) === 0; tries += 1) {
      expect(tries).to.be.below(400);
      await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      await page.waitForTimeout(50);
    }
    expect(await page.locator('[data-agent]').count()).to.be.below(80);
    expect(await page.locator('.foot').innerText()).to.match(/^1,200 shown/);
    expect(visited.faults).to.deep.equal([]);
  });
});

/** What a person sees and reaches on the page: machines within machines, a breaker that trips, everything by keys alone, dark and light. */

import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { coloursOf, focusedName } from './browser-side.js';
import { keepPicture, openBrowser, visit } from './chromium.js';
import { openShopConsole, token, until, type Shop } from './shop-console.js';

const drawn = '.chart-area[data-drawn]';

describe('what is seen on the page', () => {
  let browser: Browser;
  let shop: Shop;
  const open = (hash: string, options?: Parameters<typeof visit>[2]) => visit(browser, `${shop.console.url}${hash}`, options);

  before(async function () {
    browser = await openBrowser(this);
    shop = await openShopConsole();
  });
  after(async () => {
    await browser?.close();
    await shop?.[Symbol.asyncDispose]();
  });

  describe('of an agent that invokes a machine', () => {
    before(() => shop.send('orders/bob', 'PICKED'));

    it('is the chart of that machine, with its own state, chosen above the chart or from the list of children', async () => {
      await using visited = await open('#/agents/orders%2Fbob');
      const { page } = visited;
      await page.locator('[data-state="order.fulfilling.packing.boxing"].sw-active').waitFor();
      await page.getByLabel('Machine').selectOption('parcel');
      await page.locator('[data-state="parcel.open"].sw-active').waitFor();
      expect(await page.locator('[data-state="order"]').count()).to.equal(0);
      expect(page.url()).to.match(/\?child=parcel$/);
      await keepPicture(page, 'child-chart');
      await page.getByLabel('Machine').selectOption('order');
      await page.locator('[data-state="order.fulfilling.packing.boxing"].sw-active').waitFor();
      expect(page.url()).not.to.include('child');
      await page.getByRole('tab', { name: /Children/ }).click();
      expect(await page.locator('.panel-body .card').allInnerTexts()).to.have.lengthOf(1);
      expect(await page.locator('.panel-body .card').innerText()).to.match(/parcel\s+parcel\s+active\s+open/);
      await page.locator('.panel-body').getByRole('link', { name: 'parcel' }).click();
      await page.locator('[data-state="parcel.open"].sw-active').waitFor();
      // The way back is the browser's.
      await page.goBack();
      await page.locator('[data-state="order.fulfilling.packing.boxing"].sw-active').waitFor();
      expect(visited.faults).to.deep.equal([]);
    });

    it('can be shared, and is that of the past when one goes back', async () => {
      const [record] = await shop.runtime.store.lookup(['orders/bob']);
      const last = record?.sequenceNumber ?? 0;
      await using visited = await open(`#/agents/orders%2Fbob?child=parcel&at=${String(last)}`);
      const { page } = visited;
      await page.locator('.chart.past [data-state="parcel.open"].sw-active').waitFor();
      // Before it was invoked there is no such child: its agent's own chart is shown.
      await page.keyboard.press('ArrowLeft');
      await page.locator('.scrubber-place b', { hasText: String(last - 1) }).waitFor();
      await page.locator('.chart [data-state="parcel.open"]:not(.sw-active)').waitFor();
      expect(visited.faults).to.deep.equal([]);
    });
  });

  it('is a breaker that trips: its state, why, how many calls failed, and when, as a picture', async () => {
    await using visited = await open(`#/breakers?token=${token}`);
    const { page } = visited;
    const breaker = page.locator('[data-breaker="bank"]');
    await breaker.locator('.status', { hasText: 'closed' }).waitFor();
    const figure = async (name: string): Promise<string> =>
      breaker
        .locator('.figures > div', { has: page.locator('dt', { hasText: name }) })
        .locator('dd')
        .innerText();
    const calls = Number(await figure('calls'));
    // Eve's card is refused each time: three calls, and three more.
    for (let round = 0; round < 2; round += 1) {
      await until(async () => (await shop.runtime.store.lookup(['orders/eve']))[0]?.state?.includes('declined') === true);
      await shop.send('orders/eve', 'RETRY');
    }
    await breaker.locator('.status', { hasText: 'open' }).waitFor();
    expect(await breaker.getAttribute('class')).to.include('state-open');
    expect(Number(await figure('calls'))).to.be.greaterThan(calls);
    expect(await page.getByRole('button', { name: 'Isolate bank' }).getAttribute('aria-disabled')).to.equal('false');
    await breaker.locator('.hint', { hasText: /^No call passes. Calls failed one after another. Tries again (in|at)/ }).waitFor();
    await breaker.locator('.spark-open').first().waitFor({ state: 'attached' });
    await breaker.locator('.spark-bad').waitFor({ state: 'attached' });
    expect(await breaker.locator('.spark').getAttribute('aria-label')).to.match(/^\d+ calls in the window, [1-9]\d* of them failed$/);
    expect(await breaker.locator('.spark-bad').getAttribute('d')).to.match(/L\d/);
    await keepPicture(page, 'breaker-open');
    // A call that is turned away is seen on the agent that asked for it.
    await shop.send('orders/cyd', 'ADD', { name: 'tea', cents: 450 });
    await shop.send('orders/cyd', 'CHECKOUT');
    await page.goto(`${shop.console.url}#/agents/orders%2Fcyd`);
    await page.getByRole('tab', { name: /Ledger/ }).click();
    await page.locator('.panel-body summary', { hasText: 'waits for bank' }).waitFor();
    await keepPicture(page, 'parked-by-breaker');
    await page.goto(`${shop.console.url}#/breakers`);
    await page.getByRole('button', { name: 'Release bank' }).click();
    await breaker.locator('.status:not(.tone-bad)').waitFor();
    // The call that waited is made: by itself, when the breaker lets it.
    await until(async () => (await shop.runtime.store.lookup(['orders/cyd']))[0]?.state?.includes('fulfilling') === true);
    expect(visited.faults).to.deep.equal([]);
  });

  describe('by keys alone', () => {
    const focused = (page: Page): Promise<string> => page.evaluate(focusedName);

    it('is reached in the order in which it is read, and the content by one key', async () => {
      await using visited = await open('#/agents');
      const { page } = visited;
      await page.locator('[data-agent="orders/ada"]').waitFor();
      await page.keyboard.press('Tab');
      expect(await focused(page)).to.equal('To the content');
      const met: string[] = [];
      for (let presses = 0; presses < 11; presses += 1) {
        await page.keyboard.press('Tab');
        met.push((await focused(page)).replace(/\d+$/, ''));
      }
      expect(met).to.deep.equal([
        'Statewarden',
        'Read-only: enter the token',
        'Switch to dark',
        'Keys',
        'Agents',
        'Supervision',
        'Breakers',
        'Dead letters',
        'People',
        'Runtime',
        '',
      ]);
      await page.reload();
      await page.locator('[data-agent="orders/ada"]').waitFor();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      await page.keyboard.type('orders/a');
      await page.locator('[data-agent="orders/eve"]').waitFor({ state: 'detached' });
      await page.keyboard.press('Escape');
      await page.locator('[data-agent="orders/ada"]').focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'orders/ada' }).waitFor();
      expect(visited.faults).to.deep.equal([]);
    });

    it('is a dialog that keeps the focus and gives it back', async () => {
      await using visited = await open(`#/agents/orders%2Fada?token=${token}`);
      const { page } = visited;
      await page.locator(drawn).waitFor();
      await page.getByRole('button', { name: 'Restart' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      for (let presses = 0; presses < 8; presses += 1) {
        await page.keyboard.press('Tab');
        expect(await focused(page), 'the focus is behind the dialog').to.be.oneOf([
          'Close',
          'Cancel',
          'Restart',
          '',
          'Restart orders/ada?',
        ]);
      }
      // A letter that is a key elsewhere is none here.
      await page.keyboard.press('b');
      expect(page.url()).to.include('#/agents/');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await until(async () => (await focused(page)) === 'Restart');
      expect(visited.faults).to.deep.equal([]);
    });

    it('are the turns of an agent, and its chart', async () => {
      await using visited = await open('#/agents/orders%2Fada');
      const { page } = visited;
      await page.locator(drawn).waitFor();
      const place = (text: string): Promise<void> => page.locator('.scrubber-place', { hasText: text }).waitFor();
      const [record] = await shop.runtime.store.lookup(['orders/ada']);
      const last = String(record?.sequenceNumber);
      await page.keyboard.press('Home');
      await place(`1 / ${last}`);
      await page.keyboard.press('ArrowRight');
      await place(`2 / ${last}`);
      await page.keyboard.press('ArrowRight');
      await place(`3 / ${last}`);
      await page.keyboard.press('l');
      await page.locator('.live-mark').waitFor();
      await page.keyboard.press('Home');
      await place(`1 / ${last}`);
      await page.keyboard.press('End');
      await page.locator('.live-mark').waitFor();
      // With the focus on the slider too.
      await page.getByRole('slider').focus();
      await page.keyboard.press('ArrowLeft');
      await page.locator('.scrubber.past').waitFor();
      await page.keyboard.press('l');
      await page.locator('.live-mark').waitFor();

      const seen = async (): Promise<readonly number[]> =>
        ((await page.locator('.chart-area svg').getAttribute('viewBox')) ?? '').split(' ').map(Number);
      await page.locator('.chart-area').focus();
      const before = await seen();
      await page.keyboard.press('+');
      const near = await seen();
      expect(near[2]).to.be.lessThan(before[2] as number);
      await page.keyboard.press('-');
      await page.keyboard.press('-');
      const far = await seen();
      expect(far[2]).to.be.greaterThan(before[2] as number);
      await page.keyboard.press('Shift+ArrowRight');
      expect((await seen())[0]).to.be.greaterThan(far[0] as number);
      expect(page.url()).not.to.include('at=');
      await page.keyboard.press('0');
      expect(await seen()).to.deep.equal(before);

      await page.keyboard.press('k');
      await page.getByRole('dialog', { name: 'Token' }).waitFor();
      await page.keyboard.type(token);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'May act: forget the token' }).waitFor();
      await page.keyboard.press('e');
      await page.getByRole('dialog', { name: 'Send an event to orders/ada' }).waitFor();
      await page.keyboard.press('Escape');
      expect(visited.faults).to.deep.equal([]);
    });

    it('go on working when a box has been ticked', async () => {
      await using visited = await open('#/letters');
      const { page } = visited;
      await page.locator('.letter-all input').focus();
      await page.keyboard.press('Space');
      await page.locator('.letter.chosen').first().waitFor();
      await page.keyboard.press('t');
      await page.getByRole('heading', { level: 1, name: 'Supervision' }).waitFor();
      expect(visited.faults).to.deep.equal([]);
    });
  });

  it('is dark or light as the system is, until a person chooses; the chart too', async () => {
    await using visited = await open('#/agents/orders%2Fada', { colorScheme: 'light' });
    const { page } = visited;
    await page.locator(drawn).waitFor();
    const light = await page.evaluate(coloursOf);
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.locator('html[data-theme="dark"]').waitFor();
    expect(light.page).to.be.greaterThan(200);
    expect(light.box).to.be.greaterThan(200);
    await until(async () => {
      const dark = await page.evaluate(coloursOf);
      return dark.page < 60 && dark.box < 80;
    });
    await page.getByRole('button', { name: 'Switch to light' }).click();
    await page.locator('html[data-theme="light"]').waitFor();
    await until(async () => JSON.stringify(await page.evaluate(coloursOf)) === JSON.stringify(light));
    // What was chosen stays, whatever the system does.
    await page.emulateMedia({ colorScheme: 'light' });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.reload();
    await page.locator(drawn).waitFor();
    expect(await page.getAttribute('html', 'data-theme')).to.equal('light');
    expect(visited.faults).to.deep.equal([]);
  });
});

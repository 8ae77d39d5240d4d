/** The console's page in a real browser, on a real runtime with a real store: what a person sees and does. */

import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { keptByPage } from './browser-side.js';
import { keepPicture, openBrowser, visit } from './chromium.js';
import { openShopConsole, token, until, type Shop } from './shop-console.js';

const drawn = '.chart-area[data-drawn]';
const active = (page: Page): Promise<string[]> =>
  page.$$eval('.chart-area .sw-active[data-state]', (states) =>
    states.map((state) => (state as unknown as { dataset: { state: string } }).dataset.state),
  );
const lit = (page: Page): Promise<string[]> =>
  page.$$eval('.chart-area .sw-lit', (parts) =>
    parts.map((part) => (part.closest('[data-edge]') as unknown as { dataset: { edge: string } }).dataset.edge),
  );

describe('the page of the console', () => {
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

  it('lists agents, finds them by the beginning of their id, and shows what becomes of them without being asked again', async () => {
    await using visited = await open('#/agents');
    const { page, faults } = visited;
    const ids = (): Promise<string[]> =>
      page.$$eval('[data-agent]', (rows) => rows.map((row) => (row as unknown as { dataset: { agent: string } }).dataset.agent));
    await page.locator('[data-agent="orders/ada"]').waitFor();
    expect(await ids()).to.include.members(['loans/l-1', 'orders/ada', 'orders/eve', 'shop/pulse']);
    expect(await page.locator('.counts button').first().innerText()).to.match(/^10\s+all/);
    await page.keyboard.press('/');
    await page.keyboard.type('orders/');
    await page.locator('[data-agent="loans/l-1"]').waitFor({ state: 'detached' });
    expect(page.url()).to.include('prefix=orders');
    expect(await ids()).to.deep.equal(['orders/ada', 'orders/bob', 'orders/cyd', 'orders/eve']);
    await shop.runtime.spawn('order', { id: 'orders/new', input: { customer: 'new' } } as never);
    await page.locator('[data-agent="orders/new"]').waitFor();
    await shop.send('orders/new', 'CANCEL');
    await page.locator('[data-agent="orders/new"] .state-name', { hasText: 'cancelled' }).waitFor();
    await page.getByRole('button', { name: /done/ }).click();
    await page.locator('[data-agent="orders/ada"]').waitFor({ state: 'detached' });
    expect(await ids()).to.deep.equal(['orders/new']);
    expect(faults).to.deep.equal([]);
  });

  it('draws the chart of an agent, its active states and the transition that led there', async () => {
    await using visited = await open('#/agents/orders%2Feve');
    const { page } = visited;
    await page.locator(drawn).waitFor();
    await page.locator('[data-state="order.paying.declined"].sw-active').waitFor();
    expect(await active(page)).to.deep.equal(['order', 'order.paying', 'order.paying.declined']);
    expect(await lit(page)).to.deep.equal(['order.paying.charging:1']);
    expect(await page.locator('.turn').first().innerText()).to.match(/charge\s+failed\s+2 retries/);
    await page.getByRole('tab', { name: /Ledger/ }).click();
    expect(await page.locator('.panel-body summary').innerText()).to.match(/charge\s+failed\s+2 retries/);
    await page.getByRole('tab', { name: /Timers/ }).click();
    expect(await page.locator('.timer').innerText()).to.match(/in (59 min|1 h)/);
    expect(visited.faults).to.deep.equal([]);
  });

  it('lights states as they come, on the drawing that is there', async () => {
    await using visited = await open('#/agents/shop%2Fpulse');
    const { page } = visited;
    await page.locator(drawn).waitFor();
    await page.locator('[data-state="pulse.tick"].sw-active').waitFor();
    await page.$eval('.chart-area svg', (svg) => svg.setAttribute('data-same', ''));
    await shop.send('shop/pulse', 'BEAT');
    await page.locator('[data-state="pulse.tock"].sw-active').waitFor();
    expect(await active(page)).to.deep.equal(['pulse', 'pulse.tock']);
    await page.locator('[data-edge="pulse.tick:0"].sw-lit').waitFor();
    expect(await lit(page)).to.deep.equal(['pulse.tick:0']);
    await shop.send('shop/pulse', 'BEAT');
    await page.locator('[data-state="pulse.tick"].sw-active').waitFor();
    await page.locator('[data-edge="pulse.tock:0"].sw-lit').waitFor();
    expect(await page.locator('.chart-area svg[data-same]').count()).to.equal(1);
    await page.locator('[data-turn="3"]').waitFor();
    expect(visited.faults).to.deep.equal([]);
  });

  it('keeps up with two thousand turns that come at once', async () => {
    await using visited = await open('#/agents/shop%2Fpulse');
    const { page } = visited;
    await page.locator(drawn).waitFor();
    await Promise.all(Array.from({ length: 2_000 }, () => shop.send('shop/pulse', 'BEAT')));
    const [record] = await shop.runtime.store.lookup(['shop/pulse']);
    const last = record?.sequenceNumber ?? 0;
    expect(last).to.be.at.least(2_001);
    await page.locator(`[data-turn="${String(last)}"]`).waitFor();
    // What passed too quickly is a line that can be opened.
    expect(await page.locator('.turn').count()).to.be.below(60);
    expect(visited.faults).to.deep.equal([]);
  });

  it('goes back in time by key and by address: states of then, and what the turn changed', async () => {
    await using visited = await open('#/agents/orders%2Fada');
    const { page } = visited;
    await page.locator(drawn).waitFor();
    await page.locator('[data-state="order.ready"].sw-active').waitFor();
    for (let presses = 0; presses < 5; presses += 1) await page.keyboard.press('ArrowLeft');
    await page.locator('.scrubber.past').waitFor();
    expect(page.url()).to.include('at=5');
    await page.locator('[data-state="order.fulfilling.packing.picking"].sw-active').waitFor();
    expect(await active(page)).to.have.members([
      'order',
      'order.fulfilling',
      'order.fulfilling.packing',
      'order.fulfilling.packing.picking',
      'order.fulfilling.papers',
      'order.fulfilling.papers.drafting',
    ]);
    expect(await lit(page)).to.deep.equal(['order.paying.charging:0']);
    expect(await page.locator('.changes').innerText()).to.match(/receipt\s*\+\s*"r-4350"/);
    await page.keyboard.press('ArrowLeft');
    await page.locator('[data-state="order.paying.charging"].sw-active').waitFor();
    expect(await page.locator('.changes').innerText()).to.match(/tries\s*−\s*0\s*\+\s*1/);
    await page.keyboard.press('End');
    await page.locator('[data-state="order.ready"].sw-active').waitFor();
    expect(page.url()).not.to.include('at=');

    await using shared = await open('#/agents/orders%2Fada?at=2');
    await shared.page.locator('[data-state="order.cart"].sw-active').waitFor();
    expect(await shared.page.locator('.changes').innerText()).to.include('tea');
    await shared.page.getByRole('button', { name: 'Back to live' }).click();
    await shared.page.locator('[data-state="order.ready"].sw-active').waitFor();
    expect([...visited.faults, ...shared.faults]).to.deep.equal([]);
  });

  it('collapses a state, by pointer and by key, and shows secrets to nobody', async () => {
    await using visited = await open('#/agents/orders%2Fada');
    const { page } = visited;
    await page.locator(drawn).waitFor();
    await page.locator('[data-state="order.fulfilling"] > .sw-bar').click();
    await page.locator('[data-state="order.fulfilling.packing"]').waitFor({ state: 'detached' });
    await page.locator('[data-state="order.fulfilling"]').focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-state="order.fulfilling.packing"]').waitFor();
    await page.locator('.json-secret').waitFor();
    expect(await page.content()).not.to.include('sk-live-');
    expect(visited.faults).to.deep.equal([]);
  });

  it('asks for the token once, when something is to be done, and says why where nothing can be', async () => {
    await using visited = await open('#/agents/orders%2Fcyd');
    visited.expect(/401/);
    const { page } = visited;
    await page.getByRole('button', { name: 'Send' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('#field-type').fill('ADD');
    await dialog.locator('#field-rest').fill('{ "name": "cup", "cents": ');
    await dialog.getByRole('button', { name: 'Send' }).click();
    await dialog.getByText(/Not JSON/).waitFor();
    await dialog.locator('#field-rest').fill('{ "name": "cup", "cents": 700 }');
    await dialog.getByRole('button', { name: 'Send' }).click();
    await page.locator('#token').fill('a-token-that-is-wrong');
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.locator('#token[aria-invalid="true"]').waitFor();
    await page.locator('#token').fill(token);
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.getByText('Send ADD: done.').waitFor();
    await page.locator('.json-key', { hasText: 'items' }).waitFor();
    await page.locator('.turn', { hasText: 'ADD' }).waitFor();
    // The second time it is not asked for.
    await page.keyboard.press('e');
    await dialog.locator('#field-type').fill('CANCEL');
    await dialog.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Send CANCEL: done.').waitFor();
    await page.locator('.agent-head .status', { hasText: 'done' }).waitFor();
    const kept = await page.evaluate(keptByPage);
    expect(kept.split(token)).to.have.lengthOf(2);
    const stop = page.getByRole('button', { name: 'Stop' });
    expect(await stop.getAttribute('aria-disabled')).to.equal('true');
    expect(await stop.getAttribute('title')).to.equal('The agent is done.');
    expect(visited.faults).to.deep.equal([]);
  });

  it('takes the token out of the address', async () => {
    await using visited = await open(`#token=${token}`);
    const { page } = visited;
    await page.getByRole('button', { name: 'May act: forget the token' }).waitFor();
    expect(page.url()).to.equal(`${shop.console.url}#/`);
    await page.locator('[data-agent="orders/ada"]').waitFor();
    expect(visited.faults).to.deep.equal([]);
  });

  it('shows dead letters by error and sends them again', async () => {
    await using visited = await open(`#/letters?token=${token}`);
    const { page } = visited;
    await page.locator('.groups button', { hasText: 'no-such-agent' }).click();
    await page.locator('.groups [aria-pressed="true"]', { hasText: 'no-such-agent' }).waitFor();
    expect(page.url()).to.match(/#\/letters\?group=\w+$/);
    await page.locator('[data-letter]').first().waitFor();
    expect(await page.locator('[data-letter]').count()).to.equal(2);
    await page.locator('.letter-all input').check();
    await keepPicture(page, 'redrive');
    await page.getByRole('button', { name: 'Redrive 2' }).click();
    await page.locator('#field-to').fill('orders/bob');
    await page.getByRole('dialog').getByRole('button', { name: 'Redrive' }).click();
    await page.getByText('Redrive: done (2).').waitFor();
    await page.getByText('No dead letters').waitFor();
    expect((await shop.runtime.store.counts()).deadLetters).to.equal(0);
    expect(visited.faults).to.deep.equal([]);
  });

  it('takes the decisions of people', async () => {
    await using visited = await open(`#/people?token=${token}`);
    const { page } = visited;
    await page.getByText('Which medal?').waitFor();
    await page.getByRole('button', { name: 'gold' }).click();
    await page.locator('#field-by').fill('ada');
    await page.getByRole('dialog').getByRole('button', { name: 'gold' }).click();
    await page.getByText('Which medal?').first().waitFor();
    await page.locator('.person', { hasText: 'Which medal?' }).waitFor({ state: 'detached' });
    expect(await shop.runtime.agent('medals/m-1').result()).to.include({ decision: 'gold', by: 'ada' });
    await page.getByRole('button', { name: 'It was done' }).click();
    await page.locator('#field-result').fill('{ "receipt": 7 }');
    await page.getByRole('dialog').getByRole('button', { name: 'It was done' }).click();
    await page.locator('.person', { hasText: 'payments/p-1' }).waitFor({ state: 'detached' });
    await until(async () => (await shop.runtime.holds.list()).length === 0);
    expect(visited.faults).to.deep.equal([]);
  });

  it('shows who supervises whom, and goes to an agent from there', async () => {
    await using visited = await open('#/tree');
    const { page } = visited;
    await page.locator('[role=treeitem][aria-label="orders/bob"]').waitFor();
    await page.locator('[role=treeitem][aria-label="shop/counter"]').focus();
    await page.keyboard.press('ArrowLeft');
    await page.locator('[role=treeitem][aria-label="orders/bob"]').waitFor({ state: 'detached' });
    await page.keyboard.press('ArrowRight');
    await page.getByRole('link', { name: 'orders/bob' }).click();
    await page.locator(drawn).waitFor();
    expect(page.url()).to.include('#/agents/orders%2Fbob');
    expect(visited.faults).to.deep.equal([]);
  });

  it('opens and closes a breaker', async () => {
    await using visited = await open(`#/breakers?token=${token}`);
    const { page } = visited;
    const breaker = page.locator('[data-breaker="bank"]');
    await breaker.waitFor();
    await page.getByRole('button', { name: 'Isolate bank' }).click();
    await breaker.locator('.status.tone-bad').waitFor();
    await page.getByRole('button', { name: 'Release bank' }).click();
    await breaker.locator('.status:not(.tone-bad)').waitFor();
    expect(visited.faults).to.deep.equal([]);
  });

  it('says so when there is no such agent, with those that come close', async () => {
    await using visited = await open('#/agents/orders%2Fade');
    visited.expect(/404/);
    await visited.page.getByText('UNKNOWN_AGENT').waitFor();
    expect(await visited.page.locator('.trouble').innerText()).to.include('orders/ada');
    expect(visited.faults).to.deep.equal([]);
  });

  it('can be used by keys alone, which it lists', async () => {
    await using visited = await open('#/agents');
    const { page } = visited;
    await page.locator('[data-agent="orders/ada"]').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await keepPicture(page, 'keys');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    for (const [key, title] of [
      ['t', 'Supervision'],
      ['b', 'Breakers'],
      ['d', 'Dead letters'],
      ['p', 'People'],
      ['r', 'Runtime'],
      ['a', 'Agents'],
    ] as const) {
      await page.keyboard.press(key);
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
    }
    await page.keyboard.press('T');
    expect(await page.getAttribute('html', 'data-theme')).to.equal('dark');
    await page.reload();
    expect(await page.getAttribute('html', 'data-theme')).to.equal('dark');
    expect(visited.faults).to.deep.equal([]);
  });
});

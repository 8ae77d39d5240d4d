/** What a person orders on the page is done to the agents, and is in the store: read there by a second connection. What cannot be done is said, and does nothing. */

import { expect } from 'chai';
import { TerminalError, type Runtime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import type { Browser, Locator, Page } from 'playwright-core';
import { keepPicture, openBrowser, visit } from './chromium.js';
import { openShopConsole, token, until, type Shop } from './shop-console.js';

type StoreRecord = Awaited<ReturnType<Runtime['store']['lookup']>>[number];

describe('what is ordered on the page', () => {
  let browser: Browser;
  let shop: Shop;
  const open = (hash: string) => visit(browser, `${shop.console.url}${hash}`);

  before(async function () {
    browser = await openBrowser(this);
    shop = await openShopConsole();
  });
  after(async () => {
    await browser?.close();
    await shop?.[Symbol.asyncDispose]();
  });

  /** By another connection than the runtime's own. */
  const stored = async (id: string): Promise<StoreRecord> => {
    const store = await sqlite(shop.path).open({ now: Date.now });
    try {
      return (await store.lookup([id]))[0];
    } finally {
      await store.close();
    }
  };
  const isStored = (id: string, state: string): Promise<void> => until(async () => (await stored(id))?.state === JSON.stringify(state));
  const sign = async (page: Page, button: string, note?: string): Promise<void> => {
    const dialog = page.getByRole('dialog');
    await dialog.locator('#field-by').fill('ada');
    if (note !== undefined) await dialog.locator('#field-note').fill(note);
    await dialog.getByRole('button', { name: button, exact: true }).click();
  };

  describe('of sagas that stand', () => {
    const stand = async (id: string): Promise<void> => {
      shop.outside.errors.set('undo hotel', [new TerminalError('the hotel is closed')]);
      await shop.runtime.spawn('trip', { id, input: { trip: id } } as never);
      await until(async () => (await shop.runtime.store.lookup([id]))[0]?.state === '"booked"');
      await shop.send(id, 'UNDO');
      await until(async () => (await shop.runtime.sagas.list()).some(({ agentId, status }) => agentId === id && status === 'held'));
    };
    const undone = (id: string): number => shop.outside.log.slice(begun.get(id)).filter((what) => what === 'undo hotel').length;
    const begun = new Map<string, number>();
    const card = (page: Page, id: string): Locator => page.locator(`[data-saga="${id}"]`);

    for (const { id, press, button, ends, status, tries, says } of [
      {
        id: 'rome',
        press: 'Resume',
        button: 'Resume',
        ends: 'undone',
        status: 'compensated',
        tries: 1,
        says: 'The step is tried once more.',
      },
      {
        id: 'oslo',
        press: 'Skip the step',
        button: 'Skip',
        ends: 'undone',
        status: 'compensated',
        tries: 0,
        says: 'The step was undone by hand',
      },
      { id: 'lima', press: 'Abandon', button: 'Abandon', ends: 'stuck', status: 'abandoned', tries: 0, says: 'Nothing more is undone' },
    ] as const) {
      it(`${press} leads to ${ends}`, async () => {
        await stand(id);
        begun.set(id, shop.outside.log.length);
        await using visited = await open(`#/people?token=${token}`);
        const { page } = visited;
        expect(await card(page, id).innerText()).to.match(/hotel .*the hotel is closed/i);
        // It waits for an answer once: with its saga, not as a call that is held too.
        expect(await page.locator('.person', { hasText: 'compensation' }).allInnerTexts()).to.have.lengthOf(1);
        await page.locator('.nav .badge.call', { hasText: String(await page.locator('.person').count()) }).waitFor();
        await card(page, id).getByRole('button', { name: press }).click();
        await page.getByRole('dialog').getByText(says).waitFor();
        await sign(page, button, 'by phone');
        await card(page, id).waitFor({ state: 'detached' });
        await isStored(id, ends);
        const saga = await shop.runtime.sagas.get(id, id);
        expect(saga.status).to.equal(status);
        expect(saga.steps.find(({ activity }) => activity === 'hotel')?.undoing?.resolutions.at(-1)).to.include({
          by: 'ada',
          note: 'by phone',
        });
        expect(undone(id)).to.equal(tries);
        await page.goto(`${shop.console.url}#/agents/${id}`);
        await page.locator(`[data-state="trip.${ends}"].sw-active`).waitFor();
        expect(visited.faults).to.deep.equal([]);
      });
    }
  });

  for (const { press, decision } of [
    { press: 'Approve', decision: 'approved' },
    { press: 'Reject', decision: 'rejected' },
  ] as const) {
    it(`${press} of an approval: its agent goes on with that, and who said it is kept`, async () => {
      const id = `loans/${decision}`;
      await shop.runtime.spawn('lender', { id, input: { title: `May ${decision} be?`, details: { score: 600 } } as never });
      await using visited = await open(`#/people?token=${token}`);
      const { page } = visited;
      const card = page.locator('.person', { hasText: `May ${decision} be?` });
      await card.getByRole('button', { name: press }).click();
      await sign(page, press, 'as agreed');
      await card.waitFor({ state: 'detached' });
      const result: unknown = await shop.runtime.agent(id).result();
      expect(result).to.include({ decision, by: 'ada', note: 'as agreed' });
      expect((await stored(id))?.status).to.equal('done');
      expect(visited.faults).to.deep.equal([]);
    });
  }

  it('a restart brings an agent back, or begins it anew, a stop takes it down, and each is in the store', async () => {
    const id = 'orders/cyd';
    await shop.send(id, 'ADD', { name: 'cup', cents: 700 });
    await using visited = await open(`#/agents/orders%2Fcyd?token=${token}`);
    const { page } = visited;
    const dialog = page.getByRole('dialog');
    const status = (text: string): Promise<void> => page.locator('.agent-head .status', { hasText: text }).waitFor();
    const press = async (what: string, note: RegExp): Promise<void> => {
      await page.getByRole('button', { name: what }).click();
      await dialog.getByText(note).waitFor();
      await dialog.getByRole('button', { name: what }).click();
      await dialog.waitFor({ state: 'detached' });
    };
    const happened: string[] = [];
    const hearing = shop.runtime.events$.subscribe((event) => {
      if ('agentId' in event && event.agentId === id) happened.push(event.type);
    });
    await page.locator('.json-brief', { hasText: 'cup' }).waitFor();
    // Thought better of.
    await page.getByRole('button', { name: 'Restart' }).click();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(happened).to.deep.equal([]);
    await press('Restart', /brings it back as the store has it/);
    await page.getByText('Restart: done.').waitFor();
    expect(await stored(id)).to.include({ status: 'active', state: '"cart"', sequenceNumber: 2 });
    await page.locator('.json-brief', { hasText: 'cup' }).waitFor();

    await press('Stop', /Its supervisor takes it down/);
    await status('suspended');
    expect((await stored(id))?.status).to.equal('suspended');
    expect(await page.getByRole('button', { name: 'Stop' }).getAttribute('title')).to.equal('Its supervisor has it down already.');
    await keepPicture(page, 'stopped');
    await press('Restart', /brings it back/);
    await status('active');
    expect((await stored(id))?.status).to.equal('active');

    await shop.send(id, 'CANCEL');
    await status('done');
    await press('Restart', /begins anew/);
    await page.locator('.turn', { hasText: 'restarted' }).waitFor();
    await page.locator('.json-row', { hasText: 'items' }).getByText('[]').waitFor();
    expect(await stored(id)).to.include({ status: 'active', state: '"cart"' });
    hearing.unsubscribe();
    expect(visited.faults).to.deep.equal([]);
  });

  it('a stop ends an agent that nobody supervises, and nobody can begin it anew', async () => {
    const id = 'shop/solo';
    await shop.runtime.spawn('pulse', { id } as never);
    await using visited = await open(`#/agents/shop%2Fsolo?token=${token}`);
    const { page } = visited;
    const restart = page.getByRole('button', { name: 'Restart' });
    await restart.waitFor();
    expect(await restart.getAttribute('aria-disabled')).to.equal('true');
    expect(await restart.getAttribute('title')).to.match(/^No supervisor/);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('dialog').getByText('It takes no more events.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    await page.locator('.agent-head .status', { hasText: 'stopped' }).waitFor();
    expect((await stored(id))?.status).to.equal('stopped');
    expect(await page.getByRole('button', { name: 'Send' }).getAttribute('title')).to.equal('The agent is stopped.');
    expect(visited.faults).to.deep.equal([]);
  });

  it('an event that is no JSON is not sent, and neither is one that is no object', async () => {
    await using visited = await open(`#/agents/shop%2Fpulse?token=${token}`);
    const { page } = visited;
    const posts: string[] = [];
    page.on('request', (request) => request.method() === 'POST' && !request.url().endsWith('/api/token') && posts.push(request.url()));
    await page.locator('.chart-area[data-drawn]').waitFor();
    await page.keyboard.press('e');
    const dialog = page.getByRole('dialog');
    const payload = dialog.locator('#field-rest');
    for (const [text, fault] of [
      ['{ beats: 1 }', /^Not JSON: .+/],
      ['[1, 2]', /^Not an object: write it as/],
      ['7', /^Not an object/],
      ['null', /^Not an object/],
    ] as const) {
      await payload.fill(text);
      await dialog.getByRole('button', { name: 'Send' }).click();
      const said = dialog.locator('#field-rest-about.fault');
      await said.waitFor();
      expect(await said.innerText()).to.match(fault);
      expect(await payload.getAttribute('aria-invalid')).to.equal('true');
    }
    await dialog.locator('#field-type').fill('');
    await payload.fill('{}');
    await dialog.getByRole('button', { name: 'Send' }).click();
    expect(await dialog.locator('#field-type-about').innerText()).to.equal('Needed.');
    expect(posts).to.deep.equal([]);
    expect((await stored('shop/pulse'))?.sequenceNumber).to.equal(1);
    await keepPicture(page, 'bad-event');
    await dialog.locator('#field-type').fill('BEAT');
    await dialog.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Send BEAT: done.').waitFor();
    expect(posts).to.have.lengthOf(1);
    expect(await stored('shop/pulse')).to.include({ sequenceNumber: 2, state: '"tock"' });
    expect(visited.faults).to.deep.equal([]);
  });

  it('nothing, with a token that is wrong: that is said, and the page goes on to show what happens', async () => {
    await using visited = await open('#/agents/shop%2Fpulse');
    visited.expect(/401/);
    const { page } = visited;
    await page.locator('.chart-area[data-drawn]').waitFor();
    // As when the process has begun anew meanwhile, with another token.
    await page.route('**/api/token', (route) => route.fulfill({ status: 200, contentType: 'application/json', body: '{"done":true}' }));
    await page.keyboard.press('k');
    await page.locator('#token').fill('a-token-that-is-wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'May act: forget the token' }).waitFor();
    const before = (await stored('shop/pulse'))?.sequenceNumber ?? 0;
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    const refusal = page.getByRole('dialog', { name: 'Token' }).getByRole('alert');
    await refusal.waitFor();
    expect(await refusal.innerText()).to.match(/token/i);
    await keepPicture(page, 'token-refused');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Read-only: enter the token' }).waitFor();
    expect(await stored('shop/pulse')).to.include({ status: 'active', sequenceNumber: before });
    await shop.send('shop/pulse', 'BEAT');
    await page.locator(`[data-turn="${String(before + 1)}"]`).waitFor();
    expect(visited.faults).to.deep.equal([]);
  });

  it('nothing, which is said at once: of a token in the address, and of one that is entered', async () => {
    await using visited = await open('#/agents?token=a-token-that-is-wrong');
    visited.expect(/401/);
    const { page } = visited;
    await page.getByText('Read-only: the token is another one.').waitFor();
    await page.getByRole('button', { name: 'Read-only: enter the token' }).click();
    const dialog = page.getByRole('dialog', { name: 'Token' });
    await dialog.locator('#token').fill('another-that-is-wrong');
    await dialog.locator('#token').press('Enter');
    await dialog.getByRole('alert').waitFor();
    await dialog.locator('#token').fill(token);
    await dialog.locator('#token').press('Enter');
    await page.getByRole('button', { name: 'May act: forget the token' }).waitFor();
    await dialog.waitFor({ state: 'detached' });
    expect(visited.faults).to.deep.equal([]);
  });

  describe('and kept', () => {
    it('is what there is when the runtime is opened again', async () => {
      await shop.reopen();
      await using visited = await open('#/agents');
      const row = (id: string): Promise<string> => visited.page.locator(`[data-agent="${id}"]`).innerText();
      expect(await row('shop/solo')).to.match(/stopped/);
      expect(await row('rome')).to.match(/undone/);
      expect(await row('lima')).to.match(/stuck/);
      expect(await row('loans/approved')).to.match(/done/);
      expect(visited.faults).to.deep.equal([]);
    });
  });
});

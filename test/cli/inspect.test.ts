/** `statewarden inspect`: a stored agent's past as the inspector's messages, with its code and without, printed and served. */

import { createWebSocketReceiver } from '@statelyai/inspect';
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { statewarden, type Ran } from './command-line.js';
import { agents, sampleStore, type SampleStore } from './sample-store.js';

interface Message {
  readonly type: string;
  readonly sessionId: string;
  readonly name?: string;
  readonly definition?: string;
  readonly event?: { readonly type: string } & Record<string, unknown>;
  readonly snapshot?: { readonly status: string; readonly value?: unknown; readonly context?: { readonly items: readonly string[] } };
}

const messages = ({ stdout }: Ran): Message[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Message);
const inBrief = ({ type, sessionId, event, snapshot }: Message): string =>
  `${type.slice('@xstate.'.length)} ${sessionId.split('#')[1] ?? ''} ${type === '@xstate.actor' ? '' : (event?.type ?? '')} ${JSON.stringify(snapshot?.value ?? null)}`;

describe('statewarden inspect', function () {
  this.timeout(120_000);
  let sample: SampleStore;
  let app: string;
  before(async () => {
    sample = await sampleStore();
    app = join(sample.folder, 'agents.mjs');
    const source = pathToFileURL(join(process.cwd(), '.build', 'test', 'cli', 'sample-store.js')).href;
    writeFileSync(app, `export { agents } from ${JSON.stringify(source)};\n`);
    await using runtime = await createRuntime({ store: sqlite(sample.path), agents });
    const agent = await runtime.spawn('order', { id: 'orders/long', input: { items: [] } });
    for (let n = 1; n <= 5; n += 1) await agent.send({ type: 'ADD', item: `i-${n}` });
  });
  after(() => sample.remove());
  const run = (...args: string[]): Promise<Ran> => statewarden(['inspect', ...args, '--store', sample.path]);

  it('prints every turn with its true snapshot when the code is there', async () => {
    const ran = await run('orders/long', '--app', app, '--json');
    expect({ code: ran.code, stderr: ran.stderr }).to.deep.equal({ code: 0, stderr: '' });
    const all = messages(ran);
    expect(all.slice(0, 5).map(inBrief)).to.deep.equal([
      'actor x:0  "open"',
      'actor x:1  "packing"',
      'event x:0 xstate.init null',
      'snapshot x:0 xstate.init "open"',
      'snapshot x:1 xstate.init "packing"',
    ]);
    const after = all.filter(({ type, event }) => type === '@xstate.snapshot' && event?.type === 'ADD');
    expect(after.map(({ snapshot }) => snapshot?.context?.items.length)).to.deep.equal([1, 2, 3, 4, 5]);
    expect(Object.keys((JSON.parse(all[0]?.definition ?? '{}') as { states: object }).states)).to.deep.equal(['open', 'paying', 'closed']);
  });

  it('ends with a moment and begins with another', async () => {
    const at = messages(await run('orders/long', '--app', app, '--json', '--at', '3'));
    expect(at.at(-1)?.snapshot?.context?.items).to.deep.equal(['i-1', 'i-2']);
    const from = messages(await run('orders/long', '--app', app, '--json', '--from', '4', '--at', '5'));
    expect(from[0]?.snapshot?.context?.items).to.deep.equal(['i-1', 'i-2']);
    expect(from.filter(({ type }) => type === '@xstate.event').map(({ event }) => event?.['item'])).to.deep.equal(['i-3', 'i-4']);
  });

  it('without the code draws what the store keeps, has all events, and says what is missing', async () => {
    const ran = await run('orders/long', '--json');
    expect(ran.code).to.equal(0);
    expect(ran.stderr).to.match(/^without --app .* have events alone\n$/);
    const all = messages(ran);
    const [root] = all;
    expect(root).to.include({ type: '@xstate.actor', name: 'orders/long' });
    const definition = JSON.parse(root?.definition ?? '{}') as { states: { open: { on: object; after: object } } };
    expect(Object.keys(definition.states.open.on)).to.deep.equal(['ADD', 'HOW_MANY', 'PAY', 'CLOSE']);
    expect(definition.states.open.after).to.have.property('86400000');
    expect(all.filter(({ type }) => type === '@xstate.event').map(({ event }) => event?.type)).to.deep.equal([
      'xstate.init',
      ...Array.from({ length: 5 }, () => 'ADD'),
    ]);
    const known = all.filter(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId.endsWith('x:0'));
    expect(known.at(-1)?.snapshot).to.include({ status: 'active', value: 'open' });
    const ended = messages(await run('orders/o-2', '--json'));
    expect(ended.at(-1)?.snapshot).to.include({ status: 'done' });
    expect(messages(await run('clerk', '--json')).at(-1)?.snapshot).to.deep.include({ value: 'resting' });
  });

  it("serves it to the inspector's own receiver, at once or as fast as it was, until it is stopped", async () => {
    const main = join(process.cwd(), 'dist', 'cli', 'main.js');
    const child = spawn(process.execPath, [
      '--no-warnings',
      main,
      'inspect',
      'orders/long',
      '--app',
      app,
      '--speed',
      '1000',
      '--store',
      sample.path,
    ]);
    try {
      let stdout = '';
      const url = await new Promise<URL>((resolve, reject) => {
        child.stdout.on('data', (part) => {
          stdout += String(part);
          const [found] = /http:\S+/.exec(stdout) ?? [];
          if (found !== undefined && stdout.includes('Ctrl+C')) resolve(new URL(found));
        });
        child.on('exit', (code) => reject(new Error(`ended with ${String(code)}`)));
      });
      expect(stdout).to.match(/^inspect at http:\/\/127\.0\.0\.1:\d+\/#token=\S+\norders\/long: 6 events up to 6; Ctrl\+C ends it\n$/);
      for (let client = 0; client < 2; client += 1) {
        const heard: Message[] = [];
        await new Promise<void>((resolve) => {
          createWebSocketReceiver({ server: `ws://${url.host}/?${url.hash.slice(1)}` }).subscribe((message) => {
            heard.push(message as unknown as Message);
            if ((message as unknown as Message).snapshot?.context?.items?.length === 5) resolve();
          });
        });
        expect(heard.filter(({ type }) => type === '@xstate.event')).to.have.lengthOf(6);
      }
      const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
      child.kill('SIGTERM');
      expect(await ended).to.equal(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('says what is wrong, with a hint', async () => {
    const broken = join(sample.folder, 'broken.mjs');
    writeFileSync(broken, 'export const agents = {');
    const none = join(sample.folder, 'none.mjs');
    writeFileSync(none, 'export const machine = 1;');
    const other = join(sample.folder, 'other.mjs');
    writeFileSync(other, `export const agents = {};`);
    const busy = createServer();
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
    const { port } = busy.address() as AddressInfo;
    const cases: readonly (readonly [readonly string[], number, string, string])[] = [
      [['nobody'], 1, 'UNKNOWN_AGENT', 'no agent has the id'],
      [['orders/long', '--at', '70'], 1, 'BAD_INPUT', 'has no turn 70: its last is 6'],
      [['orders/long', '--from', '70', '--app', app], 1, 'BAD_INPUT', 'has no turn 70: its last is 6'],
      [['clerk', '--app', app], 1, 'UNKNOWN_KIND', 'the app file has no kind "clerk"'],
      [['orders/long', '--app', other], 1, 'UNKNOWN_KIND', 'the app file has no kind "order"'],
      [['orders/long', '--app', join(sample.folder, 'gone.mjs')], 1, 'BAD_INPUT', 'there is no file'],
      [['orders/long', '--app', broken], 1, 'BAD_INPUT', 'does not load: SyntaxError'],
      [['orders/long', '--app', none], 1, 'BAD_INPUT', 'exports no agents'],
      [['orders/long', '--port', String(port)], 1, 'BAD_INPUT', `port ${port} is in use`],
      [['orders/long', '--port', '70000'], 2, 'USAGE', '--port is "70000"'],
      [['orders/long', '--speed', '0'], 2, 'USAGE', '--speed is "0"'],
      [['orders/long', '--from', '3', '--at', '2'], 2, 'USAGE', '--from 3 is after --at 2'],
    ];
    try {
      for (const [args, code, name, message] of cases) {
        const ran = await run(...args);
        expect(ran, args.join(' ')).to.include({ code, stdout: '' });
        expect(ran.stderr)
          .to.match(new RegExp(`^${name}: `))
          .and.contain(message)
          .and.match(/\nhint: \S/);
      }
    } finally {
      await new Promise((resolve) => busy.close(resolve));
    }
  });
});

/** A turn that does not end: another thread ends the process and puts the event aside; nothing else is lost, and nobody who is only slow is harmed. */

import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DeadLetter } from 'statewarden';
import { TurnPulse } from '#src/core/turn-pulse.js';
import { TurnWatch } from '#src/persistence/sqlite/turn-watch.js';
import { failing } from '../bad-input/failing.js';
import { crew, looperPath, open } from './looper.js';

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Begun {
  readonly child: ChildProcess;
  /** Its agents are made. */
  readonly ready: Promise<unknown>;
  readonly end: Promise<End>;
}

function begin(
  path: string,
  how: string,
  { flags = [], turnMs = 400, leaseMs = 5_000 }: { flags?: string[]; turnMs?: number; leaseMs?: number } = {},
): Begun {
  const child = spawn(process.execPath, ['--no-warnings', ...flags, looperPath, path, how, String(turnMs), String(leaseMs)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  let ready: () => void = () => undefined;
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  child.stdout.on('data', (text) => {
    stdout += String(text);
    if (stdout.includes('ready')) ready();
  });
  child.stderr.on('data', (text) => (stderr += String(text)));
  const end = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    stdout,
    stderr,
  }));
  return { child, ready: isReady, end };
}

async function inFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
  try {
    await work(join(folder, 'agents.db'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('a turn that does not end', () => {
  const ways: readonly { how: string; event: DeadLetter['event'] | undefined; from?: string; taken: number; said: string }[] = [
    { how: 'send', event: { type: 'LOOP', note: 'by code' } as never, taken: 1, said: 'turn 3 of agent "l" (looper), with {"type":"LOOP"' },
    { how: 'always', event: { type: 'ALWAYS' }, taken: 1, said: 'with {"type":"ALWAYS"}' },
    {
      how: 'long',
      event: undefined,
      taken: 1,
      said: 'turn 3 of agent "l" (looper), with an event that is not kept: whoever sent it was not told',
    },
    { how: 'mail', event: { type: 'LOOP', note: 'by mail' } as never, from: 't', taken: 3, said: 'with {"type":"LOOP","note":"by mail"}' },
    { how: 'timer', event: { type: 'xstate.after.50.looper.waiting' }, taken: 1, said: 'with {"type":"xstate.after.50.looper.waiting"}' },
  ];
  for (const { how, event, from, taken, said } of ways) {
    it(`is ended with its process, and its event is a dead letter (by ${how})`, () =>
      inFolder(async (path) => {
        const { signal, stderr } = await begin(path, how).end;
        expect(signal).to.be.oneOf(['SIGABRT', 'SIGKILL']);
        expect(stderr).to.include('statewarden: a turn does not end: ').and.to.include(said).and.to.include('Ending the process.');
        await using runtime = await open(path);
        const letters = await runtime.deadLetters.list();
        if (event === undefined) expect(letters).to.deep.equal([]);
        else {
          expect(letters).to.have.length(1);
          expect(letters[0]).to.deep.include({ to: 'l', from, reason: 'endless-turn', event });
        }
        const agent = runtime.agent<'looper'>('l');
        const { context } = await agent.waitFor((snapshot) => snapshot.context.taken >= taken, { timeoutMs: 5_000 });
        expect(context.taken).to.equal(taken);
        await agent.send({ type: 'ADD' });
        expect((await agent.snapshot()).context.taken).to.equal(taken + 1);
        // Mended, it takes the event.
        const before = (await runtime.store.lookup(['l']))[0]?.sequenceNumber ?? 0;
        await runtime.deadLetters.redrive({ to: 'l' });
        if (event !== undefined) {
          await agent.send({ type: 'ADD' });
          expect((await runtime.store.lookup(['l']))[0]?.sequenceNumber).to.be.at.least(before + 2);
        }
        expect(await runtime.store.check()).to.deep.equal([]);
      }));
  }

  for (const [how, id] of [
    ['outcome', 'l'],
    ['birth', 'n'],
  ] as const) {
    it(`ends an agent that has no event to put aside (by ${how})`, () =>
      inFolder(async (path) => {
        const { signal, stderr } = await begin(path, how).end;
        expect(signal).to.be.oneOf(['SIGABRT', 'SIGKILL']);
        expect(stderr).to.include(`of agent "${id}"`).and.to.include('the agent has ended in error');
        await using runtime = await open(path);
        const error = await failing('AGENT_FAILED', () => runtime.agent(id).result());
        expect((error.cause as Error).message).to.match(new RegExp(`turn \\d+ of agent "${id}" did not end`));
        await runtime.agent<'teller'>('t').send({ type: 'TELL' });
        const counts = await runtime.store.counts();
        expect([counts.openOperations, counts.timers, counts.unsettledEffects]).to.deep.equal([0, 0, 0]);
        expect(await runtime.store.check()).to.deep.equal([]);
      }));
  }

  it('costs a supervised agent its event, or its life, and its supervisor hears of it', () =>
    inFolder(async (path) => {
      await begin(path, 'supervised send').end;
      {
        await using runtime = await open(path);
        expect((await runtime.deadLetters.list()).map(({ to, reason }) => `${to} ${reason}`)).to.deep.equal(['l endless-turn']);
        expect((await runtime.tree())[0]?.children?.[0]).to.include({ id: 'l', status: 'running', agent: 'active' });
      }
      await begin(path, 'supervised outcome').end;
      await using runtime = await open(path);
      await runtime.agent<'teller'>('t').send({ type: 'BEAR' });
      const [child] = (await runtime.tree())[0]?.children ?? [];
      expect(child).to.include({ id: 'l', status: 'ended', agent: 'error' });
      expect(child?.failure).to.include({ reason: 'endless-turn' });
    }));

  for (const how of ['job', 'job outcome']) {
    it(`costs a fleet the job, and no other (by ${how})`, () =>
      inFolder(async (path) => {
        await begin(path, how).end;
        await using runtime = await open(path);
        await runtime.supervise(crew);
        const members = runtime.fleet<'looper'>('crew');
        const error = await members
          .job('bad')
          .result()
          .catch((thrown: unknown) => thrown as Error & { code: string });
        expect(error).to.have.property('code').that.is.oneOf(['ENDLESS_TURN', 'AGENT_FAILED']);
        await members.submit({ type: 'ADD' }, { id: 'good' });
        expect(await members.job('good').result()).to.equal('added');
        expect((await runtime.deadLetters.list()).map(({ to, reason, event }) => [to, reason, event.type])).to.deep.equal([
          ['crew', 'endless-turn', how === 'job' ? 'LOOP' : 'ASK'],
        ]);
        expect(await members.status()).to.include({ up: 1, busy: 0, queued: 0, done: 1, failed: 1 });
        expect(await runtime.store.check()).to.deep.equal([]);
      }));
  }

  it('is not one that is only slow', () =>
    inFolder(async (path) => {
      expect(await begin(path, 'work300', { turnMs: 1_200 }).end).to.include({ code: 0, stderr: '' });
    }));

  it('is not one of a process that was stopped for a while', () =>
    inFolder(async (path) => {
      const { child, ready, end } = begin(path, 'work700', { turnMs: 3_000 });
      await ready;
      await pause(200);
      child.kill('SIGSTOP');
      await pause(4_000);
      child.kill('SIGCONT');
      expect(await end).to.include({ code: 0, stderr: '' });
    }));

  it('is not one that a debugger holds', () =>
    inFolder(async (path) => {
      const { code, stdout, stderr } = await begin(path, 'work900', { turnMs: 200, flags: ['--inspect=127.0.0.1:0'] }).end;
      expect(stderr).not.to.include('does not end');
      expect([code, stdout]).to.deep.equal([0, 'ready\ndone\n']);
    }));

  it('does not lose its agents to another node while it may still end', () =>
    inFolder(async (path) => {
      const { ready, end } = begin(path, 'work2500', { turnMs: 10_000, leaseMs: 400 });
      await ready;
      await using runtime = await open(path);
      const until = performance.now() + 1_500;
      while (performance.now() < until) {
        await failing('AGENT_OWNED', () => runtime.agent('l').snapshot());
        await pause(50);
      }
      expect(await end).to.include({ code: 0, stderr: '' });
      expect((await runtime.agent<'looper'>('l').snapshot()).context.taken).to.equal(1);
    }));

  it('is watched for unless the limit is infinite, and never over a store without a thread', async () => {
    const { createRuntime, memory } = await import('statewarden');
    const { agents } = await import('./looper.js');
    await using runtime = await createRuntime({ store: memory(), agents, limits: { turnMs: 1 } });
    const agent = await runtime.spawn('looper', { id: 'l' });
    await agent.send({ type: 'WORK', ms: 20 });
    await failing('BAD_INPUT', () => createRuntime({ store: memory(), agents, limits: { turnMs: 0 } }));
  });
});

describe('a turn in shared memory', () => {
  it('is read as it was written', () => {
    const pulse = new TurnPulse();
    const reader = new TurnPulse(pulse.memory);
    pulse.begin(2 ** 40, 7, '{"type":"Ä"}', undefined, undefined);
    expect(reader.count % 2).to.equal(1);
    expect(reader.read()).to.deep.equal({
      agent: 2 ** 40,
      sequenceNumber: 7,
      source: 'code',
      event: '{"type":"Ä"}',
      mail: undefined,
      timer: undefined,
    });
    pulse.end();
    expect(reader.count % 2).to.equal(0);
    pulse.begin(1, 8, '{}', 12, undefined);
    expect(reader.read()).to.include({ source: 'mailbox', mail: 12, event: '{}' });
    pulse.begin(1, 9, '{"a":1}', undefined, 'child#x');
    expect(reader.read()).to.include({ source: 'timer', timer: 'child#x', event: '{"a":1}' });
    pulse.begin(1, 10, undefined, undefined, undefined);
    expect(reader.read()).to.include({ source: 'other', event: undefined });
    pulse.begin(1, 11, `"${'x'.repeat(70_000)}"`, undefined, undefined);
    expect(reader.read()).to.include({ source: 'code', event: undefined });
  });

  it('is endless when it stands still for the limit, time in which the watcher stood still left out', () => {
    const pulse = new TurnPulse();
    const watch = new TurnWatch(pulse, 800, Infinity, 0);
    expect(watch.everyMs).to.equal(100);
    expect(watch.isDue(99)).to.equal(false);
    expect(watch.isDue(100)).to.equal(true);
    pulse.begin(1, 1, '{}', undefined, undefined);
    expect(watch.look(100)).to.deep.equal({ lasting: false, endless: undefined });
    for (let now = 200; now < 900; now += 100) expect(watch.look(now), String(now)).to.deep.equal({ lasting: true, endless: undefined });
    expect(watch.look(900).endless).to.include({ agent: 1 });
    // The next turn begins anew.
    pulse.end();
    expect(watch.look(1_000)).to.deep.equal({ lasting: false, endless: undefined });
    pulse.begin(1, 2, '{}', undefined, undefined);
    watch.look(1_100);
    // An hour of sleep counts as two looks.
    expect(watch.look(3_600_000).endless).to.equal(undefined);
    for (let look = 1; look < 6; look += 1) expect(watch.look(3_600_000 + look * 100).endless).to.equal(undefined);
    expect(watch.look(3_600_600).endless).to.include({ sequenceNumber: 2 });
    // Nor does a turn count that a debugger holds.
    pulse.attached = true;
    for (let look = 7; look < 30; look += 1) expect(watch.look(3_600_000 + look * 100).endless).to.equal(undefined);
  });
});

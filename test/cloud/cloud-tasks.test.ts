/** Retries through a real emulator of Cloud Tasks: tasks over gRPC, calls over HTTP, agents in a SQLite file. */

import { expect } from 'chai';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { activity, createRuntime, wakeHandler, type RetryProfile, type Runtime, type WakeTask } from 'statewarden';
import { cloudTasks, type CloudTasksDispatcher } from 'statewarden/cloud-tasks';
import { sqlite } from 'statewarden/sqlite';
import { wakeTask } from '#src/effects/dispatch.js';
import { inFolder } from '../bad-input/failing.js';
import { until } from '../gateway/service.js';
import { caller } from '../runtime/caller.js';
import { describeCloudTasks, isWhole, TasksEmulator } from './tasks-emulator.js';

interface Called {
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly task: WakeTask;
  status: number;
}

/** A service that is called: each call goes to `serve`. */
class Service {
  readonly calls: Called[] = [];
  serve: (request: Request) => Promise<Response> = async () => new Response('{}');
  #server: Server | undefined;
  url = '';

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks);
        const call: Called = { at: Date.now(), headers: request.headers, task: JSON.parse(body.toString()) as WakeTask, status: 0 };
        this.calls.push(call);
        void this.serve(new Request(new URL(request.url ?? '', this.url), { method: request.method ?? '', body })).then(async (answer) => {
          call.status = answer.status;
          response.writeHead(answer.status, Object.fromEntries(answer.headers));
          response.end(await answer.text());
        });
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/wake`;
    return this;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server?.close(() => resolve());
      this.#server?.closeAllConnections();
    });
  }
}

const profile: RetryProfile = { attempts: 4, initialMs: 1_000, maximumMs: 8_000, jitter: 'none', deadlineMs: 120_000 };

describeCloudTasks('Cloud Tasks', function () {
  this.timeout(60_000);
  let emulator: TasksEmulator;
  let service: Service;
  let tasks: CloudTasksDispatcher;
  let queue: string;
  let made = 0;

  before(async () => {
    emulator = await TasksEmulator.start();
  });
  after(() => emulator?.stop());
  beforeEach(async () => {
    service = await new Service().start();
    tasks = cloudTasks({ project: 'p', location: 'here', url: service.url, client: emulator.client, minimumMs: 500 });
    queue = `queue-${String((made += 1))}`;
  });
  afterEach(() => service.stop());

  const someTask = (inMs: number): WakeTask =>
    wakeTask({ agentId: 'a', operationId: 'a:calling:1', attempt: 2, at: Date.now() + inMs, queue });

  it('has a queue made with the profile’s retries', async () => {
    const report = await tasks.ensureQueue({ ...profile, queue });
    expect(report.created).to.equal(true);
    const [kept] = await emulator.client.getQueue({ name: report.name });
    expect(kept.name).to.equal(`projects/p/locations/here/queues/${queue}`);
    expect(kept.retryConfig).to.deep.include({ maxAttempts: 4, maxDoublings: 3 });
    expect([kept.retryConfig?.minBackoff?.seconds, kept.retryConfig?.maxBackoff?.seconds].map(Number)).to.deep.equal([1, 8]);
    expect(Number(kept.retryConfig?.maxRetryDuration?.seconds)).to.equal(120);
  });

  it('calls when the task is due, with the task, and under its name', async () => {
    await tasks.ensureQueue({ ...profile, queue });
    const task = someTask(1_200);
    await tasks.dispatch(task);
    await until(() => service.calls.length > 0, 'the call');
    const { at, headers, task: sent } = service.calls[0]!;
    expect(sent).to.deep.equal(task);
    expect(at).to.be.within(task.at - 5, task.at + 5_000);
    expect(headers).to.include({ 'content-type': 'application/json', 'x-cloudtasks-taskname': task.name });
  });

  it('calls again what was not answered with 2xx', async () => {
    await tasks.ensureQueue({ ...profile, queue });
    service.serve = async () => new Response('{}', { status: service.calls.length < 2 ? 503 : 200 });
    await tasks.dispatch(someTask(0));
    await until(() => service.calls.length === 2, 'the second call');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(service.calls.map(({ status }) => status)).to.deep.equal([503, 200]);
  });

  it('takes one task under a name', async function () {
    if (!isWhole) this.skip(); // the emulator in Python keeps no names
    await tasks.ensureQueue({ ...profile, queue });
    const task = someTask(300);
    for (let time = 0; time < 3; time += 1) await tasks.dispatch(task);
    await until(() => service.calls.length > 0, 'the call');
    await tasks.dispatch(task); // the name is kept when the task is done
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(service.calls).to.have.length(1);
  });

  it('says of a queue that is not there what to do', async () => {
    const error = (await tasks.dispatch(someTask(0)).catch((thrown: unknown) => thrown)) as { code: string; disposition: string };
    expect(error).to.include({ code: 'DISPATCH_FAILED', disposition: 'terminal' });
  });

  /** An agent whose activity fails twice; each life of the runtime is one on the same file. */
  const opener = (folder: string, attempts: { readonly n: number; readonly at: number }[]) => {
    const work = activity({
      name: 'work',
      run: (_: unknown, { attempt }) => {
        attempts.push({ n: attempt, at: Date.now() });
        if (attempt < 3) throw new Error('busy');
        return 'done';
      },
      onUnknown: 'retry',
      profile: 'slow',
    });
    const agents = { caller: { machine: caller(work), version: 1 } };
    // Closing a runtime closes its dispatcher: the client is this test's and stays open.
    return () =>
      createRuntime({
        store: sqlite(join(folder, 'agents.db')),
        dispatcher: tasks,
        profiles: { slow: { ...profile, queue } },
        agents,
      }) as unknown as Promise<Runtime>;
  };

  it('retries an agent while no process is up between the calls', () =>
    inFolder(async (folder) => {
      await tasks.ensureQueue({ ...profile, queue });
      const attempts: { readonly n: number; readonly at: number }[] = [];
      const open = opener(folder, attempts);
      let up = 0;
      let most = 0;
      service.serve = async (request) => {
        // Scaled to zero: a runtime for each call, and none afterwards.
        up += 1;
        most = Math.max(most, up);
        const runtime = await open();
        try {
          return await wakeHandler(runtime)(request);
        } finally {
          await runtime.close();
          up -= 1;
        }
      };
      const first = await open();
      await first.spawn('caller', { id: 'a', input: 1 });
      await until(() => attempts.length === 1, 'the first attempt');
      await first.close();
      await until(() => attempts.length === 3 && up === 0, 'the third attempt', 40_000);
      await using last = await open();
      expect(await last.agent('a').result()).to.equal('done');
      expect(attempts.map(({ n }) => n)).to.deep.equal([1, 2, 3]);
      expect(most, 'one runtime at a time').to.equal(1);
      // Never early: 1 s after the first attempt, 2 s after the second.
      expect(attempts[1]!.at - attempts[0]!.at).to.be.at.least(1_000);
      expect(attempts[2]!.at - attempts[1]!.at).to.be.at.least(2_000);
      expect(new Set(service.calls.map(({ task }) => task.name)).size).to.equal(2);
      expect(service.calls.every(({ status }) => status === 200)).to.equal(true);
    }));

  it('does no harm with calls that are doubled, stale, or for nobody, beside a process that is up', () =>
    inFolder(async (folder) => {
      await tasks.ensureQueue({ ...profile, queue });
      const attempts: { readonly n: number; readonly at: number }[] = [];
      await using runtime = await opener(folder, attempts)();
      service.serve = wakeHandler(runtime);
      const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
      await until(() => attempts.length === 1, 'the first attempt');
      await tasks.dispatch(someTask(0));
      await tasks.dispatch(someTask(100));
      await tasks.dispatch(wakeTask({ agentId: 'nobody', operationId: 'nobody:calling:1', attempt: 2, at: Date.now(), queue }));
      expect(await agent.result()).to.equal('done');
      await until(() => service.calls.length >= 5 && service.calls.every(({ status }) => status !== 0), 'all calls', 20_000);
      expect(attempts.map(({ n }) => n)).to.deep.equal([1, 2, 3]);
      expect(service.calls.every(({ status }) => status === 200)).to.equal(true);
    }));
});

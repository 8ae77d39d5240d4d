/** What is sent to Cloud Tasks and what its answers are taken for, over a real gRPC connection to a server that is no emulator. */

import { expect } from 'chai';
import { status } from '@grpc/grpc-js';
import type { CloudTasksClient } from '@google-cloud/tasks';
import { StatewardenError, type DispatchError, type WakeTask } from 'statewarden';
import { cloudTasks, type CloudTasksOptions } from 'statewarden/cloud-tasks';
import { failing } from '../bad-input/failing.js';
import { connectCloudTasks } from '#src/cloud-tasks/api.js';
import { plainClient } from './tasks-emulator.js';
import { TasksServer } from './tasks-server.js';

const task: WakeTask = { name: 'abc-1', agentId: 'a', operationId: 'a:calling:1', attempt: 2, at: 1_900_000_000_250, queue: 'nightly' };
const place = { project: 'p', location: 'here', url: 'https://agents.example/wake' };
const parent = 'projects/p/locations/here';

describe('Cloud Tasks, on the wire', () => {
  let server: TasksServer;
  let client: CloudTasksClient;
  const tasks = (more: Partial<CloudTasksOptions> = {}) => cloudTasks({ ...place, client, ...more });

  beforeEach(async () => {
    server = await new TasksServer().start();
    client = plainClient(server.port);
  });
  afterEach(async () => {
    await client.close();
    server.stop();
  });

  it('gets a named task with a time, a deadline, and the call as JSON', async () => {
    await tasks().dispatch(task);
    expect(server.seen).to.have.length(1);
    const { call, request } = server.seen[0]!;
    expect(call).to.equal('CreateTask');
    expect(request.parent).to.equal(`${parent}/queues/nightly`);
    const { name, scheduleTime, dispatchDeadline, httpRequest } = request.task;
    expect(name).to.equal(`${parent}/queues/nightly/tasks/abc-1`);
    expect(scheduleTime).to.deep.equal({ seconds: '1900000000', nanos: 250_000_000 });
    expect(dispatchDeadline).to.deep.include({ seconds: '600' });
    expect(httpRequest).to.include({ url: 'https://agents.example/wake', httpMethod: 'POST' });
    expect(httpRequest.headers).to.deep.equal({ 'content-type': 'application/json' });
    expect(JSON.parse(Buffer.from(httpRequest.body, 'base64').toString())).to.deep.equal(task);
    expect(httpRequest.oidcToken).to.equal(undefined);
  });

  it('gets an OIDC token’s account and audience, the queue’s own id, and another deadline when they are given', async () => {
    await tasks({
      serviceAccountEmail: 'waker@p.example',
      audience: 'https://agents.example',
      queues: { nightly: 'agents-night' },
      dispatchDeadlineMs: 90_500,
    }).dispatch(task);
    const { request } = server.seen[0]!;
    expect(request.task.name).to.equal(`${parent}/queues/agents-night/tasks/abc-1`);
    expect(request.task.dispatchDeadline).to.deep.equal({ seconds: '90', nanos: 500_000_000 });
    expect(request.task.httpRequest.oidcToken).to.deep.equal({
      serviceAccountEmail: 'waker@p.example',
      audience: 'https://agents.example',
    });
  });

  it('has the task already: that is success', async () => {
    server.answer = () => ({ code: status.ALREADY_EXISTS, details: 'Requested entity already exists' });
    await tasks().dispatch(task);
    expect(server.seen).to.have.length(1);
  });

  it('refuses, and its status says whether another time may do', async () => {
    const dispositions: Record<string, string> = {};
    const refusals = Object.values(status).filter((code) => typeof code === 'number');
    for (const code of refusals) {
      if (code === status.OK || code === status.ALREADY_EXISTS) continue;
      server.answer = () => ({ code, details: 'no' });
      const { disposition } = await failing<DispatchError>('DISPATCH_FAILED', () => tasks().dispatch(task));
      dispositions[status[code]] = disposition;
    }
    expect(dispositions).to.deep.equal({
      CANCELLED: 'retry',
      UNKNOWN: 'retry',
      INVALID_ARGUMENT: 'terminal',
      DEADLINE_EXCEEDED: 'retry',
      NOT_FOUND: 'terminal',
      PERMISSION_DENIED: 'terminal',
      RESOURCE_EXHAUSTED: 'retry',
      FAILED_PRECONDITION: 'terminal',
      ABORTED: 'retry',
      OUT_OF_RANGE: 'terminal',
      UNIMPLEMENTED: 'terminal',
      INTERNAL: 'retry',
      UNAVAILABLE: 'retry',
      DATA_LOSS: 'terminal',
      UNAUTHENTICATED: 'terminal',
    });
  });

  it('makes a queue with the profile’s retries, or changes the one that is there', async () => {
    const profile = { attempts: 7, initialMs: 10_000, maximumMs: 300_000, jitter: 'none' as const, queue: 'nightly' };
    const made = await tasks().ensureQueue(profile);
    expect(made).to.include({ name: `${parent}/queues/nightly`, created: true });
    expect(made.unmatched).to.deep.equal([]);
    expect(server.seen[0]!.request.parent).to.equal(parent);
    const { retryConfig } = server.seen[0]!.request.queue;
    expect(retryConfig).to.deep.include({ maxAttempts: 7, maxDoublings: 5 });
    expect(retryConfig.minBackoff).to.deep.include({ seconds: '10' });
    expect(retryConfig.maxBackoff).to.deep.include({ seconds: '300' });
    expect(retryConfig.maxRetryDuration).to.deep.include({ seconds: '0' });

    server.answer = (call) => (call === 'CreateQueue' ? { code: status.ALREADY_EXISTS, details: 'Queue already exists' } : undefined);
    const changed = await tasks().ensureQueue({ ...profile, attempts: Infinity, deadlineMs: 90_400 });
    expect(changed.created).to.equal(false);
    const update = server.seen.at(-1)!;
    expect(update.call).to.equal('UpdateQueue');
    expect(update.request.updateMask).to.deep.equal({ paths: ['retry_config'] });
    expect(update.request.queue.retryConfig).to.deep.include({ maxAttempts: -1 });
    expect(update.request.queue.retryConfig.maxRetryDuration).to.deep.include({ seconds: '91' });

    server.answer = () => ({ code: status.PERMISSION_DENIED, details: 'no' });
    expect((await failing('DISPATCH_FAILED', () => tasks().ensureQueue(profile))).disposition).to.equal('terminal');
  });

  it('says what of a profile it does otherwise', async () => {
    const { retryConfig, unmatched } = await tasks().ensureQueue({ initialMs: 1_500, factor: 3, deadlineMs: 60_000, queue: 'q' });
    expect(retryConfig).to.deep.equal({
      maxAttempts: 5,
      minBackoff: { seconds: 2, nanos: 0 },
      maxBackoff: { seconds: 30, nanos: 0 },
      maxDoublings: 4,
      maxRetryDuration: { seconds: 60, nanos: 0 },
    });
    expect(unmatched.map((line) => line.split(/[ :]/)[0])).to.deep.equal(['jitter', 'factor', 'waits', 'deadlineMs']);
    const steady = await tasks().ensureQueue({ initialMs: 4_000, maximumMs: 60_000, factor: 1, jitter: 'none', queue: 'q' });
    expect(steady.unmatched).to.deep.equal([]);
    expect(steady.retryConfig).to.deep.include({
      minBackoff: { seconds: 4, nanos: 0 },
      maxBackoff: { seconds: 4, nanos: 0 },
      maxDoublings: 0,
    });
  });

  it('leaves a client that is the user’s open', async () => {
    const dispatcher = tasks();
    await dispatcher.dispatch(task);
    await dispatcher.close();
    await tasks().dispatch(task);
    expect(server.seen).to.have.length(2);
  });

  it('needs its package, and says which', async () => {
    const missing = (): Promise<never> => Promise.reject(Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' }));
    const error = await failing('CAPABILITY_MISSING', () => connectCloudTasks(undefined, missing));
    expect(error.hint).to.include('npm install @google-cloud/tasks');
  });

  const bad: readonly (readonly [string, Partial<Record<keyof CloudTasksOptions, unknown>>])[] = [
    ['project', { project: '' }],
    ['project', { project: 'a/b' }],
    ['location', { location: 7 }],
    ['url', { url: '/wake' }],
    ['url', { url: 'ftp://x/' }],
    ['queues', { queues: { nightly: 'a b' } }],
    ['queues', { queues: null }],
    ['serviceAccountEmail', { serviceAccountEmail: '' }],
    ['audience', { audience: 'https://x' }],
    ['dispatchDeadlineMs', { dispatchDeadlineMs: 1_000 }],
    ['minimumMs', { minimumMs: NaN }],
    ['client', { client: {} }],
  ];
  for (const [option, given] of bad) {
    it(`refuses ${option} ${JSON.stringify(Object.values(given)[0])}`, () => {
      expect(() => cloudTasks({ ...place, ...given } as CloudTasksOptions)).to.throw(StatewardenError, `cloudTasks: ${option} is`);
    });
  }

  it('refuses no options at all, and a profile without a queue', async () => {
    expect(() => cloudTasks(undefined as never)).to.throw(StatewardenError, 'project');
    await failing('BAD_INPUT', () => tasks().ensureQueue({ attempts: 3 }));
    await failing('BAD_INPUT', () => tasks().ensureQueue({ attempts: 0, queue: 'q' }));
    expect(server.seen).to.have.length(0);
  });
});

/**
 * The five-step workflow on Restate: its own server (one node, durable: its log is fsynced) in a temporary folder, on free
 * loopback ports, and a service process; workflows are driven through the HTTP ingress over kept-alive connections, each
 * request answered when its workflow has ended. Plain handlers and keyed workflows, several concurrencies and partition
 * counts are tried on a smaller number of workflows; the best is measured in full, and so is the best with the number of partitions that the server
 * has when nobody says otherwise. Prints one JSON line; leaves no process.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';

const { folder, workflows, tuningWorkflows, repetitions } = JSON.parse(process.argv[2]);
const require = createRequire(import.meta.url);

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function call(agent, port, method, path, body) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (part) => (answer += part));
      response.on('end', () => resolve({ status: response.statusCode, answer }));
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function serverBinary() {
  const platform = `${process.platform}-${process.arch}`;
  try {
    return require.resolve(`@restatedev/restate-server-${platform}/bin/restate-server`);
  } catch {
    throw new Error(`restate-server is not installed for ${platform}`);
  }
}

const children = new Set();

function start(command, args, options) {
  const child = spawn(command, args, options);
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Its data is thrown away: nothing is gained by a slow end in good order. */
async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

let ending = false;

async function endAll(code) {
  ending = true;
  await Promise.all([...children].map(end));
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void endAll(1));

let nodes = 0;

async function startNode(partitions) {
  nodes += 1;
  const base = join(folder, `restate-${nodes}`);
  const [ingress, admin, fabric] = [await freePort(), await freePort(), await freePort()];
  const server = start(
    serverBinary(),
    ['--no-logo', '--base-dir', base, '--node-name', 'bench', '--listen-mode', 'tcp', '--bind-ip', '127.0.0.1'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        RESTATE_DISABLE_TELEMETRY: 'true',
        RESTATE_LOG_FILTER: 'error',
        RESTATE_DEFAULT_NUM_PARTITIONS: String(partitions),
        RESTATE_BIND_PORT: String(fabric),
        RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${fabric}`,
        RESTATE_INGRESS__BIND_PORT: String(ingress),
        RESTATE_ADMIN__BIND_PORT: String(admin),
        RESTATE_ADMIN__DISABLE_WEB_UI: 'true',
      },
    },
  );
  let said = '';
  server.stderr.on('data', (part) => (said = (said + part).slice(-2_000)));
  server.stdout.on('data', (part) => (said = (said + part).slice(-2_000)));
  const service = start(process.execPath, [join(import.meta.dirname, 'restate-service.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(service.stdout, 'data');
  const { port } = JSON.parse(String(line));

  const until = performance.now() + 60_000;
  for (;;) {
    if (server.exitCode !== null) throw new Error(`restate-server ended with ${server.exitCode}: ${said}`);
    if (performance.now() > until) throw new Error(`restate-server was not ready in 60 s: ${said}`);
    try {
      const { status } = await call(undefined, admin, 'POST', '/deployments', { uri: `http://127.0.0.1:${port}`, use_http_11: false });
      if (status >= 200 && status < 300) break;
    } catch {
      // Not listening yet.
    }
    await pause(100);
  }
  return {
    ingress,
    async stop() {
      await Promise.all([end(service), end(server)]);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** The server's own default. */
const installedPartitions = 24;
let ids = 0;

async function measure(node, { kind, concurrency }, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  let left = count;
  const started = performance.now();
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      ids += 1;
      const path = kind === 'service' ? '/five/run' : `/fiveWorkflow/w-${ids}/run`;
      const { status, answer } = await call(agent, node.ingress, 'POST', path, { value: 0 });
      if (status !== 200 || answer !== '5') throw new Error(`a workflow answered ${status}: ${answer}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  return { perSecond: count / seconds };
}

async function main() {
  const tried = [];
  for (const partitions of [installedPartitions, 4]) {
    const node = await startNode(partitions);
    await measure(node, { kind: 'service', concurrency: 50 }, Math.min(200, tuningWorkflows)); // warm-up
    for (const kind of ['service', 'workflow']) {
      for (const concurrency of [50, 200, 500]) {
        const setting = { partitions, kind, concurrency };
        tried.push({ ...setting, ...(await measure(node, setting, tuningWorkflows)) });
      }
    }
    await node.stop();
  }
  const best = await measureBest(tried);
  const asInstalled = best.settings.partitions === installedPartitions ? best : await measureBest(tried.filter(isAsInstalled));
  console.log(JSON.stringify({ ...best, tried, asInstalled }));
}

const isAsInstalled = ({ partitions }) => partitions === installedPartitions;

/** The fastest of what was tried, in full. */
async function measureBest(tried) {
  const { perSecond: _, ...settings } = tried.reduce((a, b) => (b.perSecond > a.perSecond ? b : a));
  const node = await startNode(settings.partitions);
  await measure(node, settings, tuningWorkflows);
  const workflowsPerSecond = [];
  for (let index = 0; index < repetitions; index += 1) workflowsPerSecond.push((await measure(node, settings, workflows)).perSecond);
  await node.stop();
  return { workflowsPerSecond, settings };
}

main().catch((error) => {
  if (ending) return;
  console.error(error.message);
  void endAll(1);
});

/**
 * The five-step workflow as Restate services: `five` is a plain service handler, `fiveWorkflow` the same as a keyed
 * workflow. Each step is one `ctx.run`, journaled by the server before the next begins. Prints its port when it listens;
 * ends when its standard input closes.
 */

import { createServer } from 'node:http2';
import * as restate from '@restatedev/restate-sdk';

const steps = ['one', 'two', 'three', 'four', 'five'];
const work = async (value) => value + 1;

async function five(context, { value }) {
  let current = value;
  for (const step of steps) {
    const input = current;
    current = await context.run(step, () => work(input));
  }
  return current;
}

const handler = restate.createEndpointHandler({
  services: [
    restate.service({ name: 'five', handlers: { run: five } }),
    restate.workflow({ name: 'fiveWorkflow', handlers: { run: five } }),
  ],
  logger: () => undefined,
});

const server = createServer(handler);
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

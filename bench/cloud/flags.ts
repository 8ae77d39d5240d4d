/** The command line of `npm run bench:cloud`. */

import { parseArgs } from 'node:util';
import { cloudStores, type CloudStore } from './servers.js';

const defaultLatencyMs = 20;
const known = cloudStores.map(({ id }) => id);

const usage = `npm run bench:cloud -- [--only firestore|spanner] [--latency MS] [--quick] [--json]

  --only      some of: ${known.join(', ')}
  --latency   how long each call waits at the wire, in milliseconds, default ${String(defaultLatencyMs)}; measured without waiting too
  --quick     shorter: about a minute, figures only indicative
  --json      prints the results as one JSON object instead of the table
`;

export interface Flags {
  readonly stores: readonly CloudStore[];
  /** All that are measured. */
  readonly latenciesMs: readonly number[];
  readonly quick: boolean;
  readonly json: boolean;
  /** Nothing was left out or changed. */
  readonly whole: boolean;
}

export function readFlags(): Flags {
  const options = {
    only: { type: 'string' },
    latency: { type: 'string' },
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help === true) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const only = values.only?.split(',').map((id) => id.trim().toLowerCase());
    const wrong = only?.filter((id) => !(known as readonly string[]).includes(id)) ?? [];
    if (wrong.length > 0) throw new Error(`there is no store ${wrong.join(', ')}`);
    const { latency = String(defaultLatencyMs) } = values;
    const latencyMs = Number(latency);
    if (!/^\d+$/.test(latency) || latencyMs > 5_000) {
      throw new Error(`--latency takes whole milliseconds from 0 to 5000, not ${latency}`);
    }
    const stores = cloudStores.filter(({ id }) => only?.includes(id) ?? true);
    const quick = values.quick === true;
    return {
      stores,
      latenciesMs: [...new Set([0, latencyMs])],
      quick,
      json: values.json === true,
      whole: stores.length === cloudStores.length && latencyMs === defaultLatencyMs && !quick,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}

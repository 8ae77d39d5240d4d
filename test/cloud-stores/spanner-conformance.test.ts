import { describeStore } from 'statewarden/testing';
import { v1 } from '@google-cloud/spanner';
import { scatter } from '#src/persistence/spanner/keys.js';
import { clientOf, describeSpanner, SpannerEmulator } from './spanner-emulator.js';

describeSpanner('Spanner', () => {
  let emulator: SpannerEmulator;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());

  describeStore('spanner()', () => {
    // The suite moves the time: leases go by it. The cases of `spanner-leases.test.ts` have Spanner's.
    const store = lazily(() => emulator.store({ leaseTime: 'injected', mailPollMs: 20 }));
    return {
      store,
      corrupt: async (what, agent) => {
        const { project, instance, database } = await store.options();
        const client = new v1.SpannerClient(clientOf(emulator.port));
        const [session] = await client.createSession({ database: `projects/${project}/instances/${instance}/databases/${database}` });
        const [table, column, where] = what === 'journal' ? ['journal', 'entries', 'AND first = 1'] : ['checkpoints', 'data', ''];
        const name = session.name as string;
        const [{ metadata }] = await client.executeSql({
          session: name,
          transaction: { begin: { readWrite: {} } },
          sql: `UPDATE ${table} SET ${column} = CONCAT(${column}, ' ') WHERE agent = ${String(scatter(agent))} ${where}`,
        });
        await client.commit({ session: name, transactionId: metadata?.transaction?.id ?? null });
        await client.close();
      },
    };
  });
});

/** The emulator is not up yet when the suite is declared. */
function lazily(make: () => ReturnType<SpannerEmulator['store']>): ReturnType<SpannerEmulator['store']> {
  let made: ReturnType<typeof make> | undefined;
  const store = (): ReturnType<typeof make> => (made ??= make());
  return {
    name: 'spanner()',
    capabilities: { durable: true, shared: true },
    open: (options) => store().open(options),
    options: () => store().options(),
  };
}
